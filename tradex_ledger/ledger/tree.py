"""The tree over the events of a ledger that is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.ledger.merkle import Tree
from tradex_ledger.ledger.rows import Row, check_range
from tradex_ledger.ledger.select import Ask, Store, read

T = TypeVar("T")


class MissingTileError(BrokenLedgerError):
    """A tile that the size of the ledger calls for is not there."""

    code = "missing-tile"

    def __init__(self, level: int, tile: int) -> None:
        super().__init__(
            f"tile {tile} of level {level} is missing from the ledger", mend="put back the last good copy of the ledger"
        )


def stored_tree(store: Store, size: int) -> Tree:
    """The tree over the first `size` events; what is asked of it raises `MissingTileError`, `BrokenLedgerError`."""
    return _tree(store.ledger, store.select, size, ())


def ask_tree(store: Store, size: int, question: Callable[[Tree], T], edge: Sequence[bytes] = ()) -> T:
    """What a question to the same tree finds: all of it in one state of the ledger, and over one connection.

    `edge`: what `Tree.edge` gave before.
    """
    return store.ask(lambda ask: question(_tree(store.ledger, ask, size, edge)))


def _tree(ledger: str, ask: Ask, size: int, edge: Sequence[bytes]) -> Tree:
    def read_tile(level: int, tile: int) -> bytes:
        found = ask(read("tile"), level=level, tile=tile)
        if not found:
            raise MissingTileError(level, tile)
        return bytes(found[0][0])

    def read_leaves(first: int, end: int) -> Sequence[bytes]:
        # Leaves count from 0, positions from 1. At most those of one tile are asked for: each is made again.
        rows = cast("list[Row]", ask(read("range"), first=first + 1, last=end))
        return [row[5] for row in check_range(ledger, rows, first + 1, end)]

    return Tree(size, read_tile, read_leaves, edge)
