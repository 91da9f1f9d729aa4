"""What differs between databases: connecting, the append lock, and the script that creates the tables."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from tradex_ledger import resources
from tradex_ledger.errors import UsageError
from tradex_ledger.ledger.faults import READS
from tradex_ledger.ledger.looking import is_file, look

# Marks the connections that will write, so that the lock is taken when their transaction begins.
WRITES = "tradex_writes"
BUSY_TIMEOUT_MS = 30_000
ROWS_A_STATEMENT = 1000
_CREATED = re.compile(r"^CREATE \w+ IF NOT EXISTS (\w+)", re.MULTILINE)


class UnknownDatabaseError(UsageError):
    """A ledger URL of a kind that is not supported."""

    code = "unknown-database"

    def __init__(self, url: URL) -> None:
        shown = url.render_as_string(hide_password=True)
        super().__init__(f"{shown} is no database a ledger can live in", mend="use sqlite:///PATH")


# position, stream, version, topic, at, leaf, entry: a plain tuple, which the driver binds fastest.
EventRow = tuple[int, str, int, str, str, bytes, str]


class Dialect(Protocol):
    """One kind of database."""

    def connect(self, url: URL) -> Engine:
        """An engine whose transactions hold the append lock if they are marked with `WRITES`."""

    def connect_to_read(self, url: URL) -> Engine:
        """An engine that changes nothing, not even beside the database; its connections are for `store.read`."""

    def exists(self, url: URL) -> bool:
        """Whether there is a database to open, as far as can be told without creating one."""

    def create_tables(self, connection: Connection) -> None:
        """Creates the tables and guards within the transaction."""

    def is_complete(self, connection: Connection) -> bool:
        """Whether all tables, indexes and guards of this release are there."""

    def insert_events(self, connection: Connection, rows: Sequence[EventRow]) -> None:
        """Inserts events, at least one, as fast as the driver can."""


class SQLite:
    """The embedded database: one file, one writer at a time."""

    def connect(self, url: URL) -> Engine:
        if url.database and self.exists(url):
            _check_access(Path(os.path.realpath(url.database)))
        engine = create_engine(url)
        event.listen(engine, "connect", self._set_up)
        event.listen(engine, "begin", self._begin)
        return engine

    def connect_to_read(self, url: URL) -> Engine:
        path = Path(url.database or "")
        engine = create_engine(url, creator=lambda: look(path), poolclass=NullPool)
        event.listen(engine, "begin", self._begin)
        return engine.execution_options(**{READS: True})

    def exists(self, url: URL) -> bool:
        return url.database is not None and is_file(Path(url.database))

    def is_complete(self, connection: Connection) -> bool:
        there = {row[0] for row in connection.exec_driver_sql("select name from sqlite_master")}
        return there.issuperset(_CREATED.findall(_script()))

    def create_tables(self, connection: Connection) -> None:
        # Statement by statement: the driver's own `executescript` commits first.
        statement = ""
        for line in _script().splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                connection.exec_driver_sql(statement)
                statement = ""

    def insert_events(self, connection: Connection, rows: Sequence[EventRow]) -> None:
        # Many rows a statement, and past SQLAlchemy's binding of each value: each costs as much again
        # as the insert itself.
        for first in range(0, len(rows), ROWS_A_STATEMENT):
            some = rows[first : first + ROWS_A_STATEMENT]
            values = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(some))
            connection.exec_driver_sql(f"INSERT INTO events VALUES {values}", tuple(chain.from_iterable(some)))

    @staticmethod
    def _set_up(connection: Any, _record: object) -> None:
        # The driver begins no transaction by itself; `_begin` does.
        connection.isolation_level = None
        for setting in (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {setting}").close()

    @staticmethod
    def _begin(connection: Connection) -> None:
        # IMMEDIATE is the append lock. A transaction that reads first and asks for the lock later
        # would be turned away without waiting if somebody wrote in between.
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@cache
def _script() -> str:
    return resources.read_text("schema", "ledger", "sqlite.sql")


def _check_access(path: Path) -> None:
    """Raise `OSError` before any work when nothing could be appended: SQLite writes the file, and beside it."""
    for place, rights in ((path, os.R_OK | os.W_OK), (path.parent, os.R_OK | os.W_OK | os.X_OK)):
        if not os.access(place, rights):
            raise PermissionError(errno.EACCES, f"{place} may not be written by this user", str(place))


_DIALECTS: dict[str, Dialect] = {"sqlite": SQLite()}


def dialect_of(url: URL) -> Dialect:
    """The dialect that a URL names."""
    found = _DIALECTS.get(url.get_backend_name())
    if found is None:
        raise UnknownDatabaseError(url)
    return found
