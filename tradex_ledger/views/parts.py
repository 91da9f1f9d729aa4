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
_TELLING = "dataset, layer, partition, logic_version, run_id, outcome, position, published_position"
"""What of a row of the history tells whether it is needed: no other column is looked at before that is known."""
_BEHIND = "behind"
_MERGED = "merged"
_NOW = "needed_now"
_OF_BEHIND = f"(dataset, partition) in (select (dataset, partition) from {TOUCHED}.keys)"


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
    _show(view, name, how, old, f"{schema}.again")
    return True


def add_part(view: View, name: str, how: How, old: str) -> None:
    """A view of what is kept of a part of a projection, but for what is like rows that are worked out again."""
    connection = view.connection
    view.prepare_touched(())
    view.add_others(name, how.of)
    view.add_others(how.of)
    view.prepared.add(_MERGED)
    connection.execute(f"create schema {_MERGED}")
    rest, schema = f"not {OF_TOUCHED}", TOUCHED
    if _prepare_behind(view, old):
        rest, schema = f"{rest} and not {_OF_BEHIND}", _BEHIND
    view.create(f"{_MERGED}.again", f"select {_TELLING} from ({projected.sql(how.of)})", schema)
    # All that those runs ever wrote there is among it, so that what is kept of them has no others.
    connection.execute(f"create table {_MERGED}.alike as select distinct {how.alike} from {_MERGED}.again")
    rest = f"from {old} semi join {_MERGED}.alike using ({how.alike}) where {rest}"
    connection.execute(f"create table {_MERGED}.rest as select {_TELLING} {rest}")
    connection.execute(
        f'create view {_MERGED}."{how.of}" as from {_MERGED}.rest union all by name from {_MERGED}.again'
    )
    view.create(f"{_MERGED}.needed", f"select position from ({projected.sql(name)})", _MERGED)
    now = _prepare_needed(view, how.of, schema)
    before = f"select * {rest} and position in (from {_MERGED}.needed)"
    view.create(f"{_MERGED}.part", f"{before} union all by name {now}", _NOW)
    _show(view, name, how, old, f"{_MERGED}.part")


def _show(view: View, name: str, how: How, old: str, again: str) -> None:
    """A view of what is kept of a projection, but for what is like what was worked out again, and of that."""
    rows = f"select * from {old} anti join {_MERGED}.alike using ({how.alike}) union all by name from {again}"
    view.connection.execute(f'create view main."{name}" as {rows}')
    view.parts.add(name)


def _prepare_needed(view: View, name: str, schema: str) -> str:
    """Those rows of a history that are needed, of what is worked out again, in SQL within a schema that this makes."""
    view.prepared.add(_NOW)
    view.connection.execute(f"create schema {_NOW}")
    view.connection.execute(
        f"create view {_NOW}.events as from {schema}.events where not {BUILT} or position in (from {_MERGED}.needed)"
    )
    rows = f"select * from ({projected.sql(name)}) where position in (from {_MERGED}.needed)"
    if not view.events.large:
        return rows
    large = f"from ({view.events.large}) where position in (from {_MERGED}.needed)"
    return (
        "select r.* replace (coalesce(r.files, l.files) as files, coalesce(r.inputs, l.inputs) as inputs) "
        f"from ({rows}) r left join ({large}) l using (position)"
    )


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


def ends() -> tuple[str, ...]:
    """The topics of what decides whether readers see what a run built."""
    return ("run.published", "backfill.reverted", *(step.topic for step in lifecycle.steps() if step.gives_up))
