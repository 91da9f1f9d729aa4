"""The root of the ledger's tree at a size, at a price that does not grow: asked whenever somebody opens a ledger.

Only full tiles are stored, so a root is made of up to some hundred of them, of each of which 255 hashes are. What it is
made of is read at once, and has a digest of its own (`Store.past`): a root that this user has made of the very same is
remembered in his caches, and made again of anything else.
"""

from __future__ import annotations

from tradex_ledger.keyed import read_sealed, write_sealed
from tradex_ledger.ledger.merkle import TILE_HEIGHT, Tree
from tradex_ledger.ledger.select import Ask, Store, read
from tradex_ledger.ledger.tree import MissingTileError

CACHE = "heads"
_LABEL = "root of a tree"
_MANY = 4_096
"""From so many events on it costs less to remember a root than to make it."""
_SLOTS = 8


def root_at(store: Store, size: int) -> bytes:
    """The root over the first `size` events, of the leaves as they lie there: they are not held against their entries.

    Raises: `MissingTileError`.
    """
    past = store.past(size) if size >= _MANY else None
    folder = store.caches.made(CACHE) if past is not None else None
    if past is None or folder is None:
        return light_root(store, size)
    slot, made_of = folder / f"root-{size % _SLOTS}", b"%d " % size + past
    kept = read_sealed(slot, _LABEL) or b""
    if kept.startswith(made_of):
        return kept.removeprefix(made_of)
    root = light_root(store, size)
    write_sealed(slot, made_of + root, _LABEL)
    return root


def light_root(store: Store, size: int) -> bytes:
    """The root over the first `size` events, of the leaves as they lie there: good enough to be held against a head.

    All of it is read in one state of the ledger, and over one connection: of many events it takes hundreds of tiles.
    """

    def root(ask: Ask) -> bytes:
        def read_tile(level: int, tile: int) -> bytes:
            found = ask(read("tile"), level=level, tile=tile)
            if not found:
                raise MissingTileError(level, tile)
            return bytes(found[0][0])

        def read_leaves(first: int, end: int) -> list[bytes]:
            found = ask(read("leaves"), first=first + 1, last=end)
            if len(found) < end - first:
                raise MissingTileError(0, first >> TILE_HEIGHT)
            return [bytes(leaf) for (leaf,) in found]

        return Tree(size, read_tile, read_leaves).root()

    return store.ask(root)
