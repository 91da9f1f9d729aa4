"""What the files of projections say of themselves: what they read, and how they are kept.

They are our own files: their words tell, no parser is started. A line of its own among the first comments says how a
projection that is asked often is brought up from what is kept of it (`kept.py`), rather than worked out from all
events:

    -- Kept by event, in order of …      each row follows from one event
    -- Kept by run, in order of …        each row is of a run (`run_id`), and follows from the events of that run
    -- Kept as sums of n, in order of …  rows are counted in `n`, the other columns are what is counted
    -- Kept over partition_history by …, in order of …
                                         those rows of that projection that are needed, whatever happens next but a
                                         revert; which they are follows from those alike in some columns (never null)
    -- Kept over recent_history by …, in order of …
                                         rows that follow from the rows of that one, so kept, that are alike
    -- Anew after topic.                 with such an event since, it is worked out anew
    -- Wide: topic.                      what rows of a run also follow from: the events of that topic, of whichever run
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from functools import cache
from typing import NamedTuple

import orjson

from tradex_ledger import lifecycle, resources

LIFECYCLE = "lifecycle"
"""The table of a run's life, beside `events`: see `lifecycle.py`."""
EVENTS = "events"
_AFTER_FROM = re.compile(r"\b(?:from|join)\s+(\w+)")
_OF_ALL = "-- Of every event.\n"
_TOPIC = re.compile(r"'([a-z_]+\.[a-z_]+)'")
_STEPS = re.compile(r"from lifecycle where (\w+)")
_EVERY_STEP = re.compile(r"(?:from|join) lifecycle(?! where)")
_EMPTY = re.compile(r"^-- Empty without ([a-z_.]+)\.$", re.MULTILINE)
_KEPT = re.compile(
    r"^-- Kept (by event|by run|as sums of (\w+)|over (\w+) by ([\w, ]+)), in order of ([\w, ]+)\.$", re.MULTILINE
)
_ANEW = re.compile(r"^-- Anew after ([a-z_.]+)\.$", re.MULTILINE)
_WIDE = re.compile(r"^-- Wide: ([a-z_.]+)\.$", re.MULTILINE)


class By(Enum):
    """How a projection is brought up from what is kept of it."""

    EVENT = "by event"
    RUN = "by run"
    SUM = "as sums of"
    OVER = "over"


class How(NamedTuple):
    """How a projection is kept: `of` is the column of its sums, or the projection that it is a part of; `alike` are the
    columns by which that part is taken, `wide` topics whose events count for rows of whichever run, `anew` those after
    which nothing that is kept counts.
    """

    by: By
    of: str
    alike: str
    order: str
    wide: tuple[str, ...]
    anew: tuple[str, ...]


class Column(NamedTuple):
    """A column of a projection, as its contract has it: its name, its DuckDB type, what it means."""

    name: str
    type: str
    meaning: str


class Contract(NamedTuple):
    """What `schema/projections` says of a projection: what a row of it is, and its columns."""

    name: str
    row: str
    columns: list[Column]


@cache
def names() -> tuple[str, ...]:
    """The projections there are, one SQL file each, sorted."""
    return tuple(sorted(name.removesuffix(".sql") for name in resources.names("projections") if name.endswith(".sql")))


@cache
def sql(name: str) -> str:
    """The statement of a projection."""
    return resources.read_text("projections", f"{name}.sql")


@cache
def topics_of(*wanted: str) -> tuple[str, ...]:
    """The topics of the events that projections follow from; () where one of them looks at every event.

    Their files name them, and those of the projections that they are written over. A test holds it that other events
    make no difference.
    """
    found: set[str] = set()
    for name in closure(wanted):
        own = own_topics(name)
        if own == ():
            return ()
        found.update(own or ())
    return tuple(sorted(found))


@cache
def own_topics(name: str) -> tuple[str, ...] | None:
    """The topics that a projection itself reads; () for all, None where it reads no events but other projections."""
    text = sql(name)
    if _OF_ALL in text:
        return ()
    found = {topic for topic in _TOPIC.findall(text) if topic in resources.event_topics()}
    found |= {step.topic for flag in _STEPS.findall(text) for step in lifecycle.steps() if getattr(step, flag)}
    if _EVERY_STEP.search(text):
        found |= {step.topic for step in lifecycle.steps()}
    return tuple(sorted(found)) if EVENTS in _AFTER_FROM.findall(text) else None


def closure(wanted: Iterable[str]) -> set[str]:
    """Projections, and all that they are written over."""
    found: set[str] = set()
    waiting = set(wanted)
    while waiting:
        found |= waiting
        waiting = {other for name in waiting for other in written_over(name)} - found - {LIFECYCLE}
    return found


@cache
def written_over(name: str) -> tuple[str, ...]:
    """The projections that a projection reads."""
    return tuple(sorted(set(_AFTER_FROM.findall(sql(name))) & {*names(), LIFECYCLE}))


@cache
def rare(name: str) -> str | None:
    """The topic without which a projection has no rows, where its file says so."""
    said = _EMPTY.search(sql(name))
    return said and said[1]


@cache
def kept(name: str) -> How | None:
    """How a projection is kept, where its file says so."""
    said = _KEPT.search(sql(name))
    if said is None:
        return None
    how, counted, over, alike, order = said.groups()
    by = By.SUM if counted else By.OVER if over else By(how)
    return How(
        by, counted or over or "", alike or "", order, tuple(_WIDE.findall(sql(name))), tuple(_ANEW.findall(sql(name)))
    )


@cache
def is_apart(name: str) -> bool:
    """Whether a projection is brought up by the events, as all that it is written over is."""
    how = kept(name)
    others = (other for other in written_over(name) if other != LIFECYCLE)
    return how is not None and how.by is not By.OVER and all(is_apart(other) for other in others)


@cache
def all_kept() -> tuple[str, ...]:
    """The projections that are kept, each behind those that it is written over."""
    found: list[str] = []

    def add(name: str) -> None:
        for other in written_over(name):
            if other != LIFECYCLE:
                add(other)
        if kept(name) and name not in found:
            found.append(name)

    for name in names():
        add(name)
    return tuple(found)


@cache
def contract(name: str) -> Contract:
    """The contract of a projection."""
    said = orjson.loads(resources.read_text("schema", "projections", f"{name}.json"))
    return Contract(said["name"], said["row"], [Column(**column) for column in said["columns"]])


def columns(name: str) -> str:
    """The columns of a projection with their types, as they are on record."""
    return ", ".join(f'"{column.name}" {column.type}' for column in contract(name).columns)


def column_names(name: str) -> str:
    """The columns of a projection, as they are on record."""
    return ", ".join(f'"{column.name}"' for column in contract(name).columns)


@cache
def nothing(name: str) -> str:
    """No row of a projection, in SQL."""
    nulls = (f'null::{column.type} as "{column.name}"' for column in contract(name).columns)
    return f"(select {', '.join(nulls)} limit 0)"
