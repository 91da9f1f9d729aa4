"""The database itself refuses to forget."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from eventsourcing.persistence import StoredEvent

from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.store import create_store, open_engine

LEAF = "zeroblob(32)"
TILE = "zeroblob(8192)"
TRUE_ENTRY = (
    '{"at":"a","by":"","data":{},"ledger":"ld-test","position":301,"stream":"bf-1","topic":"t","v":1,"version":7}'
)
ATTEMPTS = {
    "update an event": "UPDATE events SET topic = 'other' WHERE position = 2",
    "update or replace an event": "UPDATE OR REPLACE events SET position = 1 WHERE position = 2",
    "delete an event": "DELETE FROM events WHERE position = 300",
    "delete every event": "DELETE FROM events",
    "replace an event by position": (f"INSERT OR REPLACE INTO events VALUES (2, 'new', 1, 't', 'a', {LEAF}, '{{}}')"),
    "replace an event by stream and version": (
        f"INSERT OR REPLACE INTO events VALUES (301, 'bf-1', 7, 't', 'a', {LEAF}, '{{}}')"
    ),
    "replace an event with REPLACE": f"REPLACE INTO events VALUES (301, 'bf-1', 7, 't', 'a', {LEAF}, '{{}}')",
    "upsert an event": (
        f"INSERT INTO events VALUES (301, 'bf-1', 7, 't', 'a', {LEAF}, '{{}}')"
        " ON CONFLICT (stream, version) DO UPDATE SET topic = 'other'"
    ),
    "leave a gap": f"INSERT INTO events VALUES (302, 'new', 1, 't', 'a', {LEAF}, '{{}}')",
    "insert at position 0": f"INSERT INTO events VALUES (0, 'new', 1, 't', 'a', {LEAF}, '{{}}')",
    "let the database number": (
        f"INSERT INTO events (stream, version, topic, at, leaf, entry) VALUES ('new', 1, 't', 'a', {LEAF}, '{{}}')"
    ),
    "store a leaf of another length": "INSERT INTO events VALUES (301, 'new', 1, 't', 'a', x'00', '{}')",
    "store a number as text": f"INSERT INTO events VALUES (301, 'new', 'one', 't', 'a', {LEAF}, '{{}}')",
    "update a tile": f"UPDATE tiles SET hashes = {TILE}",
    "delete a tile": "DELETE FROM tiles",
    "replace a tile": f"INSERT OR REPLACE INTO tiles VALUES (0, 0, {TILE})",
    "leave a gap in the tiles": f"INSERT INTO tiles VALUES (0, 2, {TILE})",
    "store a tile of another length": "INSERT INTO tiles VALUES (0, 1, x'00')",
    "update the ledger": "UPDATE ledger SET id = 'other'",
    "delete the ledger": "DELETE FROM ledger",
    "replace the ledger": "INSERT OR REPLACE INTO ledger VALUES (1, 'other', 1, 'a')",
    "add a second ledger": "INSERT INTO ledger VALUES (2, 'other', 1, 'a')",
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("guards") / "ledger.db"
    engine = open_engine(f"sqlite:///{path}", create=True)
    create_store(engine, ledger_id="ld-test", created_at=datetime.now(UTC))
    recorder = Recorder(engine, lambda: datetime.now(UTC))
    recorder.insert_events([StoredEvent("bf-1", version, "topic", b"state") for version in range(1, 301)])
    engine.dispose()
    return path


@pytest.fixture
def connection(database: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(database, isolation_level=None)
    yield connection
    connection.close()


def everything(connection: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
    return [
        connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in ("events", "tiles", "ledger")
    ]


@pytest.mark.norm("N2")
@pytest.mark.norm("N3")
@pytest.mark.norm("N40")
@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_the_ledger_refuses_to(connection: sqlite3.Connection, attempt: str) -> None:
    before = everything(connection)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(attempt)
    assert everything(connection) == before
    assert len(before[0]) == 300
    assert len(before[1]) == 1


def test_a_refusal_says_that_the_ledger_is_append_only(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="the ledger is append-only: an event is never removed"):
        connection.execute("DELETE FROM events")


def test_insert_or_ignore_does_not_add_a_second_event_at_a_version(connection: sqlite3.Connection) -> None:
    before = everything(connection)
    with pytest.raises(sqlite3.IntegrityError, match="already has this version"):
        connection.execute(f"INSERT OR IGNORE INTO events VALUES (301, 'bf-1', 7, 't', 'a', {LEAF}, '{TRUE_ENTRY}')")
    assert everything(connection) == before
