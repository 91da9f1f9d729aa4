"""The database that holds one ledger: opening it, creating it, and transactions on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from eventsourcing.persistence import IntegrityError
from sqlalchemy import URL, Connection, Engine, insert, inspect, make_url, select
from sqlalchemy import exc as sql

from tradex_ledger import slow
from tradex_ledger.errors import BrokenLedgerError, UsageError
from tradex_ledger.keyed import caches_of
from tradex_ledger.ledger import tables
from tradex_ledger.ledger.dialects import WRITES, dialect_of
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.ledger.faults import BUSY, LOST, NOT_READABLE, NOT_WRITABLE, ONLY_READ, UNKNOWN, StoreFault
from tradex_ledger.ledger.looking import tries
from tradex_ledger.ledger.select import FORMAT, Ask, Found, Store, Value, sqlite_path
from tradex_ledger.ledger.store_errors import (
    FormatTooNewError,
    LedgerExistsError,
    NoLedgerError,
    StoreInfo,
    TablesTakenError,
)

T = TypeVar("T")

_PAUSES = (0.05, 2.0)
"""Seconds between two tries with a lost database: the first, and the longest."""
_met: set[URL] = set()
"""The databases that answered in this process."""

# Marks the engines that are for reading only.
READS = "tradex_reads"


def open_engine(url: str, *, create: bool = False, reading: bool = False) -> Engine:
    """An engine on the database at a URL such as `sqlite:////data/ledger.db`; all after `sqlite:///` is the path.

    With `reading` it changes nothing, not even beside the database, and asks for no right to write.

    Raises: `NoLedgerError` if there is no database and none is to be created; `StoreFault` if it cannot be used so;
    `UsageError` for a text that is no URL.
    """
    path = sqlite_path(url)
    try:
        parsed = URL.create("sqlite", database=str(path)) if path else make_url(url)
    except sql.ArgumentError as error:
        raise UsageError(f"{url!r} is no database URL", mend="write one such as sqlite:///PATH") from error
    dialect = dialect_of(parsed)
    try:
        if not create and not dialect.exists(parsed):
            raise NoLedgerError(parsed)
        return (
            dialect.connect_to_read(parsed).execution_options(**{READS: True}) if reading else dialect.connect(parsed)
        )
    except OSError as error:
        raise StoreFault(parsed, NOT_READABLE if reading else NOT_WRITABLE, error.strerror or error) from None


def create_store(engine: Engine, *, ledger_id: str, created_at: datetime) -> StoreInfo:
    """Creates the tables, the guards and the ledger's identity, all or nothing.

    Raises: LedgerExistsError if the database holds a ledger already.
    """
    info = StoreInfo(ledger_id, FORMAT, format_time(created_at))
    with writing(engine) as connection:
        begin_store(connection, info)
    return info


def begin_store(connection: Connection, info: StoreInfo) -> None:
    """The same within a transaction that writes, for a ledger that may have been begun elsewhere."""
    check_empty(connection)
    dialect_of(connection.engine.url).create_tables(connection)
    connection.execute(
        insert(tables.ledger).values(singleton=1, id=info.id, format=info.format, created_at=info.created_at)
    )


def check_empty(connection: Connection) -> None:
    """Raise `LedgerExistsError` where there is a ledger, `TablesTakenError` where others have tables of its names."""
    url = connection.engine.url
    if (present := _find_info(connection)) is not None:
        raise LedgerExistsError(url, present)
    if taken := set(inspect(connection).get_table_names()) & tables.NAMES:
        raise TablesTakenError(url, taken)


def complete_store(engine: Engine) -> None:
    """Adds what a ledger of an older release, or one whose guards were taken away, lacks: indexes and guards.

    Each stops what comes after it; what stands in the ledger already is held against its entry whenever it is read.
    """
    dialect = dialect_of(engine.url)
    with translated(engine):
        dialect.check(engine)
    if not read(engine, dialect.is_complete):
        with writing(engine) as connection:
            dialect.create_tables(connection)


def store_info(engine: Engine) -> StoreInfo:
    """Which ledger the database holds.

    Raises: NoLedgerError; FormatTooNewError.
    """
    info = read(engine, _find_info)
    if info is None:
        raise NoLedgerError(engine.url)
    if info.format > FORMAT:
        raise FormatTooNewError(info)
    return info


def has_ledger(engine: Engine) -> bool:
    """Whether the database holds a ledger already."""
    return read(engine, _find_info) is not None


def ledger_id(engine: Engine) -> str:
    """The identity that every entry of the ledger carries."""
    return store_info(engine).id


@dataclass(frozen=True, slots=True)
class Database(Store):
    """A ledger in any database, read through SQLAlchemy."""

    engine: Engine

    def ask(self, question: Callable[[Ask], T]) -> T:
        return read(self.engine, lambda connection: question(_asked(connection)))

    def wait(self, seconds: float) -> None:
        dialect_of(self.engine.url).wait(self.engine.url, seconds)

    def has_table(self, name: str) -> bool:
        return read(self.engine, lambda connection: inspect(connection).has_table(name))


def database(engine: Engine, workspace: Path | None = None) -> Database:
    """The ledger in a database that is open; without the folder of its workspace it has no caches.

    Raises: NoLedgerError; FormatTooNewError.
    """
    ledger = store_info(engine).id
    return Database(ledger, caches_of(workspace, ledger), engine)


@dataclass(frozen=True, slots=True)
class Open(Store):
    """A ledger as one transaction on it sees it, with what that has not saved yet."""

    connection: Connection

    def ask(self, question: Callable[[Ask], T]) -> T:
        return question(_asked(self.connection))

    def has_table(self, name: str) -> bool:
        return inspect(self.connection).has_table(name)


def _asked(connection: Connection) -> Ask:
    dialect = dialect_of(connection.engine.url)

    def ask(statement: str, **values: Value) -> Found:
        return dialect.find(connection, statement, values)

    return ask


def only_reads(engine: Engine) -> bool:
    """Whether an engine was opened for reading."""
    return bool(engine.get_execution_options().get(READS, False))


def read(engine: Engine, ask: Callable[[Connection], T]) -> T:
    """What is found in one state of the database; it is asked again if it changed while it was read without locks.

    Raises: `StoreFault` when it cannot be read, or changes each time.
    """
    return again(engine, lambda: _read(engine, ask))


def meet(url: URL) -> None:
    """Note that a database was there: when it is lost, it is worth waiting for."""
    _met.add(url)


def again(engine: Engine, work: Callable[[], T]) -> T:
    """What some work gives, tried again while a database that was there before is lost. Raises `StoreFault`.

    The work is done once, or may be done twice: what was lost may have been the answer alone.
    """
    until, pause, patience = 0.0, _PAUSES[0], dialect_of(engine.url).patience
    while True:
        try:
            done = work()
            meet(engine.url)
            return done
        except StoreFault as fault:
            now = time.monotonic()
            if fault.code != LOST.code or engine.url not in _met or 0 < until <= now:
                raise
            if not until:
                until = now + patience
                slow.tell(f"{fault.message}; it is waited for, {patience:.0f} seconds at most")
        engine.dispose()  # the other connections of the pool are lost, too
        time.sleep(pause)
        pause = min(2 * pause, _PAUSES[1])


def _read(engine: Engine, ask: Callable[[Connection], T]) -> T:
    is_sound = dialect_of(engine.url).is_sound
    for _ in tries():
        try:
            with translated(engine), engine.connect() as connection:
                try:
                    found = ask(connection)
                except (sql.DBAPIError, BrokenLedgerError):
                    if is_sound(connection):
                        raise
                    continue
                if is_sound(connection):
                    return found
        except OSError as error:
            raise StoreFault(engine.url, NOT_READABLE, error.strerror or error) from None
    raise StoreFault(engine.url, BUSY, "it changed whenever it was read")


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Raises what SQLAlchemy raises as a conflict (`IntegrityError`) or as a `StoreFault`."""
    dialect = dialect_of(engine.url)
    errors: tuple[type[Exception], ...] = (
        sql.SQLAlchemyError,
        *dialect.errors,
    )  # the latter: of the driver's own cursor
    try:
        yield
    except sql.IntegrityError as error:
        raise IntegrityError(str(error.orig)) from error
    except sql.TimeoutError as error:
        raise StoreFault(engine.url, BUSY, error) from error
    except errors as error:
        said = getattr(error, "orig", None) or error
        raise StoreFault(engine.url, dialect.fault_of(said, reading=only_reads(engine)) or UNKNOWN, said) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database and changes nothing."""
    with translated(engine), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction under the append lock: committed when the block ends, undone if it raises.

    Raises: `StoreFault` when the database only reads, or what the driver says is a fault of it.
    """
    if only_reads(engine):
        raise StoreFault(engine.url, ONLY_READ)
    saving.depth += 1
    try:
        with translated(engine), engine.execution_options(**{WRITES: True}).begin() as connection:
            yield connection
    finally:
        saving.depth -= 1


class _Saving(threading.local):
    """How many transactions that write this thread is in: signals wait for their end (`cli/signals.py`)."""

    depth = 0


saving = _Saving()


def _find_info(connection: Connection) -> StoreInfo | None:
    if not inspect(connection).has_table(tables.ledger.name):
        return None
    row = connection.execute(
        select(tables.ledger.c.id, tables.ledger.c.format, tables.ledger.c.created_at)
    ).one_or_none()
    return None if row is None else StoreInfo(row.id, row.format, row.created_at)
