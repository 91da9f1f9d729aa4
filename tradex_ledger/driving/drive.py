"""The driver: it reacts to a run's own events, one step after the other, until the run is closed.

Recovery is the normal path: to resume is to drive again. Whatever a dead driver left is either an event, and counts,
or a file that no event names, and is harmless.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import duckdb

from tradex_ledger.clock import new_token
from tradex_ledger.datasets.graph import affected, days_of, windows
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import day_of, later, span
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.plan import count_partitions
from tradex_ledger.domain.run import PUBLICATION, Run
from tradex_ledger.domain.source import Extracted
from tradex_ledger.driving.ahead import check_run_size
from tradex_ledger.driving.engine import check_engine
from tradex_ledger.driving.execution import Bench, Execution, Prepared
from tradex_ledger.driving.extract import asked_by, extract, extraction_of
from tradex_ledger.driving.fence import DrivenRun, EndedMeanwhileError, FencedError, load_run
from tradex_ledger.driving.judge import check_sla, check_state_read
from tradex_ledger.driving.lease import DrivenElsewhereError, held, quota, still_holds
from tradex_ledger.driving.publish import last_day_of, open_days, planned_days, publish
from tradex_ledger.driving.rebuild import Rebuild
from tradex_ledger.errors import ConflictError, EnvironmentFault, RefusedError, TradexError
from tradex_ledger.lake.storage import translate
from tradex_ledger.planning.base import logic_versions
from tradex_ledger.planning.catalog import overlay
from tradex_ledger.planning.complete import check_complete
from tradex_ledger.planning.overlap import check_no_earlier_overlap
from tradex_ledger.planning.scope import Scope
from tradex_ledger.sealing.on_record import check_on_record


def drive(ex: Execution, run_id: str, prepared: Prepared | None = None, judged: set[str] | None = None) -> Run:
    """Drive a run to its end (or until it is held). Returns it; one that is closed already is returned as it is.

    `prepared` and `judged` (see `check_engine`) are given by who has prepared and looked already.

    Raises: what stopped it, recorded as LayerFailed and Failed when the ledger can still be written; `ConflictError`
    when another process drives it.
    """
    scope = ex.scope
    run = load_run(scope.ledger, run_id)
    if run.status == "SUCCESS":
        return run
    run.check_startable()
    prepared = prepared or ex.prepare()
    if isinstance(run, Backfill):
        check_plan_holds(scope, run)
        if run.attempt == 0:
            check_no_earlier_overlap(scope.ledger, run)
        scope.policy.check_may_start(run_id, run.request.priority, scope.clock())
    check_writable(scope, run)
    with held(ex, run_id), quota(ex, run):
        check_engine(ex, prepared, built_by(scope, run), set() if judged is None else judged)
        driven = DrivenRun(scope.ledger, run_id)
        try:
            with _staging(ex, run_id) as staging:
                bench = Bench(ex, prepared.columns, staging)
                while driven.run.status not in ("SUCCESS", "HELD"):
                    ex.progress(run_id, *driven.run.progress())
                    _step(bench, prepared, driven)
                    check_sla(scope, driven)
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
def _staging(ex: Execution, run_id: str) -> Iterator[Path]:
    """A staging folder for the length of the block. Who is interrupted leaves it to the next drive, which wipes it.

    It is called as no other: a task of a drive that failed may still be writing in the folder of that one.
    """
    staging = ex.lake.new_staging(run_id, new_token())
    try:
        yield staging
    except (KeyboardInterrupt, RuntimeError):  # the second is how DuckDB tells of a Ctrl-C
        ex.here.kill()
        ex.pool.kill()
        raise
    finally:
        if not (ex.here.was_killed or ex.pool.was_killed):
            ex.lake.drop_staging(staging)


def built_by(scope: Scope, run: Run) -> set[str]:
    """The datasets that a run builds, or may yet: what it plans, and what reads that; an incremental run builds all."""
    definitions = scope.pipeline.definitions
    if not isinstance(run, Backfill):
        return set(definitions)
    found = {window.dataset for window in run.windows}
    for definition in definitions.values():  # upstream first
        if any(read.dataset in found for read in definition.reads):
            found.add(definition.name)
    return found


def check_before_start(ex: Execution, prepared: Prepared, judged: set[str]) -> None:
    """Raise before an incremental run is recorded at all, when it would be refused to write or to compute."""
    for dataset in ex.scope.locks().values():
        dataset.check_writable()
    check_engine(ex, prepared, ex.scope.pipeline.definitions, judged)


class PlanOutdatedError(RefusedError):
    """What was approved is not what would run."""

    code = "plan-outdated"

    def __init__(self, run_id: str, planned: str, current: str) -> None:
        super().__init__(
            f"{run_id} was planned for {planned}, and now it is {current}",
            mend=f"cancel it (tradex backfill cancel {run_id} --reason …) and request it again",
        )


def check_writable(scope: Scope, run: Run) -> None:
    """Raise `DeprecatedVersionError` or `ProtectedError` before any work when the run would write what it may not."""
    locks = scope.locks()
    planned = {window.dataset for window in run.windows}
    for name, dataset in locks.items():
        if name in planned or not isinstance(run, Backfill):
            dataset.check_writable()
    gone = sorted(planned - locks.keys())
    if gone:  # of a backfill, its plan has told already
        raise PlanOutdatedError(run.id, f"{', '.join(gone)}, too", "not in the pipeline")
    for window in run.windows if isinstance(run, Backfill) else ():
        locks[window.dataset].check_unprotected(window.first, window.last)


def check_plan_holds(scope: Scope, run: Backfill) -> None:
    """Raise unless what would run is what was approved, and still may be.

    Raises: `PlanOutdatedError` for logic with a new version, or another source; `ApprovalOutdatedError`;
    `ForgedApprovalError`.
    """
    assert run.plan is not None  # it was approved
    versions = logic_versions(scope.locks())
    for name, pin in run.plan.definitions.items():
        version = pin.logic_version
        if versions.get(name) != version:
            now = f"version {versions[name]}" if name in versions else "not in the pipeline"
            raise PlanOutdatedError(run.id, f"version {version} of {name}", now)
    asked = asked_by(scope, run)
    if run.plan.source is not None and not scope.are_meant(asked, run.plan.source):
        raise PlanOutdatedError(run.id, f"the source {run.plan.source}", scope.described(asked))
    run.check_still_allowed(scope.policy)
    check_on_record(scope.ledger.store, run)
    check_state_read(scope, run)


def refusal(scope: Scope, run: Backfill) -> RefusedError | None:
    """Why a backfill would be refused if it were driven now; None when nothing of its own stands in the way."""
    if run.plan is None:
        return None
    try:
        check_plan_holds(scope, run)
        check_writable(scope, run)
        if run.attempt == 0:
            check_no_earlier_overlap(scope.ledger, run)
    except RefusedError as error:
        return error
    return None


def _step(bench: Bench, prepared: Prepared, driven: DrivenRun) -> None:
    """What comes next, told by the run's own state alone."""
    ex, scope = bench.ex, bench.ex.scope
    stage = driven.run.next_stage()
    if stage != PUBLICATION or driven.run.status != "RUNNING":
        extraction = extraction_of(scope, driven.run) if stage == LAYERS[0] else None
        driven.run.start_layer(stage, executor=asdict(ex.executor), extraction=extraction, by=scope.by)
        driven.append()
    if stage == PUBLICATION:
        publish(bench, prepared, driven)
        return
    started = ex.stopwatch()
    source: Extracted | None = None
    if stage == LAYERS[0]:
        source = extract(bench, prepared, driven, extraction_of(scope, driven.run))
        _plan_incremental(prepared, driven)
    else:
        _rebuild_layer(bench, prepared, driven, stage)
    driven.run.complete_layer(duration_ms=ex.elapsed_ms(started), source=source, by=scope.by)
    driven.append()


def _plan_incremental(prepared: Prepared, driven: DrivenRun) -> None:
    """An incremental run plans once Bronze is there: every day of its range, and the closure of what was appended."""
    scope, run = prepared.scope, driven.run
    if not isinstance(run, IncrementalRun) or run.windows:
        return
    base = prepared.base()
    published, versions = base.catalog, base.versions
    last_day = last_day_of(driven, published)
    appended = open_days(run, published)
    sources = [intake.rows.name for intake in scope.intakes]
    known = {day for name in sources for day in published.current.get(name, ()) if published.may_be(name, day)}
    first = day_of(run.cursor_from) if run.cursor_from else min(known, default=later(last_day, 1))
    own_days = set(span(first, day_of(run.cursor_to) - 1))
    changed = {**appended, **{name: own_days | appended.get(name, set()) for name in sources}}
    closure = affected(scope.pipeline, changed, last_day=last_day)
    for definition in scope.pipeline.definitions.values():
        closure[definition.name] = closure.get(definition.name, set()) | own_days
    found = []
    for definition in scope.pipeline.definitions.values():
        if definition.layer != LAYERS[0]:
            found += windows(
                definition,
                closure[definition.name],
                logic_version=versions[definition.name],
                window_partitions=scope.policy.window_partitions,
            )
    check_run_size(scope, count_partitions(found), first, day_of(run.cursor_to), run.id)
    run.extend_plan(found, base=published.position, reason="the days of the run", by=scope.by)
    driven.append()


def _rebuild_layer(bench: Bench, prepared: Prepared, driven: DrivenRun, layer: str) -> None:
    """Give every planned partition of the layer a candidate, upstream datasets first."""
    pipeline, base = prepared.scope.pipeline, prepared.base()
    published, versions = base.catalog, base.versions
    if published.lost:  # before files are looked for that are not there
        check_complete(pipeline, published, planned_days(prepared.scope, driven), versions)
    seen = published.copy()
    overlay(seen, driven.run.candidates)
    for definition in pipeline.layer(layer):
        todo = days_of(driven.run.windows, definition.name) - driven.run.candidates.get(definition.name, {}).keys()
        Rebuild(bench, driven, definition, versions[definition.name], published, seen).run(todo)


def record_failure(ex: Execution, run_id: str, error: TradexError) -> None:
    """Put the failure on record (N34). When even that fails, the error itself says enough: the run stays resumable.

    Raises: `FencedError` when another driver has taken the run over. What fails here then (its staging is gone, say)
    is no failure of the run, and recording it would fence off the one that drives it now.
    """
    try:
        driven = DrivenRun(ex.scope.ledger, run_id)
        if driven.run.status != "RUNNING":
            return
        if not still_holds(ex, run_id):
            raise FencedError(run_id) from error
        driven.run.fail_layer(
            error=error.code,
            message=error.message,
            dataset=getattr(error, "dataset", None),
            partition=getattr(error, "partition", None),
            by=ex.scope.by,
        )
        driven.run.fail(reason=error.message, by=ex.scope.by)
        driven.append()
    except FencedError:
        raise
    except (ConflictError, EnvironmentFault) as unrecorded:
        error.add_note(f"the failure could not be recorded: {unrecorded.message}")


class DriverDiedError(TradexError):
    """A process that drove a run ended without a word."""

    code = "driver-died"

    def __init__(self, run_id: str, driver: str, message: str) -> None:
        super().__init__(f"{driver}, which drove {run_id}, ended: {message}", mend="drive it again: it resumes")


def record_death(ex: Execution, run_id: str, error: DriverDiedError) -> None:
    """Put it on record that a run's driver died. Where somebody drives the run, there is nothing to be told."""
    with suppress(DrivenElsewhereError), held(ex, run_id):
        record_failure(ex, run_id, error)
