"""The tree over the events of a ledger that is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.ledger.merkle import Tree
from tradex_ledger.ledger.rows import Row, check_range
from tradex_ledger.ledger.select import Store, read


class MissingTileError(BrokenLedgerError):
    """A tile that the size of the ledger calls for is not there."""

    code = "missing-tile"

    def __init__(self, level: int, tile: int) -> None:
        super().__init__(
            f"tile {tile} of level {level} is missing from the ledger", mend="put back the last good copy of the ledger"
        )


def stored_tree(store: Store, size: int) -> Tree:
    """The tree over the first `size` events; what is asked of it raises `MissingTileError`, `BrokenLedgerError`."""

    def read_tile(level: int, tile: int) -> bytes:
        found = store.select(read("tile"), level=level, tile=tile)
        if not found:
            raise MissingTileError(level, tile)
        return bytes(found[0][0])

    def read_leaves(first: int, end: int) -> Sequence[bytes]:
        # Leaves count from 0, positions from 1. At most those of one tile are asked for: each is made again.
        rows = cast("list[Row]", store.select(read("range"), first=first + 1, last=end))
        return [row[5] for row in check_range(store.ledger, rows, first + 1, end)]

    return Tree(size, read_tile, read_leaves)
