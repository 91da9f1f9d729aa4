"""The incremental run: from the pipeline's cursor to a day."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta

from tradex_ledger.clock import new_id
from tradex_ledger.domain.clocks import LAG, TOLERANCE, ClockNote
from tradex_ledger.domain.day import Day, day_of, iso, later, start_of
from tradex_ledger.domain.incremental import CursorAheadError, IncrementalRun
from tradex_ledger.domain.life import ENDED
from tradex_ledger.domain.pipeline_state import stream_of as state_stream
from tradex_ledger.domain.run import Run
from tradex_ledger.driving.execution import Execution, Progress, silent
from tradex_ledger.driving.lease import held
from tradex_ledger.errors import UsageError
from tradex_ledger.ledger.application import WriterConflictError
from tradex_ledger.ledger.ask import has_topic, newest
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.planning.catalog import Catalog
from tradex_ledger.workspace.core import Core
from tradex_ledger.workspace.datasets import Datasets


class Incremental:
    """The incremental run of a workspace."""

    def __init__(self, core: Core, datasets: Datasets) -> None:
        self.core = core
        self._datasets = datasets

    def run(
        self,
        until: date | str | None = None,
        *,
        last: date | str | None = None,
        far_ahead: bool = False,
        clock_is_right: bool = False,
        progress: Progress = silent,
    ) -> Run:
        """Run the pipeline incrementally to a day, included; to yesterday unless given: today is not over.

        `until` is the other way to say it, the day after the last. An incremental run that did not end is taken up and
        finished first. `far_ahead` lets a run without a day go far beyond the newest row; a day that is named says as
        much. `clock_is_right` lets it go on, on record, under a clock that is too far from the last known time.
        Raises: `FarAheadError`, `NothingToRunError`, `ClockDoubtfulError`, `CursorAheadError`.
        """
        from tradex_ledger.driving.ahead import check_not_far_ahead, check_own_days
        from tradex_ledger.driving.drive import check_before_start, drive
        from tradex_ledger.planning.plan import check_incremental

        today = day_of(self.core.today())
        named = _last(until, last, today)
        end = today if named is None else later(named, 1)
        policy = self.core.policy
        policy.check_may("run", self.core.actor)  # whoever takes a run up finishes it, too
        self._check_cursor_not_ahead(named)
        ex = self.core.execution(progress)
        judged: set[str] = set()
        vouched = self._check_clock(ex, named, clock_is_right)
        self._datasets.register()
        prepared = ex.prepare()
        cursor_to = start_of(end)
        with held(ex, state_stream(self.core.pipeline_name)):
            unfinished = self.unfinished()
            if unfinished is not None:
                self._check_unfinished(ex, unfinished, named, far_ahead)
                self.core.ledger.append(*vouched)
                vouched = []
                finished = drive(ex, unfinished, prepared, judged)
                if self.core.state.cursor == cursor_to:
                    return finished
            cursor_from = self.core.state.cursor
            if cursor_from is not None and cursor_from < cursor_to:
                check_own_days(ex.scope, day_of(cursor_from), end)
                check_incremental(ex.scope, day_of(cursor_from), later(end, -1))
            if named is None and not far_ahead and (cursor_from or "") < cursor_to:
                catalog = ex.scope.base().catalog
                check_not_far_ahead(ex, catalog, end, cursor_from)
            check_before_start(ex, prepared, judged)
            run = IncrementalRun.start(
                new_id("run", self.core.clock()),
                pipeline=self.core.pipeline_name,
                cursor_from=cursor_from,
                cursor_to=cursor_to,
                by=self.core.actor,
                policy=policy,
                words=ex.scope.words,
            )
            self.core.ledger.append(run, *vouched)
            return drive(ex, run.id, prepared, judged)

    def missed_days(self) -> list[str]:
        """A sentence for each dataset that was given up, came back, and lacks the days in between."""
        from tradex_ledger.planning.complete import told_missed

        if not has_topic(self.core.ledger.store, "dataset.version_restored"):
            return []
        scope = self.core.scope()
        return told_missed(scope.pipeline, scope.base().catalog)

    def _check_cursor_not_ahead(self, last: Day | None) -> None:
        """Raise `CursorAheadError`, and put on record what somebody must hear of, unless a day was asked for."""
        ahead = self.note_cursor_ahead()
        if ahead is not None and last is None:
            raise CursorAheadError(*ahead, self.core.words)

    def note_cursor_ahead(self) -> tuple[str, str, str, str | None] | None:
        """Whether the cursor lies in the future: the pipeline, the cursor, the clock and where it is put back to.

        It is put on record once for each place that the cursor was moved to.
        """
        from tradex_ledger.driving.clocks import last_place_before

        now = self.core.clock()
        state = self.core.state
        if state.cursor is None or state.cursor <= format_time(now + TOLERANCE):
            return None
        clock, put_back = format_time(now), last_place_before(self.core.ledger, state.id, now)
        ahead = (self.core.pipeline_name, state.cursor, clock, put_back)
        # Of that move: who comes second conflicts, and has been heard.
        note_id = f"clock-{self.core.pipeline_name}-{state.version}"
        if not self.core.ledger.version_of(note_id):
            with suppress(WriterConflictError):
                self.core.ledger.append(
                    ClockNote.cursor_ahead(
                        note_id,
                        pipeline=self.core.pipeline_name,
                        cursor=state.cursor,
                        clock=clock,
                        put_back=put_back,
                        by=self.core.actor,
                    )
                )
        return ahead

    def note_cursor_behind(self) -> None:
        """Put on record that the cursor is days behind by a clock that is believed, once for each place where it stood.

        One that has not moved since the beginning is behind nothing.
        """
        now, is_believed = self.core.time_of_deed(self.core.policy)
        state = self.core.state
        behind = timedelta(0) if state.cursor is None else now - datetime.fromisoformat(state.cursor)
        note_id = f"clock-{self.core.pipeline_name}-{state.version}-behind"
        if behind <= LAG or not is_believed or state.cursor is None or self.core.ledger.version_of(note_id):
            return
        with suppress(WriterConflictError):  # who comes second has been heard
            self.core.ledger.append(
                ClockNote.cursor_behind(
                    note_id,
                    pipeline=self.core.pipeline_name,
                    cursor=state.cursor,
                    clock=format_time(now),
                    days=behind.days,
                    by=self.core.actor,
                )
            )

    def _check_clock(self, ex: Execution, last: Day | None, clock_is_right: bool) -> list[ClockNote]:
        """Raise `ClockDoubtfulError` before anything is recorded; returns what puts on record who says it is right."""
        from tradex_ledger.driving.clocks import ClockDoubtfulError, find_doubt, leans_on_the_clock

        if last is not None and not leans_on_the_clock(ex.scope, later(last, 1)):
            return []

        def catalog() -> Catalog:
            return replace(ex.scope, unregistered=self._datasets.unregistered()).base().catalog

        doubt = find_doubt(ex, catalog)
        if doubt is None:
            return []
        if not clock_is_right:
            raise ClockDoubtfulError(doubt)
        return [
            ClockNote.accept(
                new_id("clock", doubt.clock),
                clock=format_time(doubt.clock),
                believed=format_time(doubt.believed),
                newest_post=doubt.newest_post,
                allowed_hours=doubt.allowed_hours,
                by=self.core.actor,
            )
        ]

    def _check_unfinished(self, ex: Execution, run_id: str, last: Day | None, far_ahead: bool) -> None:
        """Raise `FarAheadError` before a run is taken up that set out when nothing said how far the rows go."""
        from tradex_ledger.driving.ahead import check_not_far_ahead

        run = self.core.ledger.get(IncrementalRun, run_id)
        end = day_of(run.cursor_to)
        allowed = far_ahead if last is None else later(last, 1) >= end
        if allowed or run.windows or any(intake.rows.name in run.appended for intake in ex.scope.intakes):
            return
        catalog = ex.scope.base().catalog
        check_not_far_ahead(ex, catalog, end, run.cursor_from, run_id)

    def unfinished(self) -> str | None:
        """The incremental run that was started and is not closed; there is one at most."""
        started = newest(self.core.ledger.store, ["incremental_run.started"])
        if started is None or self.core.ledger.get(IncrementalRun, started.stream).status in ENDED:
            return None
        return started.stream


def _last(until: date | str | None, last: date | str | None, today: Day) -> Day | None:
    """The day that is named as the last one, in either way. Raises `UsageError`: both, or one that is not over."""
    if until is not None and last is not None:
        raise UsageError(
            f"--to {iso(day_of(last))} and --until {iso(day_of(until))} both name the end of the run",
            mend=f"give one; --to is the day that is included: --to {iso(day_of(last))}",
        )
    if until is not None:
        named = later(day_of(until), -1)
    elif last is not None:
        named = day_of(last)
    else:
        return None
    if named >= today:
        raise UsageError(
            f"--to {iso(named)} {'is not over' if named == today else 'lies in the future'}: today is {iso(today)} "
            "(UTC)",
            mend=f"the last day that can be run is yesterday, which is included: --to {iso(later(today, -1))}",
        )
    return named
