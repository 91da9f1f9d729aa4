"""PostgreSQL: one ledger a schema (that of the connection's search path), shared by many machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from threading import Event

import psycopg
from eventsourcing.persistence import IntegrityError
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from tradex_ledger import resources
from tradex_ledger.clock import new_token
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.ledger.dialects import WRITES, Dialect, EventRow, Tile
from tradex_ledger.ledger.faults import BUSY, LOST, Fault, shown
from tradex_ledger.ledger.postgresql_read import APPLICATION, CONNECT_SECONDS, find, wait
from tradex_ledger.ledger.select import Found, Value

_DRIVER = "postgresql+psycopg"
_EVENT = ("int8", "text", "int8", "text", "text", "bytea", "text")
_TILE = ("int4", "int8", "bytea")
_CREATED = re.compile(r"^CREATE (?:OR REPLACE )?(\w+) (?:IF NOT EXISTS )?(\w+)", re.MULTILINE)
# One lock for each ledger: a database may hold some, each in a schema of its own.
# Nobody waits for ever, nobody holds it for ever, and what was told to be saved is, whatever the server's settings say.
_LOCK = """
set transaction isolation level read committed;
set local lock_timeout = '30s';
set local idle_in_transaction_session_timeout = '60s';
select set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') = 'off';
select pg_advisory_xact_lock(hashtextextended('tradex-ledger ' || current_schema(), 0));
"""
_ONE_STATE = "set transaction isolation level repeatable read"
_THERE = """
select relname from pg_class where relnamespace = quote_ident(current_schema())::regnamespace
union select proname from pg_proc where pronamespace = quote_ident(current_schema())::regnamespace
union select tgname from pg_trigger join pg_class c on c.oid = tgrelid
where c.relnamespace = quote_ident(current_schema())::regnamespace and tgenabled = 'A'
"""

_DISK = Fault("store-disk", "could not be written ({said}); the save left nothing behind", "make room on its disk")
_NO_RIGHT = Fault(
    "store-not-writable",
    "does not let this role do that: {said}",
    "ask the owner of the database, who gives rights by tradex ledger grants",
)
_MORE_RIGHTS = Fault(
    "grants", "gives a role more than it should have, and nothing was changed: {said}", "name a new role"
)
_REFUSED = Fault(
    "store-refused",
    "does not let this user in: {said}",
    "give the password by PGPASSWORD or a password file (PGPASSFILE), never in the settings",
)
_NO_DATABASE = Fault("no-database", "is not there: {said}", "make the database first (createdb NAME)")
# By SQLSTATE, which has no language. A standby that says it only reads takes over soon, or another has.
_BY_STATE = (
    *((state, BUSY) for state in ("40001", "40P01", "55P03")),
    *((state, LOST) for state in ("08", "57P", "53300", "25006", "25P03")),
    *((state, _DISK) for state in ("53100", "58")),
    *(("42501", _NO_RIGHT), ("28", _REFUSED), ("3D000", _NO_DATABASE), ("TRX01", _MORE_RIGHTS)),
)
# Who is not let in is told so by words alone.
_BY_WORDS = (
    *((words, _REFUSED) for words in ("password", "authentication", "pg_hba")),
    ("does not exist", _NO_DATABASE),
)


class UnsafeDatabaseError(EnvironmentFault):
    """A database on which two writers could have the append lock at once."""

    code = "unsafe-database"


class PostgreSQL:
    """The shared database."""

    errors: tuple[type[Exception], ...] = (psycopg.Error,)
    at_once = 128  # while the server takes in these, the next are written down
    patience = 60.0

    def connect(self, url: URL) -> Engine:
        engine = _engine(url)
        event.listen(engine, "begin", _begin)
        return engine

    def connect_to_read(self, url: URL) -> Engine:
        engine = _engine(url, poolclass=NullPool)
        event.listen(engine, "begin", lambda connection: _say(connection, f"{_ONE_STATE}, read only"))
        return engine

    def exists(self, url: URL) -> bool:
        del url
        return True  # whether it is there, who connects is told

    def is_sound(self, connection: Connection) -> bool:
        del connection
        return True

    def check(self, engine: Engine) -> None:
        _check_locks(engine)

    def is_complete(self, connection: Connection) -> bool:
        there = {row[0] for row in connection.exec_driver_sql(_THERE)}
        return there.issuperset(name for _, name in _CREATED.findall(_script()))

    def create_tables(self, connection: Connection) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(_script())  # without values, so that the server takes all statements at once
        cursor.close()

    def insert_events(self, connection: Connection, parts: Iterable[Sequence[EventRow]]) -> None:
        _copy(connection, "copy events from stdin (format binary)", _EVENT, chain.from_iterable(parts))

    def insert_tiles(self, connection: Connection, tiles: Sequence[Tile]) -> None:
        _copy(connection, "copy tiles from stdin (format binary)", _TILE, tiles)

    def find(self, connection: Connection, statement: str, values: dict[str, Value]) -> Found:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        return find(driver, statement, values)

    def wait(self, url: URL, seconds: float, stopped: Event | None = None) -> None:
        wait(url.set(drivername="postgresql").render_as_string(hide_password=False), seconds, stopped)

    def fault_of(self, error: Exception, *, reading: bool) -> Fault | None:
        del reading
        state = getattr(error, "sqlstate", None)
        if state:
            return next((fault for begin, fault in _BY_STATE if state.startswith(begin)), None)
        known = next((fault for words, fault in _BY_WORDS if words in str(error).lower()), None)
        return known or (LOST if isinstance(error, psycopg.OperationalError) else None)


DIALECT: Dialect = PostgreSQL()


def _engine(url: URL, **options: type[NullPool]) -> Engine:
    return create_engine(
        url.set(drivername=_DRIVER),
        connect_args={
            "prepare_threshold": None,  # a pool between may hand each transaction another connection
            "connect_timeout": CONNECT_SECONDS,
            "application_name": APPLICATION,
        },
        **options,
    )


def _copy(connection: Connection, statement: str, types: Sequence[str], rows: Iterable[tuple[object, ...]]) -> None:
    # Past SQLAlchemy: a statement a row would ask each guard as many times.
    cursor = connection.connection.cursor()
    try:
        with cursor.copy(statement) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
    except psycopg.IntegrityError as error:
        raise IntegrityError(str(error)) from error
    finally:
        cursor.close()


def _begin(connection: Connection) -> None:
    # With the lock first, so that whoever has it sees all that was saved before: at another level, what there was
    # before it waited.
    writes = connection.get_execution_options().get(WRITES, False)
    _say(connection, _LOCK if writes else _ONE_STATE)


def _say(connection: Connection, statements: str) -> None:
    connection.execution_options(no_parameters=True).exec_driver_sql(statements)


def _check_locks(engine: Engine) -> None:
    """Raise `UnsafeDatabaseError` unless the append lock keeps another connection out: some databases only say so."""
    key = int(new_token(), 16) >> 2
    with engine.connect() as one, engine.connect() as other:
        one.exec_driver_sql("select pg_advisory_xact_lock(%s)", (key,))
        if other.exec_driver_sql("select pg_try_advisory_xact_lock(%s)", (key,)).scalar_one():
            raise UnsafeDatabaseError(
                f"the locks of {shown(engine.url)} do not lock: two writers would have the ledger at once",
                mend="use PostgreSQL 16 or later, directly or through a pool of whole transactions",
            )


@cache
def _script() -> str:
    return resources.read_text("schema", "ledger", "postgresql.sql")
