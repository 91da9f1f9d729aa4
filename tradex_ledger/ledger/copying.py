"""A ledger as a whole, from one store into another: byte for byte, in one transaction, in bounded memory.

Rows are checked as they are read, laid down as they are, read back, and compared. The tree is grown anew from their
leaves, so that an equal root says that all of them are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from sqlalchemy import Connection, Engine, insert, select

from tradex_ledger.domain.base import Aggregate
from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.ledger.dialects import EventRow, dialect_of
from tradex_ledger.ledger.log import append, head, lay, pages, root_of
from tradex_ledger.ledger.mapper import EntryMapper
from tradex_ledger.ledger.store import begin_store, check_empty, read, translated
from tradex_ledger.ledger.store_errors import StoreInfo
from tradex_ledger.ledger.tables import tracking


class OtherRootError(BrokenLedgerError):
    """What was laid down has another root than what it was taken from."""

    code = "other-root"

    def __init__(self, size: int, was: bytes, found: bytes) -> None:
        super().__init__(
            f"the first {size} events have the root {found.hex()}, not {was.hex()}; nothing was stored",
            mend="put back the last good copy of the ledger, and begin again",
        )


def check_target(engine: Engine) -> None:
    """Raise a `TradexError` unless a ledger can be put into that database: it is safe, and holds none."""
    dialect = dialect_of(engine.url)
    with translated(engine):
        dialect.check(engine)
    read(engine, check_empty)


def pour(connection: Connection, info: StoreInfo, rows: Iterable[list[EventRow]]) -> int:
    """Make a ledger of these rows (page by page, from position 1 on) in an empty database; how many there were.

    The transaction is the caller's: until it is committed, nothing is there.
    """
    begin_store(connection, info)
    n_rows = 0
    for page in rows:
        lay(connection, info.id, page)
        n_rows += len(page)
    return n_rows


def check_root(connection: Connection, ledger: str, size: int, wanted: bytes) -> None:
    """Raise `OtherRootError` unless the tree that was laid down has that root."""
    if (found := root_of(connection, ledger, size)) != wanted:
        raise OtherRootError(size, wanted, found)


def pour_all(source: Connection, target: Connection, info: StoreInfo) -> tuple[int, bytes]:
    """The same of all that a transaction on another store sees, with how far followers are; its size and its root."""
    size = head(source, info.id).position
    pour(target, info, pages(source, info.id, size))
    root = root_of(source, info.id, size)
    check_root(target, info.id, size, root)
    if followers := [row._asdict() for row in source.execute(select(tracking))]:
        target.execute(insert(tracking), followers)
    return size, root


def save(
    connection: Connection, ledger: str, clock: Callable[[], datetime], aggregate: Aggregate, *, arrives: bool = False
) -> int:
    """Append what an aggregate has pending, within a transaction that writes; the position after it.

    Raises: `IntegrityError` when the stream has moved; `LedgerMovedError` unless it `arrives`, as `append` has it.
    """
    stored = [EntryMapper().to_stored_event(event) for event in aggregate.collect_events()]
    append(connection, ledger, clock, stored, arrives=arrives)
    return head(connection, ledger).position
