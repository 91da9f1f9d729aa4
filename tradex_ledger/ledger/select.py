"""Plain SELECTs on the database of a ledger, for the read side.

A SQLite file is read as it is: importing SQLAlchemy takes longer than all that a command which only reads does.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tradex_ledger.ledger.looking import DRIVER_ERRORS, is_file, looked

if TYPE_CHECKING:
    from sqlalchemy import Engine

# The format of a ledger that this release writes, and the last that it can read.
FORMAT = 1
_PREFIX = "sqlite:///"


@dataclass(frozen=True, slots=True)
class SQLiteFile:
    """A ledger in a SQLite file, to be read."""

    path: Path

    @property
    def url(self) -> str:
        """The file as SQLAlchemy names it."""
        return f"{_PREFIX}{self.path}"


Store: TypeAlias = "Engine | SQLiteFile"


def sqlite_path(url: str) -> Path | None:
    """The file that a URL names, all that follows `sqlite:///` as it is; None for another kind of URL."""
    name = url.removeprefix(_PREFIX)
    return Path(name) if name not in (url, "", ":memory:") else None


def open_store(url: str) -> Store:
    """The ledger at a URL, for reading.

    Raises: `NoLedgerError`, `FormatTooNewError`, `UnknownDatabaseError`, `StoreFault`.
    """
    path = sqlite_path(url)
    if path is not None:
        with suppress(*DRIVER_ERRORS, OSError):
            if is_file(path) and _rows(path, "select format from ledger", {}) == [(FORMAT,)]:
                return SQLiteFile(path)
    from tradex_ledger.ledger.store import open_engine, store_info

    engine = open_engine(url, reading=True)
    store_info(engine)  # it says what is wrong
    return engine


def select(store: Store, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """The rows of a statement with `:name` for each of the values. Raises: `StoreFault`."""
    if isinstance(store, SQLiteFile):
        try:
            return _rows(store.path, statement, values)
        except (*DRIVER_ERRORS, OSError):
            # The engine meets the same, and has the words for it.
            from tradex_ledger.ledger.store import open_engine

            return select(open_engine(store.url, reading=True), statement, **values)
    from sqlalchemy import text

    from tradex_ledger.ledger.store import read

    # The driver's own cursor: a row object a row would cost more than the rows do.
    return read(store, lambda connection: list(connection.execute(text(statement), values).cursor.fetchall()))


def _rows(path: Path, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return looked(path, lambda connection: connection.execute(statement, values).fetchall())


def file_of(store: Store) -> Path | None:
    """The SQLite file that holds the ledger; None when it is not in one."""
    if isinstance(store, SQLiteFile):
        return store.path
    name = store.url.database
    return Path(name) if store.url.get_backend_name() == "sqlite" and name and name != ":memory:" else None
