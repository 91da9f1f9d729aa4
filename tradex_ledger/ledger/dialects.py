"""What differs between databases: connecting, the append lock, the tables, and what each says when it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Protocol

from sqlalchemy import URL, Connection, Engine

from tradex_ledger.errors import UsageError
from tradex_ledger.ledger.faults import Fault

# Marks the connections that will write, so that the lock is taken when their transaction begins.
WRITES = "tradex_writes"

MODULES = {"sqlite": "tradex_ledger.ledger.sqlite"}
"""The module of each kind of database, by the name that a URL begins with; its `DIALECT` is what differs."""

EventRow = tuple[int, str, int, str, str, bytes, str]
"""position, stream, version, topic, at, leaf, entry: a plain tuple, which drivers bind fastest."""


class UnknownDatabaseError(UsageError):
    """A ledger URL of a kind that is not supported."""

    code = "unknown-database"

    def __init__(self, url: URL) -> None:
        shown = url.render_as_string(hide_password=True)
        super().__init__(f"{shown} is no database a ledger can live in", mend="use sqlite:///PATH")


class Dialect(Protocol):
    """One kind of database."""

    errors: tuple[type[Exception], ...]
    """What its driver raises past SQLAlchemy."""

    def connect(self, url: URL) -> Engine:
        """An engine whose transactions hold the append lock if they are marked with `WRITES`."""

    def connect_to_read(self, url: URL) -> Engine:
        """An engine that changes nothing, not even beside the database; its connections are for `store.ask`."""

    def exists(self, url: URL) -> bool:
        """Whether there is a database to open, as far as can be told without creating one."""

    def is_sound(self, connection: Connection) -> bool:
        """Whether all that was read on a connection was one state of the database."""

    def is_complete(self, connection: Connection) -> bool:
        """Whether all tables, indexes and guards of this release are there."""

    def create_tables(self, connection: Connection) -> None:
        """Creates the tables and guards within the transaction."""

    def insert_events(self, connection: Connection, rows: Sequence[EventRow]) -> None:
        """Inserts events, at least one, as fast as the driver can."""

    def spoken(self, statement: str) -> str:
        """A statement of `schema/ledger/reads.sql` as this database is given it."""

    def fault_of(self, said: str, *, reading: bool) -> Fault | None:
        """What an error with these words stands for, to who only reads or to who writes; None: nobody knows."""


@cache
def _dialect(name: str) -> Dialect:
    found: Dialect = import_module(MODULES[name]).DIALECT
    return found


def dialect_of(url: URL) -> Dialect:
    """The dialect that a URL names. Raises `UnknownDatabaseError`."""
    name = url.get_backend_name()
    if name not in MODULES:
        raise UnknownDatabaseError(url)
    return _dialect(name)
