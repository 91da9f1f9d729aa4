"""Reading a ledger without SQLAlchemy gives the same rows, and the same words when something is wrong."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.kit import small
from tradex_ledger.ledger.faults import StoreFault
from tradex_ledger.ledger.rows import MissingEventError
from tradex_ledger.ledger.select import Ask, SQLiteFile, open_store
from tradex_ledger.ledger.store import database, open_engine
from tradex_ledger.ledger.store_errors import FormatTooNewError, NoLedgerError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The ledger of a fresh workspace."""
    (tmp_path / "source").mkdir()
    small.create(tmp_path / "workspace", f"files:{tmp_path / 'source'}").close()
    return tmp_path / "workspace" / "ledger.db"


def test_the_rows_are_the_same_through_the_file_and_through_an_engine(file: Path) -> None:
    store = open_store(f"sqlite:///{file}")
    assert isinstance(store, SQLiteFile)
    engine = open_engine(store.url)
    for statement in (
        "select position, entry from events where position between :first and :last order by position",
        "select max(at) from events where position > :last + :first",
    ):
        assert store.select(statement, first=2, last=5) == database(engine).select(statement, first=2, last=5)
    engine.dispose()


def test_a_ledger_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoLedgerError):
        open_store(f"sqlite:///{tmp_path / 'ledger.db'}")


def test_a_database_without_a_ledger_is_named(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("create table other (value)")
    with pytest.raises(NoLedgerError):
        open_store(f"sqlite:///{tmp_path / 'ledger.db'}")


def test_a_ledger_of_a_later_release_is_not_read(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("drop trigger ledger_no_update")
        connection.execute("update ledger set format = 2")
    with pytest.raises(FormatTooNewError):
        open_store(f"sqlite:///{file}")


def test_a_file_that_is_no_database_is_a_fault_of_the_store(file: Path) -> None:
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreFault) as raised:
        open_store(f"sqlite:///{file}")
    assert raised.value.code == "store-damaged"


def test_what_breaks_while_it_is_read_is_a_fault_of_the_store(file: Path) -> None:
    store = open_store(f"sqlite:///{file}")
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreFault):
        store.select("select entry from events")


def test_what_is_broken_only_because_somebody_wrote_meanwhile_is_read_again(file: Path) -> None:
    store, asked = open_store(f"sqlite:///{file}"), 0

    def question(ask: Ask) -> int:
        nonlocal asked
        asked += 1
        if asked == 1:
            os.utime(file)  # somebody writes
            raise MissingEventError("half of it is older than the other half")
        return len(ask("select position from events"))

    assert store.ask(question) > 0
    assert asked == 2
