"""The Merkle tree of RFC 9162, section 2.1, over full tiles as in C2SP tlog-tiles.

Leaves count from 0 here; the event at position 1 is leaf 0. A tile at level L holds the hashes of 256
subtrees of height 8L side by side; only full tiles are ever stored, since they never change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from hashlib import sha256

HASH_SIZE = 32
TILE_WIDTH = 256
TILE_HEIGHT = 8

ReadTile = Callable[[int, int], bytes]
ReadTiles = Callable[[int, int, int], Sequence[bytes]]
"""The tiles of a level, from a first to before an end."""
ReadLeaves = Callable[[int, int], Sequence[bytes]]
# A copy of one that was begun costs half of what it costs to begin one.
_new_leaf, _new_node = sha256(b"\x00").copy, sha256(b"\x01").copy


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry as a leaf."""
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """The hashes of entries as leaves, as `leaf_hash` without a call for each."""
    hashes = []
    for entry in entries:
        digest = _new_leaf()
        digest.update(entry)
        hashes.append(digest.digest())
    return hashes


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node above two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root above leaf hashes that are all at hand."""
    if not leaves:
        return sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        # A last node without partner moves up unchanged, which gives the RFC's split at powers of two.
        odd = [level.pop()] if len(level) % 2 else []
        below, level = iter(level), []
        for left, right in zip(below, below, strict=True):  # as `node_hash`, without a call for each
            digest = _new_node()
            digest.update(left)
            digest.update(right)
            level.append(digest.digest())
        level += odd
    return level[0]


def new_tiles(
    old_size: int, new_leaves: Sequence[bytes], read_tiles: ReadTiles, read_leaves: ReadLeaves
) -> list[tuple[int, int, bytes]]:
    """The tiles, as (level, tile, hashes), that become full when leaves are appended to `old_size`.

    In the order in which they can be stored: by level, then by tile. `read_leaves` is asked for old
    leaves only, `read_tiles` for tiles that were full before: all that one is made of at once.
    """
    made: dict[tuple[int, int], bytes] = {}
    old, size, level = old_size, old_size + len(new_leaves), 0
    while old // TILE_WIDTH < size // TILE_WIDTH:
        if level == 0:
            made |= _leaf_tiles(old_size, new_leaves, read_leaves)
        else:
            for tile in range(old // TILE_WIDTH, size // TILE_WIDTH):
                begin, end = tile * TILE_WIDTH, (tile + 1) * TILE_WIDTH
                fresh = [made[level - 1, n] for n in range(begin, end) if (level - 1, n) in made]  # they are the last
                full = read_tiles(level - 1, begin, end - len(fresh)) if len(fresh) < TILE_WIDTH else []
                made[level, tile] = b"".join(root(hashes_of(hashes)) for hashes in (*full, *fresh))
        old, size, level = old // TILE_WIDTH, size // TILE_WIDTH, level + 1
    return [(level, tile, hashes) for (level, tile), hashes in made.items()]


def hashes_of(tile: bytes) -> list[bytes]:
    """The hashes a tile is made of."""
    return [tile[i : i + HASH_SIZE] for i in range(0, len(tile), HASH_SIZE)]


def _leaf_tiles(old_size: int, new_leaves: Sequence[bytes], read_leaves: ReadLeaves) -> dict[tuple[int, int], bytes]:
    first = old_size // TILE_WIDTH
    leaves = [*read_leaves(first * TILE_WIDTH, old_size), *new_leaves]
    return {
        (0, first + n): b"".join(leaves[n * TILE_WIDTH : (n + 1) * TILE_WIDTH])
        for n in range(len(leaves) // TILE_WIDTH)
    }


def edge_widths(size: int) -> list[int]:
    """How many hashes the last tile of each level from 1 on has, which is not full, in a tree of that size: 0…255."""
    levels = (size.bit_length() - 1) // TILE_HEIGHT if size else 0
    return [(size >> (TILE_HEIGHT * level)) % TILE_WIDTH for level in range(1, levels + 1)]


class Growing:
    """The root over leaves as they come, in memory that grows with the logarithm of their number."""

    def __init__(self) -> None:
        self._peaks: list[tuple[int, bytes]] = []

    def add(self, leaves: Iterable[bytes]) -> None:
        """Add leaves to the right of those before."""
        for leaf in leaves:
            height, node = 0, leaf
            while self._peaks and self._peaks[-1][0] == height:
                height, node = height + 1, node_hash(self._peaks.pop()[1], node)
            self._peaks.append((height, node))

    def root(self) -> bytes:
        """The root over all so far; of no leaves, the hash of nothing."""
        nodes = [node for _, node in self._peaks]
        return reduce(lambda right, left: node_hash(left, right), nodes[::-1]) if nodes else root([])


class Tree:
    """The tree over the first `size` leaves of a log that may have grown since.

    Above the leaves, the last tile of a level that is not full is stored nowhere: it is made of up to 255 tiles below.
    Who has kept those from before, as `edge` gives them, saves that; whoever takes an `edge` from somewhere holds the
    root against one that he knows.
    """

    def __init__(self, size: int, read_tile: ReadTile, read_leaves: ReadLeaves, edge: Sequence[bytes] = ()) -> None:
        self.size = size
        self._read_tile = read_tile
        self._read_leaves = read_leaves
        self._subtrees: dict[tuple[int, int], bytes] = {}  # the paths of neighbours have most of them in common
        self._edge: dict[int, bytes] = {
            level: hashes
            for level, (hashes, width) in enumerate(zip(edge, edge_widths(size), strict=False), 1)
            if len(hashes) == width * HASH_SIZE
        }

    def edge(self) -> list[bytes]:
        """The hashes of the last tile of each level from 1 on, which is not full: as many as `edge_widths` says."""
        return [self._last_tile(level) for level, _ in enumerate(edge_widths(self.size), 1)]

    def root(self) -> bytes:
        """The root of the tree; of no leaves, the hash of nothing."""
        return self._subtree(0, self.size) if self.size else root([])

    def inclusion_proof(self, leaf: int) -> list[bytes]:
        """The hashes (32 bytes each) that lead from a leaf (from 0) to the root: PATH of RFC 9162, 2.1.3.1.

        Raises: `IndexError` for a leaf that the tree does not have.
        """
        if not 0 <= leaf < self.size:
            raise IndexError(f"leaf {leaf} is not in a tree of {self.size}")
        proof: list[bytes] = []
        first, end = 0, self.size
        while end - first > 1:
            middle = first + _split(end - first)
            if leaf < middle:
                proof.append(self._subtree(middle, end))
                end = middle
            else:
                proof.append(self._subtree(first, middle))
                first = middle
        return proof[::-1]

    def consistency_proof(self, old_size: int) -> list[bytes]:
        """The hashes (32 bytes each) that show the tree to extend one of `old_size` leaves: PROOF of RFC 9162, 2.1.4.1.

        Raises: `IndexError` for a tree of no leaves, or of more than this one.
        """
        if not 0 < old_size <= self.size:
            raise IndexError(f"a tree of {self.size} does not extend one of {old_size}")
        proof: list[bytes] = []
        first, end, whole = 0, self.size, True
        while old_size != end:
            middle = first + _split(end - first)
            if old_size <= middle:
                proof.append(self._subtree(middle, end))
                end = middle
            else:
                proof.append(self._subtree(first, middle))
                first, whole = middle, False
        # The verifier holds the old root already, unless the walk has left the whole old tree.
        return ([] if whole else [self._subtree(first, end)]) + proof[::-1]

    def _subtree(self, first: int, end: int) -> bytes:
        count = end - first
        left = _split(count) if count > 1 else 1
        if left * 2 == count or count == 1:
            return self.subtree(first, count.bit_length() - 1)
        return node_hash(self.subtree(first, left.bit_length() - 1), self._subtree(first + left, end))

    def subtree(self, first: int, height: int) -> bytes:
        """The root of the perfect subtree of a height that begins at a leaf it is aligned to."""
        found = self._subtrees.get((first, height))
        if found is None:
            level, rest = divmod(height, TILE_HEIGHT)
            found = root(self._nodes(level, first >> (TILE_HEIGHT * level), 1 << rest))
            self._subtrees[first, height] = found
        return found

    def _nodes(self, level: int, first: int, count: int) -> Sequence[bytes]:
        """Neighbouring nodes at a tile level, all of one tile, which need not be full yet."""
        tile, offset = divmod(first, TILE_WIDTH)
        if tile < self.size >> (TILE_HEIGHT * (level + 1)):
            hashes = self._read_tile(level, tile)
            return hashes_of(hashes[offset * HASH_SIZE : (offset + count) * HASH_SIZE])
        if level == 0:
            return self._read_leaves(first, first + count)
        return hashes_of(self._last_tile(level)[offset * HASH_SIZE : (offset + count) * HASH_SIZE])

    def _last_tile(self, level: int) -> bytes:
        """Above the leaves, the hashes of the last tile of a level, which is not full."""
        found = self._edge.get(level)
        if found is None:
            upto = self.size >> (TILE_HEIGHT * level)
            below = range(upto - upto % TILE_WIDTH, upto)
            found = b"".join(root(hashes_of(self._read_tile(level - 1, n))) for n in below)
            self._edge[level] = found
        return found


def verify_inclusion(leaf: int, size: int, hash_of_leaf: bytes, proof: Sequence[bytes], root_hash: bytes) -> bool:
    """Whether a proof leads from the leaf to the root: RFC 9162, 2.1.3.2."""
    if not 0 <= leaf < size:
        return False
    node, last, found = leaf, size - 1, hash_of_leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root_hash


def verify_consistency(old_size: int, size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows the newer tree to extend the older: RFC 9162, 2.1.4.2."""
    if not 0 < old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == new_root
    if not proof:
        return False
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old_found = new_found = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old_found, new_found = node_hash(sibling, old_found), node_hash(sibling, new_found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new_found = node_hash(new_found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old_found == old_root and new_found == new_root


def _split(count: int) -> int:
    """The largest power of two below a count of at least 2."""
    return 1 << ((count - 1).bit_length() - 1)
