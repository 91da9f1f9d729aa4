"""What differs between databases: connecting, the append lock, the tables, and what each says when it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from threading import Event
from typing import Protocol

from sqlalchemy import URL, Connection, Engine

from tradex_ledger.errors import UsageError
from tradex_ledger.extras import load
from tradex_ledger.ledger.faults import Fault, shown
from tradex_ledger.ledger.select import Found, Value

# Marks the connections that will write, so that the lock is taken when their transaction begins.
WRITES = "tradex_writes"

MODULES = {"sqlite": "tradex_ledger.ledger.sqlite", "postgresql": "tradex_ledger.ledger.postgresql"}
"""The module of each kind of database, by the name that a URL begins with; its `DIALECT` is what differs."""

_EXTRAS = {"postgresql": "postgres"}

EventRow = tuple[int, str, int, str, str, bytes, str]
"""position, stream, version, topic, at, leaf, entry: a plain tuple, which drivers bind fastest."""
Tile = tuple[int, int, bytes]
"""level, tile, hashes."""


class UnknownDatabaseError(UsageError):
    """A ledger URL of a kind that is not supported."""

    code = "unknown-database"

    def __init__(self, url: URL) -> None:
        super().__init__(
            f"{shown(url)} is no database a ledger can live in",
            mend="use sqlite:///PATH or postgresql://USER@HOST/DATABASE",
        )


class Dialect(Protocol):
    """One kind of database."""

    errors: tuple[type[Exception], ...]
    """What its driver raises past SQLAlchemy."""
    at_once: int
    """Events that are written down and handed over together."""
    patience: float
    """For how many seconds one that was there, and is lost, is waited for: another may take its place."""

    def connect(self, url: URL) -> Engine:
        """An engine whose transactions hold the append lock if they are marked with `WRITES`."""

    def connect_to_read(self, url: URL) -> Engine:
        """An engine that changes nothing, not even beside the database; its connections are for `store.ask`."""

    def exists(self, url: URL) -> bool:
        """Whether there is a database to open, as far as can be told without creating one."""

    def is_sound(self, connection: Connection) -> bool:
        """Whether all that was read on a connection was one state of the database."""

    def check(self, engine: Engine) -> None:
        """Raise a `TradexError` unless a ledger that is open for writing is safe in it."""

    def is_complete(self, connection: Connection) -> bool:
        """Whether all tables, indexes and guards of this release are there."""

    def create_tables(self, connection: Connection) -> None:
        """Creates the tables and guards within the transaction."""

    def insert_events(self, connection: Connection, parts: Iterable[Sequence[EventRow]]) -> None:
        """Inserts events, in parts of at least one, as fast as the driver can; asks for a part when it can take it."""

    def insert_tiles(self, connection: Connection, tiles: Sequence[Tile]) -> None:
        """Inserts tiles, at least one, in the order in which they follow each other."""

    def find(self, connection: Connection, statement: str, values: dict[str, Value]) -> Found:
        """What a statement of `schema/ledger/reads.sql` finds, as the driver has it."""

    def wait(self, url: URL, seconds: float, stopped: Event | None = None) -> None:
        """Wait that long, until it is `stopped`, or until the database tells of an event that was appended since."""

    def fault_of(self, error: Exception, *, reading: bool) -> Fault | None:
        """What an error of the driver stands for, to who only reads or to who writes; None: nobody knows."""


@cache
def _dialect(name: str) -> Dialect:
    what = f"a ledger in {name}"
    module = load(MODULES[name], what, _EXTRAS[name]) if name in _EXTRAS else import_module(MODULES[name])
    found: Dialect = module.DIALECT
    return found


def dialect_of(url: URL) -> Dialect:
    """The dialect that a URL names. Raises: `UnknownDatabaseError`, `MissingExtraError`."""
    name = url.get_backend_name()
    if name not in MODULES:
        raise UnknownDatabaseError(url)
    return _dialect(name)
