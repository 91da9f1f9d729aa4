"""The root over the first events of a ledger, cheap enough to be said with every answer.

Of a tile that is not full the nodes are stored nowhere: each is made of the 256 hashes of a tile below, up to 255 of
them a level. What came of a tile is remembered, under the digest of that tile: every tile is read again, each time, and
one that is another is none that is remembered. It is a cache, under the user's own key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import cast

from tradex_ledger.keyed import read_sealed, write_sealed
from tradex_ledger.ledger.merkle import HASH_SIZE, TILE_WIDTH, hashes_of, node_hash, root
from tradex_ledger.ledger.rows import Row, check_range
from tradex_ledger.ledger.select import Ask, Store, read
from tradex_ledger.ledger.tree import MissingTileError

_NAME = "roots"
_LABEL = "roots 1"
_MOST = 4_096
"""Tiles that are remembered: some megabytes of tree, and a quarter of one to read."""
_FEW = 8
"""So few that are not remembered yet are made anew rather than written down."""


def root_of(store: Store, size: int) -> bytes:
    """The root over the first `size` events, by what the tree says of all but the last of them.

    Raises: `MissingTileError`, `BrokenLedgerError`.
    """
    known = _Remembered(store)
    found = store.ask(lambda ask: _root(ask, store.ledger, size, known.of))
    known.keep()
    return found


def _root(ask: Ask, ledger: str, size: int, above: Callable[[bytes], bytes]) -> bytes:
    """From the right: the leaves of the last tile, then on each level the nodes of its last tile."""
    first = size // TILE_WIDTH * TILE_WIDTH
    rows = cast("list[Row]", ask(read("range"), first=first + 1, last=size)) if size > first else []
    nodes: Sequence[bytes] = [row[5] for row in check_range(ledger, rows, first + 1, size)]
    right: bytes | None = None
    level, full = 0, size // TILE_WIDTH
    while True:
        right = _joined(nodes, right)
        if not full:
            return right or root([])
        begin = full // TILE_WIDTH * TILE_WIDTH
        nodes = [above(tile) for tile in _tiles(ask, level, begin, full)]
        level, full = level + 1, full // TILE_WIDTH


def _joined(nodes: Sequence[bytes], right: bytes | None) -> bytes | None:
    """The tree over nodes of one height, and what is to the right of them and lower."""
    done = 0
    parts = []
    for bit in reversed(range(len(nodes).bit_length())):
        if len(nodes) >> bit & 1:
            parts.append(root(nodes[done : done + (1 << bit)]))
            done += 1 << bit
    for part in reversed(parts):
        right = part if right is None else node_hash(part, right)
    return right


def _tiles(ask: Ask, level: int, begin: int, upto: int) -> list[bytes]:
    found = {tile: bytes(hashes) for tile, hashes in ask(read("tiles_of"), level=level, begin=begin, upto=upto)}
    for tile in range(begin, upto):
        if len(found.get(tile, b"")) != TILE_WIDTH * HASH_SIZE:
            raise MissingTileError(level, tile)
    return [found[tile] for tile in range(begin, upto)]


class _Remembered:
    """The roots of tiles, by the digests of the tiles."""

    def __init__(self, store: Store) -> None:
        self._store = store
        path = store.caches.path(_NAME)
        stored = read_sealed(path, _LABEL) if path is not None else None
        pairs = hashes_of(stored or b"")
        self._known = dict(zip(pairs[::2], pairs[1::2], strict=True)) if len(pairs) % 2 == 0 else {}
        self._new: dict[bytes, bytes] = {}

    def of(self, tile: bytes) -> bytes:
        """The root of a tile."""
        digest = hashlib.sha256(tile).digest()
        found = self._known.get(digest)
        if found is None:
            found = self._known[digest] = self._new[digest] = root(hashes_of(tile))
        return found

    def keep(self) -> None:
        """Remember what is new, if that is worth it; the newest of it all."""
        if len(self._new) < _FEW or self._store.caches.made() is None:
            return
        path = self._store.caches.path(_NAME)
        if path is not None:
            newest = list(self._known.items())[-_MOST:]
            write_sealed(path, b"".join(hash_ for pair in newest for hash_ in pair), _LABEL)
