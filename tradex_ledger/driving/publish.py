"""Publication: every candidate of a run becomes current in one save, or none does.

The order of things, and what a crash means at each step:

1. read the datasets (the locks), then the base position, then the catalog as of it;
2. look at the policy of now; bring the plan up to the base: newer days, and days that what the run appended leads to,
   join the closure (`PlanExtended`), unless the rule that approved it does not reach so far (`Held`);
3. compare each candidate's inputs with the catalog; rebuild just those that moved;
4. one save: Run.Published, Dataset.Published of each dataset, the closing event, and the state where it moves;
5. the lake's marker, which says how far its ledger has come.

A crash before 4 leaves candidates, which a resumed drive compares again in 3. After 4 the run is done; a marker that is
not there then is laid by the next command that writes (`identity.py`). When another
run published in between, the save of 4 conflicts with nothing stored, and we are back at 1 with a fresh base: no
update is ever lost.
"""

from __future__ import annotations

from tradex_ledger.datasets.definition import Definition
from tradex_ledger.datasets.graph import affected, days_of, windows
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.base import Aggregate
from tradex_ledger.domain.day import Day, day_of, later
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.partition import PartitionVersion
from tradex_ledger.domain.pipeline_state import PipelineState, stream_of
from tradex_ledger.domain.plan import Window
from tradex_ledger.domain.run import Run
from tradex_ledger.driving.execution import Bench, Execution, Prepared
from tradex_ledger.driving.fence import DrivenRun
from tradex_ledger.driving.judge import (
    check_sla,
    check_state_read,
    detect_anomalies,
    reason_for_a_person,
    reason_to_hold,
    what_came_in,
)
from tradex_ledger.driving.rebuild import Rebuild
from tradex_ledger.lake.identity import check as check_identity
from tradex_ledger.lake.identity import mark
from tradex_ledger.ledger.application import WriterConflictError
from tradex_ledger.planning.base import Base
from tradex_ledger.planning.catalog import Catalog, overlay
from tradex_ledger.planning.complete import buildable, check_complete
from tradex_ledger.planning.scope import Scope


def publish(bench: Bench, prepared: Prepared, driven: DrivenRun) -> None:
    """Make the run's candidates current. Repeats from a fresh base as long as others come first."""
    ex, scope = bench.ex, bench.ex.scope
    while True:
        base = prepared.base()
        published, versions = base.catalog, base.versions
        # Recorded as a failure: the run goes on once what it reads was backfilled.
        check_complete(scope.pipeline, published, planned_days(scope, driven), versions)
        added = days_to_add(scope, driven, published, versions)
        if (why := reason_for_a_person(scope, driven, added)) is not None:
            _hold(scope, driven, why)
            return
        if added:
            driven.run.extend_plan(added, base=base.position, reason=what_came_in(driven.run, added), by=scope.by)
            driven.append()
        rebuild_moved(bench, driven, published, versions)
        detect_anomalies(scope, driven, published)
        check_sla(scope, driven)
        why = reason_to_hold(scope, driven)
        if why is not None:
            _hold(scope, driven, why)
            return
        ex.progress("publish", 0, 1)
        try:
            _save(ex, driven, base)
        except WriterConflictError:
            continue
        ex.progress("publish", 1, 1)
        return


def _hold(scope: Scope, driven: DrivenRun, why: str) -> None:
    """Candidates stay candidates: readers have seen nothing. Releasing lets a drive come back to where it was held."""
    driven.run.hold(why=why, by=scope.by)
    driven.append()


def _save(ex: Execution, driven: DrivenRun, base: Base) -> None:
    scope = ex.scope
    check_identity(scope.ledger.store, ex.lake)  # hours may have passed since the run began
    run = driven.run
    together: list[Aggregate] = []
    unmoved: list[PipelineState] = []
    for name, summary in run.publish(base=base.position, by=scope.by).items():
        lock = base.locks[name]
        lock.publish(
            run.id,
            logic_version=summary.logic_version,
            partitions=summary.partitions,
            rows=summary.rows,
            changed=[day for day, version in run.candidates[name].items() if version.is_written],
            by=scope.by,
        )
        together.append(lock)
    if isinstance(run, Backfill):
        unmoved = check_state_read(scope, run)
        if run.request.override_state:
            state = scope.ledger.get(PipelineState, stream_of(scope.pipeline.name), "pipeline")
            run.override_state(state, policy=scope.policy, host=ex.executor.host, by=scope.by)
            together.append(state)
        run.complete(by=scope.by)
    else:
        run.succeed(by=scope.by)
        state = scope.ledger.get(PipelineState, stream_of(run.pipeline), "pipeline")
        state.advance(run, by=scope.by)
        together.append(state)
    saved = driven.append(*together, unmoved=unmoved)
    mark(scope.ledger.store, ex.lake, saved)


def planned_days(scope: Scope, driven: DrivenRun) -> dict[str, set[Day]]:
    """The days (ordinals) of each dataset that a run builds."""
    return {name: days_of(driven.run.windows, name) for name in scope.pipeline.definitions}


def last_day_of(driven: DrivenRun, published: Catalog) -> Day:
    """The last day there is: of any partition, or of the run's own range."""
    run = driven.run
    own = later(day_of(run.cursor_to), -1) if isinstance(run, IncrementalRun) else run.request.last
    return max([own, *published.days()[-1:]])


def days_to_add(scope: Scope, driven: DrivenRun, published: Catalog, versions: dict[str, int]) -> list[Window]:
    """The days to be taken into the plan: newer ones, where other runs published meanwhile, and those, of any age, that
    what the run appended leads to, since a row is filed under its own day."""
    run = driven.run
    last_day = last_day_of(driven, published)
    seeds = open_days(run, published)
    for name in scope.pipeline.definitions:
        seeds.setdefault(name, set()).update(days_of(run.windows, name))
    closure = affected(scope.pipeline, seeds, last_day=last_day)
    planned = planned_days(scope, driven)
    complete, _ = buildable(scope.pipeline, published, closure, planned)
    added: list[Window] = []
    for name, days in closure.items():
        definition = scope.pipeline.definitions[name]
        new = days - planned[name]
        if definition.layer in run.layers:
            added += windows(
                definition,
                _before(run, new & complete.get(name, set())),
                logic_version=versions[name],
                window_partitions=scope.policy.window_partitions,
            )
    return added


def open_days(run: Run, published: Catalog) -> dict[str, set[Day]]:
    """The days (ordinals) of what a run appended that lead to others: those that can be true, of datasets of rows."""
    return {
        name: {day for day in days if published.may_be(name, day)}
        for name, days in run.appended.items()
        if name not in published.side
    }


def _before(run: Run, days: set[Day]) -> set[Day]:
    """Of some days those that are for a run to build: one that reads the state leaves what lies at or after it."""
    bound = run.bound if isinstance(run, Backfill) else None
    return days if bound is None else {day for day in days if day < bound}


def rebuild_moved(bench: Bench, driven: DrivenRun, published: Catalog, versions: dict[str, int]) -> None:
    """Rebuild the candidates whose inputs moved since they were built, and planned days without a candidate."""
    seen = published.copy()
    overlay(seen, driven.run.candidates)
    for name, definition in bench.ex.scope.pipeline.definitions.items():
        # Again until nothing moves: in a dataset that reads its own earlier days, a rebuilt day moves the next.
        while todo := _moved(driven, definition, versions[name], published, seen):
            Rebuild(bench, driven, definition, versions[name], published, seen).run(todo)


def _moved(
    driven: DrivenRun, definition: Definition, logic_version: int, published: Catalog, seen: Catalog
) -> set[Day]:
    """The planned days of a dataset that have no candidate, or one whose inputs or output are not what they were."""
    candidates = driven.run.candidates.get(definition.name, {})
    digests, gone = seen.input_digests(definition, logic_version, candidates.keys()), published.gone
    moved = {
        day
        for day, candidate in candidates.items()
        if candidate.inputs != digests[day]
        or (gone and any(file.path in gone for file in candidate.files))
        or _stands_for_nothing(candidate, published.get(definition.name, day))
    }
    return moved | (days_of(driven.run.windows, definition.name) - candidates.keys())


def _stands_for_nothing(candidate: PartitionVersion, current: PartitionVersion | None) -> bool:
    """Whether a candidate was found identical to a version that is not the current one any more (it was reverted)."""
    return not candidate.is_written and (current is None or current.content != candidate.content)
