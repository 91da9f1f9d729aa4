"""Questions about few: what follows from one run's events, from those of some days, or from some builds and what they
read, is worked out from them alone.

Where nothing is kept, all events are at hand, and all of it is worked out instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date

import duckdb

from tradex_ledger.ledger.ask import at_positions
from tradex_ledger.ledger.columnar import WITH_DATA
from tradex_ledger.ledger.rows import check_some
from tradex_ledger.ledger.select import read
from tradex_ledger.ledger.typed import typed
from tradex_ledger.paths import sql_text
from tradex_ledger.views import projected
from tradex_ledger.views.parts import BUILT
from tradex_ledger.views.projected import LIFECYCLE, By
from tradex_ledger.views.view import HISTORY, View

INPUTS = "asked/partition_inputs"
_KNOWN = ("dataset.registered", "dataset.logic_versioned", "dataset.files_lost")
# The days of each dataset that some builds may have read; of Bronze also those beside them, of which files are read
# again (see the projection).
_WANTED = """
    with reads as (
        select b.partition, unnest(from_json(
            v.data -> '$.reads', '[{{"dataset":"VARCHAR","first":"INTEGER","last":"INTEGER"}}]'
        )) as r
        from (
            select dataset, partition, logic_version from {schema}.older
            union all
            select dataset, partition, logic_version
            from main.events
            where position > {above} and position in (select position from {schema}.positions)
        ) b
        join main.events v
            on v.topic = 'dataset.logic_versioned' and v.dataset = b.dataset and v.logic_version = b.logic_version
    )
    select distinct
        r.dataset as dataset,
        unnest(generate_series(partition + r.first - 30, partition + r.last + 1, interval 1 day))::date as partition
    from reads
"""


def of_run(view: View, name: str, run_id: str) -> str:
    """Work out a projection of which a run's rows follow from its own stream, for one run; returns the table."""
    topics = projected.topics_of(name)
    if not view.above or not topics:
        view.add(name)
        return f'"{name}"'
    schema = f"of_run_{len(view.prepared)}"
    view.prepared.add(schema)
    rows = view.store.select(read("streams_of_topics"), streams=[run_id], topics=topics)
    entries = [row[-1] for row in check_some(view.store.ledger, rows)]
    view.connection.execute(f"create schema {schema}")
    typed(view.connection, f"create table {schema}.own as", entries, f"position <= {view.upto}")
    view.connection.execute(f"create view {schema}.events as select {WITH_DATA} from {schema}.own")
    _add_others(view, name, schema)
    view.create(f'{schema}."{name}"', projected.sql(name), schema)
    return f'{schema}."{name}"'


def _add_others(view: View, name: str, schema: str) -> None:
    """Work out what a projection is written over: what follows from the events of a run, from those of a schema."""
    for other in projected.written_over(name):
        how = projected.kept(other) if other != LIFECYCLE else None
        if how is not None and how.by is By.RUN:
            view.create(f"{schema}.{other}", projected.sql(other), schema)
        else:
            view.add(other)


def history(view: View, dataset: str, first: date, last: date) -> str:
    """Work out the history of some days of a dataset of Silver or Gold; returns the name of the table."""
    built = f"{BUILT} and dataset = {sql_text(dataset)} and partition between '{first}' and '{last}'"
    schema = f"asked_{len(view.prepared)}"
    if not view.above:
        if view.connection.execute(f"select 1 from main.events where {built} limit 1").fetchall():
            view.add(HISTORY)
            return HISTORY
        view.prepared.add(schema)
        view.connection.execute(f"create schema {schema}")
        return _nothing(view, schema)
    days = f"unnest(generate_series(date '{first}', date '{last}', interval 1 day))::date as partition"
    spans = _spans(view, f"(select {sql_text(dataset)} as dataset, {days})")
    view.gather(schema, spans, built)
    newer = f"from main.events where position > {view.above} and (not {BUILT} or {built})"
    _show(view, schema, newer, f"select {WITH_DATA} from {schema}.older")
    if not view.connection.execute(f"select 1 from {schema}.events where {built} limit 1").fetchall():
        return _nothing(view, schema)
    _add_others(view, HISTORY, schema)  # all builds of those days are there
    view.create(f"{schema}.{HISTORY}", projected.sql(HISTORY), schema)
    return f"{schema}.{HISTORY}"


def _nothing(view: View, schema: str) -> str:
    """The history of what was never built: to plan the statement would take most of its time."""
    view.connection.execute(f"create table {schema}.{HISTORY} ({projected.columns(HISTORY)})")
    return f"{schema}.{HISTORY}"


def inputs(view: View, asked: Sequence[tuple[int, int]]) -> str:
    """Work out what some builds were made of: (position of its event, base) each; returns the name of the table.

    It has the columns of `projections/asked/partition_inputs.sql`.
    """
    schema = f"inputs_{len(view.prepared)}"
    if view.above:
        _gather_inputs(view, schema, [position for position, _ in asked])
    else:
        view.prepared.add(schema)
        view.connection.execute(f"create schema {schema}")
    view.connection.execute(
        f"create or replace table {schema}.asked as "
        "select distinct unnest($1::bigint[]) as position, unnest($2::bigint[]) as base",
        [[position for position, _ in asked], [base for _, base in asked]],
    )
    view.create(f"{schema}.partition_inputs", projected.sql(INPUTS), schema)
    return f"{schema}.partition_inputs"


def _gather_inputs(view: View, schema: str, positions: Sequence[int]) -> None:
    """The events that tell what some builds were made of: they themselves, all that was built of the days they read by
    whichever run, the batches of these days, and how datasets were versioned."""
    asked, batches = f"{schema}_asked", f"{schema}_batches"
    view.events.add_older(_KNOWN)
    _add_older(view, asked, [position for position in positions if position <= view.above])
    view.connection.execute(f"create table {asked}.positions as select unnest($1::bigint[]) as position", [positions])
    view.connection.execute(f"create table {asked}.wanted as {_WANTED.format(schema=asked, above=view.above)}")
    of_wanted = f"(dataset, partition) in (select (dataset, partition) from {asked}.wanted)"
    view.gather(schema, _spans(view, f"{asked}.wanted"), f"{BUILT} and {of_wanted}")
    _add_older(view, batches, _batches(view, of_wanted))
    is_asked = f"position in (select position from {asked}.positions)"
    _show(
        view,
        schema,
        f"from main.events where (position > {view.above} or topic in {_KNOWN}) "
        f"and (not {BUILT} or {of_wanted} or {is_asked})",
        f"select {WITH_DATA} from {schema}.older",
        f"select {WITH_DATA} from {batches}.older",
        f"select {WITH_DATA} from {asked}.older where position not in (select position from {schema}.older)",
    )


def _show(view: View, schema: str, *parts: str) -> None:
    """Have parts of the events as those of a schema: as a table, since to plan over each of them costs more."""
    both = " union all ".join(parts)
    view.connection.execute(f"create table {schema}.events as select * exclude (entry) from ({both})")


def _add_older(view: View, schema: str, positions: Sequence[int]) -> None:
    """Make a table of the events at some positions, in a schema of its own."""
    view.prepared.add(schema)
    view.connection.execute(f"create schema {schema}")
    rows = sorted(at_positions(view.store, positions))
    entries = [row[-1] for row in check_some(view.store.ledger, rows)]
    typed(view.connection, f"create table {schema}.older as", entries)


def _batches(view: View, condition: str) -> list[int]:
    """The positions of older batches of Bronze, of which a condition holds."""
    asked = f"select position from {{}} where layer = 'bronze' and position <= {view.above} and {condition}"
    if (old := view.old("recent_history")) is not None:
        with suppress(duckdb.IOException):  # somebody has just taken it away
            return [position for (position,) in view.connection.execute(asked.format(old)).fetchall()]
    view.add("recent_history")
    return [position for (position,) in view.connection.execute(asked.format("recent_history")).fetchall()]


def _spans(view: View, days: str) -> list[tuple[int, int]]:
    """Where in the ledger older builds of some days stand; `days`: a relation of (dataset, partition), in SQL."""
    asked = (
        f"select distinct d.first_position, d.last_position from {{}} d join {days} w "
        "on w.dataset = d.dataset and w.partition between d.first and d.last"
    )
    if (old := view.old("run_datasets")) is not None:
        with suppress(duckdb.IOException):  # somebody has just taken it away
            return view.connection.execute(asked.format(old)).fetchall()
    view.add("run_datasets")
    return view.connection.execute(asked.format("run_datasets")).fetchall()
