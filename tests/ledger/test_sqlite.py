"""What SQLite does, and what it says when it cannot: other databases have words of their own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventsourcing.persistence import StoredEvent
from sqlalchemy import Engine, event

from tests.kit.stores import START, created
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.ledger.faults import StoreFault
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.store import create_store, open_engine, reading, store_info
from tradex_ledger.ledger.store_errors import NoLedgerError

STATE = canonical({"by": "marta", "data": {"rows": 3}, "v": 1})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    with created(f"sqlite:///{path}") as made:
        yield made


@pytest.fixture
def recorder(engine: Engine) -> Recorder:
    return Recorder(engine, lambda: START)


def stored(version: int) -> StoredEvent:
    return StoredEvent("bf-1", version, "backfill.requested", STATE)


def test_opening_what_is_not_there_names_the_command_that_makes_it(path: Path) -> None:
    with pytest.raises(NoLedgerError) as refusal:
        open_engine(f"sqlite:///{path}")
    assert refusal.value.mend == "tradex init DIR"
    assert not path.exists()


def test_every_connection_waits_for_the_disk_and_keeps_what_passes_in_memory(engine: Engine) -> None:
    with reading(engine) as connection:
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "temp_store")
        ]
    assert settings == ["wal", 2, 30_000, 2]


def test_a_locked_database_is_a_fault_that_passes(engine: Engine, path: Path, recorder: Recorder) -> None:
    event.listen(engine, "checkout", lambda dbapi, *_: dbapi.execute("PRAGMA busy_timeout=1"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(EnvironmentFault, match="kept it locked") as fault:
        recorder.insert_events([stored(1)])
    assert (fault.value.transient, fault.value.code) == (True, "store-busy")
    assert recorder.max_notification_id() is None, "readers do not wait for a writer"
    other.execute("ROLLBACK")
    assert recorder.insert_events([stored(1)]) == [1]


def test_a_full_disk_is_a_fault_that_leaves_nothing_behind(engine: Engine, recorder: Recorder) -> None:
    event.listen(engine, "checkout", lambda dbapi, *_: dbapi.execute("PRAGMA max_page_count=1"))
    with pytest.raises(EnvironmentFault, match="the save left nothing behind") as fault:
        recorder.insert_events([stored(n) for n in range(500)])
    assert (fault.value.transient, fault.value.code) == (False, "store-disk")
    assert fault.value.mend
    assert recorder.max_notification_id() is None


def test_a_file_that_is_no_database_is_a_fault(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(EnvironmentFault) as fault:
        store_info(open_engine(f"sqlite:///{path}"))
    assert fault.value.code == "store-damaged"


def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'no' / 'ledger.db'}", create=True)
    with pytest.raises(StoreFault) as fault:
        create_store(engine, ledger_id="ld-test", created_at=START)
    assert fault.value.code == "store-not-writable"
