"""The driver: it reacts to a run's own events, one step after the other, until the run is closed.

Recovery is the normal path: to resume is to drive again. Whatever a dead driver left is either an event, and counts,
or a file that no event names, and is harmless.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from tradex_ledger.datasets.graph import affected, days_of, windows
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import day_of, later, span
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.plan import LAYERS, count_partitions
from tradex_ledger.domain.run import PUBLICATION, Run
from tradex_ledger.driving.ahead import check_run_size
from tradex_ledger.driving.engine import check_engine
from tradex_ledger.driving.extract import asked_by, extract, extraction_of
from tradex_ledger.driving.fence import DrivenRun, EndedMeanwhileError, FencedError, load_run
from tradex_ledger.driving.judge import check_sla, check_state_read
from tradex_ledger.driving.lease import held, quota, still_holds
from tradex_ledger.driving.publish import last_day_of, planned_days, publish
from tradex_ledger.driving.rebuild import Rebuild
from tradex_ledger.errors import ConflictError, EnvironmentFault, RefusedError, TradexError
from tradex_ledger.lake.storage import translate
from tradex_ledger.planning.base import logic_versions
from tradex_ledger.planning.catalog import overlay
from tradex_ledger.planning.complete import check_complete
from tradex_ledger.planning.context import Execution
from tradex_ledger.planning.overlap import check_no_earlier_overlap


def drive(ex: Execution, run_id: str) -> Run:
    """Drive a run to its end (or until it is held). Returns it; one that is closed already is returned as it is.

    Raises: what stopped it, recorded as LayerFailed and Failed when the ledger can still be written; `ConflictError`
    when another process drives it.
    """
    run = load_run(ex.ledger, run_id)
    if run.status == "SUCCESS":
        return run
    run.check_startable()
    ex.prepare()
    if isinstance(run, Backfill):
        check_plan_holds(ex, run)
        if run.attempt == 0:
            check_no_earlier_overlap(ex.ledger, run)
        ex.policy.check_may_start(run_id, run.request.priority, ex.clock())
    check_writable(ex, run)
    with held(ex, run_id), quota(ex, run):
        check_engine(ex, built_by(ex, run))
        driven = DrivenRun(ex.ledger, run_id)
        try:
            with _staging(ex, run_id):
                while driven.run.status not in ("SUCCESS", "HELD"):
                    _step(ex, driven)
                    check_sla(ex, driven)
        except (ConflictError, EndedMeanwhileError):
            raise
        except TradexError as error:
            record_failure(ex, run_id, error)
            raise
        except (OSError, duckdb.Error) as error:
            fault = translate(error, f"driving {run_id}")
            record_failure(ex, run_id, fault)
            raise fault from error
        return driven.run


@contextmanager
def _staging(ex: Execution, run_id: str) -> Iterator[None]:
    """A staging folder for the length of the block. Who is interrupted leaves it to the next drive, which wipes it."""
    ex.staging = ex.lake.new_staging(run_id, ex.token)
    try:
        yield
    except (KeyboardInterrupt, RuntimeError):  # the second is how DuckDB tells of a Ctrl-C
        ex.pool.kill()
        raise
    finally:
        if not ex.pool.was_killed:
            ex.lake.drop_staging(ex.staging)


def built_by(ex: Execution, run: Run) -> set[str]:
    """The datasets that a run builds, or may yet: what it plans, and what reads that; an incremental run builds all."""
    definitions = ex.pipeline.definitions
    if not isinstance(run, Backfill):
        return set(definitions)
    found = {window.dataset for window in run.windows}
    for definition in definitions.values():  # upstream first
        if any(read.dataset in found for read in definition.reads):
            found.add(definition.name)
    return found


def check_before_start(ex: Execution) -> None:
    """Raise before an incremental run is recorded at all, when it would be refused to write or to compute."""
    for dataset in ex.locks().values():
        dataset.check_writable()
    check_engine(ex, ex.pipeline.definitions)


class PlanOutdatedError(RefusedError):
    """What was approved is not what would run."""

    code = "plan-outdated"

    def __init__(self, run_id: str, planned: str, current: str) -> None:
        super().__init__(
            f"{run_id} was planned for {planned}, and now it is {current}",
            mend=f"cancel it (tradex backfill cancel {run_id} --reason …) and request it again",
        )


def check_writable(ex: Execution, run: Run) -> None:
    """Raise `DeprecatedVersionError` or `ProtectedError` before any work when the run would write what it may not."""
    locks = ex.locks()
    planned = {window.dataset for window in run.windows}
    for name, dataset in locks.items():
        if name in planned or not isinstance(run, Backfill):
            dataset.check_writable()
    gone = sorted(planned - locks.keys())
    if gone:  # of a backfill, its plan has told already
        raise PlanOutdatedError(run.id, f"{', '.join(gone)}, too", "not in the pipeline")
    for window in run.windows if isinstance(run, Backfill) else ():
        locks[window.dataset].check_unprotected(window.first, window.last)


def check_plan_holds(ex: Execution, run: Backfill) -> None:
    """Raise unless what would run is what was approved, and still may be.

    Raises: `PlanOutdatedError` for logic with a new version, or another source; `ApprovalOutdatedError`.
    """
    assert run.plan is not None  # it was approved
    versions = logic_versions(ex.locks())
    for name, pin in run.plan.definitions.items():
        version = pin.logic_version
        if versions.get(name) != version:
            now = f"version {versions[name]}" if name in versions else "not in the pipeline"
            raise PlanOutdatedError(run.id, f"version {version} of {name}", now)
    asked = asked_by(ex, run)
    if run.plan.source is not None and not ex.are_meant(asked, run.plan.source):
        raise PlanOutdatedError(run.id, f"the source {run.plan.source}", ex.described(asked))
    run.check_still_allowed(ex.policy)
    check_state_read(ex, run)


def refusal(ex: Execution, run: Backfill) -> RefusedError | None:
    """Why a backfill would be refused if it were driven now; None when nothing of its own stands in the way."""
    if run.plan is None:
        return None
    try:
        check_plan_holds(ex, run)
        check_writable(ex, run)
        if run.attempt == 0:
            check_no_earlier_overlap(ex.ledger, run)
    except RefusedError as error:
        return error
    return None


def _step(ex: Execution, driven: DrivenRun) -> None:
    """What comes next, told by the run's own state alone."""
    stage = driven.run.next_stage()
    if stage != PUBLICATION or driven.run.status != "RUNNING":
        extraction = extraction_of(ex, driven.run) if stage == LAYERS[0] else None
        driven.run.start_layer(stage, executor=ex.facts, extraction=extraction, by=ex.by)
        driven.append()
    if stage == PUBLICATION:
        publish(ex, driven)
        return
    started = ex.stopwatch()
    source: dict[str, Any] | None = None
    if stage == LAYERS[0]:
        source = extract(ex, driven, extraction_of(ex, driven.run))
        _plan_incremental(ex, driven)
    else:
        _rebuild_layer(ex, driven, stage)
    driven.run.complete_layer(duration_ms=ex.elapsed_ms(started), source=source, by=ex.by)
    driven.append()


def _plan_incremental(ex: Execution, driven: DrivenRun) -> None:
    """An incremental run plans once Bronze is there: every day of its range, and the closure of what was appended."""
    run = driven.run
    if not isinstance(run, IncrementalRun) or run.windows:
        return
    base = ex.base(unbumped=True)
    published, versions = base.catalog, base.versions
    last_day = last_day_of(driven, published)
    appended = {
        name: {day for day in days if published.may_be(name, day)}
        for name, days in run.appended.items()
        if name not in published.side
    }
    sources = [intake.rows.name for intake in ex.intakes]
    known = {day for name in sources for day in published.current.get(name, ()) if published.may_be(name, day)}
    first = day_of(run.cursor_from) if run.cursor_from else min(known, default=later(last_day, 1))
    own_days = set(span(first, day_of(run.cursor_to) - 1))
    changed = {**appended, **{name: own_days | appended.get(name, set()) for name in sources}}
    closure = affected(ex.pipeline, changed, last_day=last_day)
    for definition in ex.pipeline.definitions.values():
        closure[definition.name] = closure.get(definition.name, set()) | own_days
    found = []
    for definition in ex.pipeline.definitions.values():
        if definition.layer != LAYERS[0]:
            found += windows(
                definition,
                closure[definition.name],
                logic_version=versions[definition.name],
                window_partitions=ex.policy.window_partitions,
            )
    check_run_size(ex, count_partitions(found), first, day_of(run.cursor_to), run.id)
    run.extend_plan(found, base=published.position, reason="the days of the run", by=ex.by)
    driven.append()


def _rebuild_layer(ex: Execution, driven: DrivenRun, layer: str) -> None:
    """Give every planned partition of the layer a candidate, upstream datasets first."""
    base = ex.base(unbumped=True)
    published, versions = base.catalog, base.versions
    if published.lost:  # before files are looked for that are not there
        check_complete(ex.pipeline, published, planned_days(ex, driven), versions)
    seen = published.copy()
    overlay(seen, driven.run.candidates)
    for definition in ex.pipeline.layer(layer):
        todo = days_of(driven.run.windows, definition.name) - driven.run.candidates.get(definition.name, {}).keys()
        Rebuild(ex, driven, definition, versions[definition.name], published, seen).run(todo)


def record_failure(ex: Execution, run_id: str, error: TradexError) -> None:
    """Put the failure on record (N34). When even that fails, the error itself says enough: the run stays resumable.

    Raises: `FencedError` when another driver has taken the run over. What fails here then (its staging is gone, say)
    is no failure of the run, and recording it would fence off the one that drives it now.
    """
    try:
        driven = DrivenRun(ex.ledger, run_id)
        if driven.run.status != "RUNNING":
            return
        if not still_holds(ex, run_id):
            raise FencedError(run_id) from error
        driven.run.fail_layer(
            error=error.code,
            message=error.message,
            dataset=getattr(error, "dataset", None),
            partition=getattr(error, "partition", None),
            by=ex.by,
        )
        driven.run.fail(reason=error.message, by=ex.by)
        driven.append()
    except FencedError:
        raise
    except (ConflictError, EnvironmentFault) as unrecorded:
        error.add_note(f"the failure could not be recorded: {unrecorded.message}")
