"""Questions about few: what follows from one run's events, or from those of some days, is worked out from them alone.

Where nothing is kept, all events are at hand, and all of it is worked out instead.
"""

from __future__ import annotations

from datetime import date

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
    view.add("run_datasets")
    spans = view.connection.execute(
        "select first_position, last_position from run_datasets where dataset = $1 and first <= $2 and last >= $3",
        [dataset, last, first],
    ).fetchall()
    schema = f"asked_{len(view.prepared)}"
    view.prepared.add(schema)
    days = f"partition between '{first}' and '{last}'"
    view.gather(schema, spans, f"{BUILT} and dataset = {sql_text(dataset)} and {days}")
    view.connection.execute(
        f"create view {schema}.events as from main.events where position > {view.above} "
        f"union all select {WITH_DATA} from {schema}.older"
    )
    view.add(LIFECYCLE)
    view.create(f"{schema}.{HISTORY}", projected.sql(HISTORY), schema)
    return f"{schema}.{HISTORY}"
