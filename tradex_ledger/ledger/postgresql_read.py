"""PostgreSQL as who only reads has it: psycopg alone, since importing SQLAlchemy takes longer than most answers do."""

from __future__ import annotations

import atexit
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Event, RLock, get_ident
from typing import TypeVar

import psycopg

from tradex_ledger.keyed import caches_of
from tradex_ledger.ledger.select import FORMAT, Ask, Found, Store, Value, read, spread, unhinted

T = TypeVar("T")
CONNECT_SECONDS = 10
APPLICATION = "tradex"
_HAS_TABLE = "select 1 from pg_class where oid = to_regclass(:name)"
_NAME = re.compile(r"(?<!:):(\w+)")


def find(connection: psycopg.Connection, statement: str, values: dict[str, Value]) -> Found:
    """What a statement of `schema/ledger/reads.sql` finds. Raises `psycopg.Error`."""
    wanted, single = spread(unhinted(statement), values)
    with connection.cursor(binary=True) as cursor:  # a leaf as text would be read twice
        return cursor.execute(_spoken(wanted), single).fetchall()


@lru_cache(256)
def _spoken(statement: str) -> bytes:
    """A statement as the driver wants it: `:name` is `%(name)s` to it."""
    return _NAME.sub(r"%(\1)s", statement.replace("%", "%%")).encode()


@dataclass(frozen=True, slots=True)
class PostgreSQLReader(Store):
    """A ledger in PostgreSQL, over the one connection of this process that only reads it."""

    url: str

    def ask(self, question: Callable[[Ask], T]) -> T:
        try:
            return _asked(self.url, lambda connection: _in_one_state(connection, question))
        except psycopg.Error:
            # The engine meets the same, and has the words for it; what was lost it waits for: it was there.
            from tradex_ledger.ledger.store import Database, meet, open_engine

            engine = open_engine(self.url, reading=True)
            meet(engine.url)
            return Database(self.ledger, self.caches, engine).ask(question)

    def select(self, statement: str, **values: Value) -> Found:
        with suppress(psycopg.Error):  # then it is asked again, by another connection
            return _asked(self.url, lambda connection: find(connection, statement, values))
        return self.ask(lambda ask: ask(statement, **values))

    def wait(self, seconds: float) -> None:
        wait(self.url, seconds)

    def has_table(self, name: str) -> bool:
        return bool(self.select(_HAS_TABLE, name=name))


def open_reader(url: str, workspace: Path | None) -> PostgreSQLReader | None:
    """The ledger at a URL; None where there is none that this release reads: the engine says what is wrong."""
    with suppress(psycopg.Error):
        found = _asked(url, lambda connection: find(connection, read("identity"), {}))
        if len(found) == 1 and found[0][1] == FORMAT:
            ledger = str(found[0][0])
            return PostgreSQLReader(ledger, caches_of(workspace, ledger), url)
    return None


_connections: dict[tuple[int, str], psycopg.Connection] = {}
"""By process and URL: to connect costs as much as twenty answers, and a process that was forked needs its own."""
_one_at_a_time = RLock()


def _asked(url: str, question: Callable[[psycopg.Connection], T]) -> T:
    """What a connection finds. Raises `psycopg.Error`; the next one asks another connection."""
    key = (os.getpid(), url)
    with _one_at_a_time:
        connection = _connections.get(key)
        if connection is None or connection.closed:
            connection = _connections[key] = _connected(url)
        try:
            return question(connection)
        except psycopg.Error:
            _connections.pop(key).close()
            raise


def _in_one_state(connection: psycopg.Connection, question: Callable[[Ask], T]) -> T:
    with connection.transaction():
        return question(lambda statement, **values: find(connection, statement, values))


_listening: dict[tuple[int, int, str], psycopg.Connection] = {}
"""By process, thread and URL: what one has heard, no other hears."""
_SLICE = 0.25


def wait(url: str, seconds: float, stopped: Event | None = None) -> None:
    """Wait that long, or until an event is appended; what was told since the last time counts.

    Where nothing is told (through a pool of whole transactions, say, or while the database is lost) it waits that long.
    Within a quarter of a second it ends when it is `stopped`.
    """
    key, until = (os.getpid(), get_ident(), url), time.monotonic() + seconds
    try:
        if key not in _listening:
            _listening[key] = psycopg.connect(
                url, autocommit=True, connect_timeout=CONNECT_SECONDS, application_name=APPLICATION
            )
            _listening[key].execute("listen tradex_ledger")
            return  # what came before this, nobody would hear of: the caller looks once more
        while (left := until - time.monotonic()) > 0 and not (stopped and stopped.is_set()):
            for _ in _listening[key].notifies(timeout=min(left, _SLICE) if stopped else left, stop_after=1):
                return
    except psycopg.Error:
        if key in _listening:
            _listening.pop(key).close()
        (stopped or Event()).wait(max(0.0, until - time.monotonic()))


def _connected(url: str) -> psycopg.Connection:
    connection = psycopg.connect(
        url,
        prepare_threshold=None,
        connect_timeout=CONNECT_SECONDS,
        application_name=APPLICATION,
        autocommit=True,  # one statement sees one state by itself, in a third of the ways to the server and back
    )
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # all that a transaction reads is one state
    connection.read_only = True
    return connection


@atexit.register
def _close() -> None:
    for (process, *_), connection in (*_connections.items(), *_listening.items()):
        if process == os.getpid():
            connection.close()
