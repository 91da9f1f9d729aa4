"""Questions about few: what follows from one run's events, or from those of some days, is worked out from them alone.

Where nothing is kept, all events are at hand, and all of it is worked out instead.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import duckdb

from tradex_ledger.ledger.columnar import WITH_DATA, typed
from tradex_ledger.ledger.rows import check_some
from tradex_ledger.ledger.select import read
from tradex_ledger.paths import sql_text
from tradex_ledger.views import projected
from tradex_ledger.views.projected import LIFECYCLE
from tradex_ledger.views.view import BUILT, HISTORY, View


def of_run(view: View, name: str, run_id: str) -> str:
    """Work out a projection of which a run's rows follow from its own stream, for one run; returns the table."""
    topics = projected.own_topics(name)
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
    view.create(f'{schema}."{name}"', projected.sql(name), schema)
    return f'{schema}."{name}"'


def history(view: View, dataset: str, first: date, last: date) -> str:
    """Work out the history of some days of a dataset of Silver or Gold; returns the name of the table."""
    if not view.above:
        view.add(HISTORY)
        return HISTORY
    spans = _spans(view, dataset, first, last)
    schema = f"asked_{len(view.prepared)}"
    view.prepared.add(schema)
    built = f"{BUILT} and dataset = {sql_text(dataset)} and partition between '{first}' and '{last}'"
    view.gather(schema, spans, built)
    view.connection.execute(
        f"create view {schema}.events as from main.events where position > {view.above} "
        f"union all select {WITH_DATA} from {schema}.older"
    )
    if not view.connection.execute(f"select 1 from {schema}.events where {built} limit 1").fetchall():
        # Nothing is: to plan the statement takes most of its time.
        view.connection.execute(f"create table {schema}.{HISTORY} ({projected.columns(HISTORY)})")
        return f"{schema}.{HISTORY}"
    view.add(LIFECYCLE)
    view.create(f"{schema}.{HISTORY}", projected.sql(HISTORY), schema)
    return f"{schema}.{HISTORY}"


def _spans(view: View, dataset: str, first: date, last: date) -> list[tuple[int, int]]:
    """Where in the ledger older builds of some days of a dataset stand."""
    asked = "select first_position, last_position from {} where dataset = $1 and first <= $2 and last >= $3"
    if (old := view.old("run_datasets")) is not None:
        with suppress(duckdb.IOException):  # somebody has just taken it away
            return view.connection.execute(asked.format(old), [dataset, last, first]).fetchall()
    view.add("run_datasets")
    return view.connection.execute(asked.format("run_datasets"), [dataset, last, first]).fetchall()
