"""What stands of a history, and what follows from that: kept, but for what is like rows that are worked out again.

Of those rows few columns tell which are needed; the large ones are carried along by these alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradex_ledger import lifecycle
from tradex_ledger.ledger.columnar import WITH_DATA
from tradex_ledger.views import projected
from tradex_ledger.views.projected import How

if TYPE_CHECKING:
    from tradex_ledger.views.view import View

TOUCHED = "touched"
OF_TOUCHED = f"run_id in (select run_id from {TOUCHED}.run_ids)"
REBUILT = "run.partition_rebuilt"
BUILT = f"topic = '{REBUILT}'"
LARGE = "files, inputs"
"""What of a build is as its event has it, and large: it is looked up for the few builds that are needed after all."""
_BEHIND = "behind"
_MERGED = "merged"
_OF_BEHIND = f"(dataset, partition) in (select (dataset, partition) from {TOUCHED}.keys)"
_OLD = f"anti join {_MERGED}.again using (position)"
_AGAIN = f"position in (select position from {_MERGED}.needed semi join {_MERGED}.again using (position))"
"""Of the few that are needed, not of all: the rest need not be read."""


def add_over(view: View, name: str, how: How, old: str) -> bool:
    """A view of what is kept of a projection over such a part; False where it has to be worked out anew."""
    view.include(how.of)
    if how.of not in view.parts or any(view.events.holds(topic) for topic in how.anew):
        return False
    view.add_others(name)
    if (topics := projected.own_topics(name)) is not None:
        view.events.add_older(topics)
    schema = f"over_{name}"
    view.prepared.add(schema)
    view.connection.execute(f"create schema {schema}")
    view.connection.execute(f'create view {schema}."{how.of}" as from {_MERGED}.part')
    view.create(f"{schema}.again", projected.sql(name), schema)
    view.connection.execute(
        f'create view main."{name}" as select * from {old} where not {_alike(how.alike)} '
        f"union all by name from {schema}.again"
    )
    view.parts.add(name)
    return True


def add_part(view: View, name: str, how: How, old: str) -> None:
    """A view of what is kept of a part of a projection, but for what is like rows that are worked out again."""
    view.prepare_touched(())
    view.add_others(name, how.of)
    view.add_others(how.of)
    view.prepared.add(_MERGED)
    view.connection.execute(f"create schema {_MERGED}")
    rest, schema = f"select * exclude ({LARGE}) from {old} where not {OF_TOUCHED}", TOUCHED
    if _prepare_behind(view, old):
        rest, schema = f"{rest} and not {_OF_BEHIND}", _BEHIND
    view.create(f"{_MERGED}.again", f"select * exclude ({LARGE}) from ({projected.sql(how.of)})", schema)
    # All that those runs ever wrote there is among it, so that what is kept of them has no others.
    view.connection.execute(f"create table {_MERGED}.alike as select distinct {how.alike} from {_MERGED}.again")
    is_alike = _alike(how.alike)
    view.connection.execute(
        f'create table {_MERGED}."{how.of}" as {rest} and {is_alike} union all by name from {_MERGED}.again'
    )
    view.create(f"{_MERGED}.needed", projected.sql(name), _MERGED)
    # What is large is carried along by these few alone.
    before = f"select position, {LARGE} from {old} where position in (select position from {_MERGED}.needed {_OLD})"
    large = f"{before} union all by name {_large(view, schema)}"
    view.connection.execute(f"create table {_MERGED}.part as from {_MERGED}.needed join ({large}) using (position)")
    view.connection.execute(
        f'create view main."{name}" as select * from {old} where not {is_alike} union all by name from {_MERGED}.part'
    )
    view.parts.add(name)


def _large(view: View, schema: str) -> str:
    """What is large of those rows that are worked out again, in SQL."""
    rows = f"select position, files, case when {BUILT} then inputs end as inputs from {schema}.events where {_AGAIN}"
    if not view.events.large:
        return rows
    apart = f"from ({view.events.large}) where {_AGAIN}"
    return f"{rows} and (position <= {view.above} or not {BUILT}) union all by name {apart}"


def _prepare_behind(view: View, old: str) -> bool:
    """What stood behind what was reverted since: all that was ever built of those partitions, by whichever run."""
    view.connection.execute(
        f"create table {TOUCHED}.keys as select distinct dataset, partition from {old} "
        "where layer <> 'bronze' and run_id in (select run_id from main.events "
        f"where topic = 'backfill.reverted' and position > {view.above})"
    )
    if not view.connection.execute(f"from {TOUCHED}.keys limit 1").fetchall():
        return False
    view.include("run_datasets")
    spans = view.connection.execute(
        "select distinct d.first_position, d.last_position from run_datasets d "
        f"join {TOUCHED}.keys k on k.dataset = d.dataset and k.partition between d.first and d.last"
    ).fetchall()
    view.gather(_BEHIND, spans, f"{BUILT} and {_OF_BEHIND} and not {OF_TOUCHED}")
    view.connection.execute(
        f"create view {_BEHIND}.events as from {TOUCHED}.events union all select {WITH_DATA} from {_BEHIND}.older"
    )
    return True


def _alike(columns: str) -> str:
    """The condition that a row is like one that is worked out again."""
    return f"({columns}) in (select ({columns}) from {_MERGED}.alike)"


def ends() -> tuple[str, ...]:
    """The topics of what decides whether readers see what a run built."""
    return ("run.published", "backfill.reverted", *(step.topic for step in lifecycle.steps() if step.gives_up))
