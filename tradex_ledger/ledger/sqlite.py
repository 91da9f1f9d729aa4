"""SQLite: one file, one writer at a time."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path
from threading import Event

from sqlalchemy import URL, Connection, Engine, TextClause, create_engine, event, text
from sqlalchemy.pool import NullPool

from tradex_ledger import resources
from tradex_ledger.ledger.dialects import WRITES, Dialect, EventRow, Tile
from tradex_ledger.ledger.faults import BUSY, NOT_READABLE, Fault
from tradex_ledger.ledger.looking import DRIVER_ERRORS, Look, is_file, look
from tradex_ledger.ledger.select import Found, Value, hinted, spread

BUSY_TIMEOUT_MS = 30_000
# The last: what triggers make SQLite copy, and what it keeps to undo a statement, would go through a temporary file.
SETTINGS = (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY")
ROWS_A_STATEMENT = 125
_CREATED = re.compile(r"^CREATE \w+ IF NOT EXISTS (\w+)", re.MULTILINE)

_DISK = Fault(
    "store-disk",
    "could not be written ({said}); the save left nothing behind",
    "make room on the disk, check that it is sound, and try again",
)
_NOT_OPENED = Fault(
    "store-not-writable",
    "cannot be opened for writing ({said})",
    "check that the file and its folder exist and may be written by this user",
)
_DAMAGED = Fault(
    "store-damaged",
    "cannot be read as a database ({said})",
    "put back the last good copy of that file, and of the lake beside it",
)
# The words that SQLite says, and what they stand for: the first that fit count. Some for who only reads.
_SAID = (("locked", BUSY), ("busy", BUSY), ("disk is full", _DISK), ("disk i/o", _DISK))
_SAID_TO_READERS = (("unable to open", NOT_READABLE), ("readonly", NOT_READABLE))
_SAID_LAST = (
    *(("readonly", _NOT_OPENED), ("read-only", _NOT_OPENED), ("unable to open", _NOT_OPENED)),
    *(("not a database", _DAMAGED), ("malformed", _DAMAGED), ("decode", _DAMAGED)),
)


class SQLite:
    """The embedded database."""

    errors = DRIVER_ERRORS
    at_once = 2 * ROWS_A_STATEMENT  # what is made of an event stays at hand until it is inserted
    patience = 0.0  # a file that is not there comes back by nobody's hand

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
        return engine

    def exists(self, url: URL) -> bool:
        return url.database is not None and is_file(Path(url.database))

    def is_sound(self, connection: Connection) -> bool:
        look = connection.connection.dbapi_connection
        return not isinstance(look, Look) or look.is_sound()

    def check(self, engine: Engine) -> None:
        del engine

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

    def insert_events(self, connection: Connection, parts: Iterable[Sequence[EventRow]]) -> None:
        # Past SQLAlchemy's binding of each value, which costs as much again as the insert itself, and many rows a
        # statement: always as many, so that it is parsed once, and few enough for what triggers make SQLite copy.
        for rows in parts:
            whole = len(rows) // ROWS_A_STATEMENT * ROWS_A_STATEMENT
            steps = range(0, whole, ROWS_A_STATEMENT)
            if steps:
                some = [(*chain.from_iterable(rows[first : first + ROWS_A_STATEMENT]),) for first in steps]
                connection.exec_driver_sql(_insert(ROWS_A_STATEMENT), some)
            if whole < len(rows):
                connection.exec_driver_sql(_insert(len(rows) - whole), (*chain.from_iterable(rows[whole:]),))

    def insert_tiles(self, connection: Connection, tiles: Sequence[Tile]) -> None:
        connection.exec_driver_sql("insert into tiles (level, tile, hashes) values (?, ?, ?)", list(tiles))

    def find(self, connection: Connection, statement: str, values: dict[str, Value]) -> Found:
        # The driver's own cursor: a row object a row would cost more than the rows do.
        wanted, single = spread(hinted(statement), values)
        return list(connection.execute(_text(wanted), single).cursor.fetchall())

    def wait(self, url: URL, seconds: float, stopped: Event | None = None) -> None:
        del url
        (stopped or Event()).wait(seconds)

    def fault_of(self, error: Exception, *, reading: bool) -> Fault | None:
        table = (*_SAID, *(_SAID_TO_READERS if reading else ()), *_SAID_LAST)
        return next((fault for words, fault in table if words in str(error).lower()), None)

    @staticmethod
    def _set_up(connection: sqlite3.Connection, _record: object) -> None:
        # The driver begins no transaction by itself; `_begin` does.
        connection.isolation_level = None
        for setting in SETTINGS:
            connection.execute(f"PRAGMA {setting}").close()

    @staticmethod
    def _begin(connection: Connection) -> None:
        # IMMEDIATE is the append lock. A transaction that reads first and asks for the lock later
        # would be turned away without waiting if somebody wrote in between.
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


DIALECT: Dialect = SQLite()


@lru_cache(256)
def _text(statement: str) -> TextClause:
    return text(statement)


@cache
def _insert(rows: int) -> str:
    return "INSERT INTO events VALUES " + ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * rows)


@cache
def _script() -> str:
    return resources.read_text("schema", "ledger", "sqlite.sql")


def _check_access(path: Path) -> None:
    """Raise `OSError` before any work when nothing could be appended: SQLite writes the file, and beside it."""
    for place, rights in ((path, os.R_OK | os.W_OK), (path.parent, os.R_OK | os.W_OK | os.X_OK)):
        if not os.access(place, rights):
            raise PermissionError(errno.EACCES, f"{place} may not be written by this user", str(place))
