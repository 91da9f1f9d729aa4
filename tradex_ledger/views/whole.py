"""All that there is as of a position, written into another database: the events, and every projection as a table."""

from __future__ import annotations

from collections.abc import Callable

from tradex_ledger.datasets.statement import on_all_cores
from tradex_ledger.ledger.typed import FILES, among
from tradex_ledger.views import projected
from tradex_ledger.views.parts import BUILT
from tradex_ledger.views.projected import LIFECYCLE
from tradex_ledger.views.view import View

EVENTS = "ledger_events"
"""The table of the events, but for what is large and stands in their entries, too: see `as_events`."""
_LARGE = "data, files, inputs"
_HELD = "written_events"


def as_events(table: str) -> str:
    """The relation `events`, as it is in a query, over that table."""
    return f"""
        select
            * exclude (entry),
            from_json(entry::json -> '$.data.inputs', '"VARCHAR"') as inputs,
            from_json(entry::json -> '$.data.files', '{FILES}') as files,
            (entry::json -> '$.data')::json as data,
            entry
        from {table}
    """


def write_whole(view: View, to: str, told: Callable[[int, int], None]) -> None:
    """Write the events and all projections as tables of a database that is attached as `to`; hears how many of how many
    tables are there.

    A projection that is kept is brought up as for a question. Any other is worked out into its table at once, each from
    the events of its own topics: most events are builds, and few ask for those.
    """
    connection, names, table = view.connection, projected.names(), f"{to}.{EVENTS}"
    total = len(names) + 2
    view.all_events()
    on_all_cores(connection)
    connection.execute("set force_compression = 'zstd'")  # a third of the room, in less time than it takes to choose
    rows = f"select * exclude ({_LARGE}) from {projected.EVENTS} where"
    # Apart, so that who asks for others passes the builds over.
    connection.execute(f"create table {table} as {rows} {BUILT}")
    connection.execute(f"insert into {table} {rows} not {BUILT}")
    connection.execute(f"create view {_HELD} as select * exclude (data) from ({as_events(table)})")
    view.hold(_HELD)
    told(1, total)
    view.add(LIFECYCLE)
    connection.execute(f"create table {to}.{LIFECYCLE} as from main.{LIFECYCLE}")
    told(2, total)
    written: set[str] = set()
    for number, name in enumerate(names):
        _write(view, to, name, written)
        told(number + 3, total)


def _write(view: View, to: str, name: str, written: set[str]) -> None:
    if name in written:
        return
    written.add(name)
    connection, kept, table = view.connection, projected.kept(name), f'{to}."{name}"'
    for other in projected.written_over(name) if kept is None else ():
        if other != LIFECYCLE:
            _write(view, to, other, written)
    if kept is not None:
        view.add(name)
    if name in view.present:  # what is kept may have needed it before
        order = f" order by {kept.order}" if kept is not None else ""
        connection.execute(f'create table {table} as from main."{name}"{order}')
        return
    # Of others nothing says an order: more threads than one would make another at each time.
    connection.execute("set threads = 1")
    schema, topics = f"of_{name}", projected.own_topics(name)
    connection.execute(f"create schema {schema}")
    if topics:
        connection.execute(f"create view {schema}.events as from main.events where {among('topic', topics)}")
    view.create(table, projected.sql(name), schema)
    connection.execute(f'create view main."{name}" as from {table}')
    view.present.add(name)
    on_all_cores(connection)
