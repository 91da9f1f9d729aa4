"""What somebody who may write to the database, and no more, puts into a ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tradex_ledger.ledger.entry import canonical, compose
from tradex_ledger.ledger.merkle import leaf_hash

NEW_GUARDS = ("events_true_insert", "tiles_true_insert")
ALL_GUARDS = (*NEW_GUARDS, "events_no_update", "events_dense_insert", "tiles_dense_insert")


class Planted(NamedTuple):
    """A row of `events` in the order of its columns."""

    position: int
    stream: str
    version: int
    topic: str
    at: str
    leaf: bytes
    entry: str


@contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    """The ledger in a workspace, past the program."""
    connection = sqlite3.connect(folder / "ledger.db", isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def without(connection: sqlite3.Connection, guards: tuple[str, ...]) -> None:
    """Take guards away: a ledger of before had none of the new ones."""
    for guard in guards:
        connection.execute(f"drop trigger if exists {guard}")


def next_row(connection: sqlite3.Connection, stream: str, topic: str, by: str, data: dict[str, Any]) -> Planted:
    """The row of an event that would be the next of its stream, right in every way."""
    ledger, position, at = connection.execute(
        "select id, (select max(position) + 1 from events), (select max(at) from events) from ledger"
    ).fetchone()
    version = connection.execute(
        "select coalesce(max(version), 0) + 1 from events where stream = ?", [stream]
    ).fetchone()[0]
    return composed(ledger, position, at, stream, version, topic, by, data)


def composed(
    ledger: str, position: int, at: str, stream: str, version: int, topic: str, by: str, data: dict[str, Any]
) -> Planted:
    """A row with the entry and the leaf that belong to it."""
    state = canonical({"by": by, "data": data, "v": 1})
    entry = compose(ledger, position, at, stream, version, topic, state=state)
    return Planted(position, stream, version, topic, at, leaf_hash(entry), entry.decode())


def insert(connection: sqlite3.Connection, row: Planted) -> None:
    """A plain INSERT of a row."""
    connection.execute("insert into events values (?, ?, ?, ?, ?, ?, ?)", row)
