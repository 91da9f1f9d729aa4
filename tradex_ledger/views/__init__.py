"""The read side: DuckDB over `events` as of a position, with `projections/*.sql` as tables.

As-of is applied once, here, by limiting `events`; no projection knows of it. Nor does any know of what is kept: where
there is a generation (`kept.py`) not above the position, a kept projection is what is kept of it, but for the rows that
later events touch. Those are worked out by its own statement, over the events that they follow from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from weakref import WeakKeyDictionary, proxy

import duckdb

from tradex_ledger import slow
from tradex_ledger.datasets.statement import connect, connect_beside, on_all_cores, shared
from tradex_ledger.ledger.select import Store
from tradex_ledger.ledger.tail import Use, held
from tradex_ledger.views import days, few, projected
from tradex_ledger.views.as_of import Asked, AsOf, NoSuchPositionError, begun, between, is_past, resolve
from tradex_ledger.views.kept import NOTHING, Generation, Generations
from tradex_ledger.views.view import View

__all__ = [
    "AsOf",
    "Asked",
    "NoSuchPositionError",
    "add_calendar",
    "add_events",
    "add_history",
    "add_inputs",
    "add_of_run",
    "add_projections",
    "begin_projections",
    "begun",
    "beside",
    "between",
    "files_of",
    "is_past",
    "open_view",
    "open_views",
    "resolve",
    "shared_views",
    "suppose",
    "views_beside",
]

# What was opened here; to ask DuckDB what is in a connection costs as much as a projection does.
_OPEN: WeakKeyDictionary[duckdb.DuckDBPyConnection, View] = WeakKeyDictionary()


def open_views(store: Store, as_of: AsOf, *only: str) -> duckdb.DuckDBPyConnection:
    """A private DuckDB with `events` as of the position. Projections are added as they are asked for.

    With names of projections, `only` those will be asked: no other events are read than theirs.
    """
    return _opened(connect(), store, as_of, only)


@contextmanager
def shared_views(store: Store, as_of: AsOf, *only: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same for questions of ours alone, at a fifteenth of what it costs to open (`statement.shared`)."""
    with shared() as connection, held(connection) as use:
        view = _viewed(connection, store, as_of, only, use)
        try:
            yield connection
        finally:
            view.close()


def beside(as_of: AsOf) -> str:
    """What the database of `views_beside` is called within the statement of the connection that it is beside."""
    return f"at_{as_of.position}"


@contextmanager
def views_beside(
    connection: duckdb.DuckDBPyConnection, store: Store, as_of: AsOf
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same in a database of its own beside that of a connection, for one that asks as of several positions."""
    with connect_beside(connection, beside(as_of)) as cursor:
        yield _opened(cursor, store, as_of, ())


def open_whole(store: Store, as_of: AsOf) -> View:
    """A private DuckDB for who asks for all that there is as of a position."""
    return open_view(store, as_of.position, _newest(store, as_of.position))


def open_view(store: Store, upto: int, generation: Generation | None, topics: tuple[str, ...] = ()) -> View:
    """A private DuckDB likewise, over one generation; over none all is worked out from zero."""
    connection = connect()
    _OPEN[connection] = view = View(connection, store, upto, generation, topics)
    return view


def _opened(
    connection: duckdb.DuckDBPyConnection, store: Store, as_of: AsOf, only: tuple[str, ...]
) -> duckdb.DuckDBPyConnection:
    _viewed(connection, store, as_of, only)
    return connection


def _viewed(
    connection: duckdb.DuckDBPyConnection, store: Store, as_of: AsOf, only: tuple[str, ...], use: Use | None = None
) -> View:
    topics = projected.topics_of(*only) if only else ()
    generation = _newest(store, as_of.position)
    # By a weak one: else what is known of a connection would keep it for ever.
    _OPEN[connection] = view = View(proxy(connection), store, as_of.position, generation, topics, use)
    return view


def _newest(store: Store, upto: int) -> Generation | None:
    """The newest generation not above a position; those that are due are made first."""
    kept = Generations(store)
    found = kept.newest(upto)
    while kept.is_due(upto, found):
        slow.reading(found.position if found is not None else 0, upto)
        made = _make(store, kept, kept.next(upto, found), found)
        if made is None:
            break
        found = made
    return found


def _make(store: Store, kept: Generations, position: int, before: Generation | None) -> Generation | None:
    """The generation of a position, from the one before."""
    with connect() as connection:
        connection.execute("set parquet_metadata_cache = true")  # one statement after the other reads the same files
        view = View(connection, store, position, before or NOTHING)
        on_all_cores(connection)
        view.hold_all()
        for name in projected.all_kept():
            view.add(name)
        return kept.write(connection, position)


def add_projections(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
    """Work out the named projections, and those that they are written over, once each, as tables.

    Tables, since a projection is asked several times and others are written over it; the position does not move
    under a connection. What seldom has a row is not worked out where its topic is not among the events: most of what a
    projection costs in a ledger of some years is its planning.
    """
    view, wanted = _OPEN[connection], list(names)
    view.add_all(wanted)
    for name in wanted:
        slow.detail(f"{name} is worked out as of {view.upto}, over what is kept as of {view.above}")


def begin_projections(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
    """Have projections worked out beside what comes next, those first that take longest: through a connection of
    `shared_views`. Who adds one later waits for it."""
    _OPEN[connection].begin(names)


def add_events(connection: duckdb.DuckDBPyConnection) -> None:
    """Have all events in `events`."""
    _OPEN[connection].all_events()


def suppose(connection: duckdb.DuckDBPyConnection, entries: list[str]) -> None:
    """Have events in `events` that did not happen, behind those that did: what is worked out then is what would be.

    Before anything else is asked of the connection.
    """
    _OPEN[connection].events.suppose(entries)


def files_of(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The files that are read when what there is in a connection is asked."""
    return _OPEN[connection].files()


def add_history(connection: duckdb.DuckDBPyConnection, dataset: str, first: date, last: date) -> str:
    """Work out the history of some days of a dataset of Silver or Gold; returns the name of the table.

    It has the columns of `partition_history`; what else is in it is not all that there is of other days.
    """
    return few.history(_OPEN[connection], dataset, first, last)


def add_calendar(connection: duckdb.DuckDBPyConnection, first: date, last: date) -> str:
    """Work out the calendar of some days, both included; returns the name of the table. See `days.py`."""
    return days.calendar(_OPEN[connection], first, last)


def add_of_run(connection: duckdb.DuckDBPyConnection, name: str, run_id: str) -> str:
    """Work out a projection of which a run's rows follow from its own stream, for one run; returns the table's name.

    What else is in the table is not all that there is of other runs.
    """
    return few.of_run(_OPEN[connection], name, run_id)


def add_inputs(connection: duckdb.DuckDBPyConnection, asked: Sequence[tuple[int, int]]) -> str:
    """Work out what some builds of Silver or Gold were made of; returns the name of the table.

    Each is named by the position of its event, with the base to look from: that of its event, or a later position (what
    it would be made of then). The columns are those of `projections/asked/partition_inputs.sql`.
    """
    return few.inputs(_OPEN[connection], asked)
