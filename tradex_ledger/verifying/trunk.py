"""The tree above the tiles: the root over any number of events, from the roots of full tiles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from tradex_ledger.ledger import merkle
from tradex_ledger.ledger.merkle import HASH_SIZE, TILE_HEIGHT, TILE_WIDTH, hashes_of, node_hash


class Trunk:
    """The roots of the first tiles of a ledger (32 bytes each), and the perfect subtrees above, made when needed."""

    def __init__(self) -> None:
        self._levels: list[bytearray] = [bytearray()]

    def add(self, roots: bytes) -> None:
        """Add the roots of the tiles that follow."""
        self._levels = [self._levels[0] + roots]

    @property
    def tiles(self) -> int:
        """How many tiles there are."""
        return len(self._levels[0]) // HASH_SIZE

    def root(self, size: int, tail: Sequence[bytes]) -> bytes:
        """The root over the first `size` events; `tail` are the leaves of those that fill no tile.

        Raises: `IndexError` for a tree that this one does not have.
        """
        full = size // TILE_WIDTH
        if full > self.tiles or len(tail) != size % TILE_WIDTH:
            raise IndexError(f"there are {self.tiles} tiles, and {len(tail)} leaves: that is no tree of {size}")
        nodes, first = [], 0
        for height in reversed(range(full.bit_length())):
            if full >> height & 1:
                nodes.append(self._node(height, first >> height))
                first += 1 << height
        if tail:
            nodes.append(merkle.root(tail))
        return reduce(lambda right, left: node_hash(left, right), nodes[::-1]) if nodes else merkle.root([])

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a full tile of a level from 1."""
        first, height = number * TILE_WIDTH, TILE_HEIGHT * (level - 1)
        return b"".join(self._node(height, n) for n in range(first, first + TILE_WIDTH))

    def _node(self, height: int, number: int) -> bytes:
        """A perfect subtree of 2^height tiles."""
        while len(self._levels) <= height:
            below = hashes_of(bytes(self._levels[-1]))
            self._levels.append(bytearray().join(map(node_hash, below[::2], below[1::2])))
        node = bytes(self._levels[height][number * HASH_SIZE : (number + 1) * HASH_SIZE])
        if len(node) != HASH_SIZE:
            raise IndexError(f"there is no subtree {number} of 2^{height} tiles")
        return node
