"""The read side: DuckDB over `events` as of a position, with `projections/*.sql` as views.

As-of is applied once, here, by limiting `events`; no projection knows of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple
from weakref import WeakKeyDictionary

import duckdb
import orjson

from tradex_ledger import lifecycle, resources
from tradex_ledger.datasets.statement import connect, shared
from tradex_ledger.errors import NotFoundError, UsageError
from tradex_ledger.ledger.ask import last_position
from tradex_ledger.ledger.columnar import create_events, holds_topic
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.ledger.rows import time_at
from tradex_ledger.ledger.select import Store

LIFECYCLE = "lifecycle"
"""The table of a run's life, beside `events`: see `lifecycle.py`."""
_DIGITS = 18  # of a position: no ledger has more, and Python makes no number of thousands
_AFTER_FROM = re.compile(r"\b(?:from|join)\s+(\w+)")
_OF_ALL = "-- Of every event.\n"
_TOPIC = re.compile(r"'([a-z_]+\.[a-z_]+)'")
_STEPS = re.compile(r"from lifecycle where (\w+)")
_EVERY_STEP = re.compile(r"(?:from|join) lifecycle(?! where)")
_EMPTY = re.compile(r"^-- Empty without ([a-z_.]+)\.$", re.MULTILINE)
# What is worked out in a connection already; to ask DuckDB for it costs as much as a projection does.
_PRESENT: WeakKeyDictionary[duckdb.DuckDBPyConnection, set[str]] = WeakKeyDictionary()


class _Column(NamedTuple):
    """A column of a projection, as its contract has it."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class AsOf:
    """A position, and the time (UTC) of the event at it; what every answer is a query as of."""

    position: int
    at: str | None


class NoSuchPositionError(NotFoundError):
    """The ledger does not reach to that position, or begins after that time."""

    code = "no-such-position"


def resolve(store: Store, as_of: str | None) -> AsOf:
    """Turn `--as-of` (a position, a day, a time; None: now) into a position. Times are UTC.

    A day means its end: everything that happened on it is included. Raises `NoSuchPositionError`, `UsageError`.
    """
    newest = last_position(store)
    if as_of is None:
        position = newest
    elif as_of.isdecimal():
        position = int(as_of) if len(as_of) <= _DIGITS else newest + 1
    else:
        position = last_position(store, at=_time(as_of))
    if position > newest or (position < 1 and as_of is not None):
        raise NoSuchPositionError(
            f"there is nothing as of {as_of!r}: the ledger holds the positions 1 to {newest}",
            mend="see what happened when: tradex audit log",
        )
    return AsOf(position, time_at(store, position, newest))


def _time(value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
        if len(value) == len("2026-01-10"):
            moment = moment.replace(hour=23, minute=59, second=59, microsecond=999_999)
        return format_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):  # in UTC it would be of the year 0, or 10000
        raise UsageError(
            f"{value!r} is no position and no time",
            mend="give a position (--as-of 120), a day (--as-of 2026-01-10) or a time (--as-of 2026-01-10T12:00:00Z)",
        ) from None


def projection_names() -> list[str]:
    """The projections there are, one SQL file each."""
    return sorted(name.removesuffix(".sql") for name in resources.names("projections") if name.endswith(".sql"))


@cache
def _projection_sql(name: str) -> str:
    return resources.read_text("projections", f"{name}.sql")


def open_views(store: Store, as_of: AsOf, *only: str) -> duckdb.DuckDBPyConnection:
    """A private DuckDB with `events` as of the position. Projections are added as they are asked for.

    With names of projections, `only` those will be asked: no other events are read than theirs.
    """
    connection = connect()
    create_events(connection, store, as_of.position, topics_of(*only) if only else ())
    return connection


@contextmanager
def shared_views(store: Store, as_of: AsOf, *only: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same for questions of ours alone, at a fifteenth of what it costs to open (`statement.shared`)."""
    with shared() as connection:
        create_events(connection, store, as_of.position, topics_of(*only) if only else ())
        yield connection


@cache
def topics_of(*names: str) -> tuple[str, ...]:
    """The topics of the events that projections follow from; () where one of them looks at every event.

    Their files name them, and those of the projections that they are written over. A test holds it that other events
    make no difference.
    """
    found: set[str] = set()
    for name in _closure(names):
        sql = _projection_sql(name)
        if _OF_ALL in sql:
            return ()
        found |= {topic for topic in _TOPIC.findall(sql) if topic in resources.event_topics()}
        found |= {step.topic for flag in _STEPS.findall(sql) for step in lifecycle.steps() if getattr(step, flag)}
        if _EVERY_STEP.search(sql):
            found |= {step.topic for step in lifecycle.steps()}
    return tuple(sorted(found))


def _closure(names: Iterable[str]) -> set[str]:
    """Projections, and all that they are written over."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        found |= waiting
        waiting = {other for name in waiting for other in _written_over(name)} - found - {LIFECYCLE}
    return found


@cache
def _written_over(name: str) -> tuple[str, ...]:
    """The projections that a projection reads. They are our own files: their words tell, no parser is started."""
    return tuple(sorted(set(_AFTER_FROM.findall(_projection_sql(name))) & {*projection_names(), LIFECYCLE}))


@cache
def _rare(name: str) -> str | None:
    """The topic without which a projection has no rows, where its file says so."""
    said = _EMPTY.search(_projection_sql(name))
    return said and said[1]


def _columns(name: str) -> str:
    """The columns of a projection with their types, as they are on record."""
    contract = orjson.loads(resources.read_text("schema", "projections", f"{name}.json"))
    columns = [_Column(**column) for column in contract["columns"]]
    return ", ".join(f'"{column.name}" {column.type}' for column in columns)


def add_projections(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
    """Work out the named projections, and those that they are written over, once each, as tables.

    Tables, since a projection is asked several times and others are written over it; the position does not move
    under a connection. What seldom has a row is not worked out where its topic is not among the events: most of what a
    projection costs in a ledger of some years is its planning.
    """
    present = _PRESENT.setdefault(connection, {"events"})

    def add(name: str) -> None:
        if name in present:
            return
        if name == LIFECYCLE:
            connection.execute(f"create table lifecycle ({lifecycle.COLUMNS}) as {lifecycle.as_values()}")
            present.add(name)
            return
        topic = _rare(name)
        if topic and not holds_topic(connection, topic):
            connection.execute(f'create table "{name}" ({_columns(name)})')
        else:
            for other in _written_over(name):
                add(other)
            connection.execute(f'create table "{name}" as {_projection_sql(name)}')
        present.add(name)

    for name in names:
        add(name)
