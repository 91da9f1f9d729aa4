"""Commands on runs: drive, cancel, release; what a worker does, between them, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from tradex_ledger.audit.documents.listed import Listed
from tradex_ledger.audit.documents.run import RunDocument, run_document
from tradex_ledger.audit.look import Look
from tradex_ledger.audit.reader import Reader
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.run import Run
from tradex_ledger.driving.execution import Progress, silent
from tradex_ledger.driving.fence import load_run
from tradex_ledger.errors import RefusedError, TradexError
from tradex_ledger.lake.identity import settle
from tradex_ledger.ledger.application import WriterConflictError
from tradex_ledger.workspace.core import Core
from tradex_ledger.workspace.incremental import Incremental


@dataclass(frozen=True, slots=True)
class Worked:
    """A run that a worker had in its hands: how it ended, why it `waits`, or the error that ended its drive."""

    run_id: str
    end: str
    waits: str | None = None
    error: TradexError | None = None


class Runs:
    """Commands on runs of both kinds: incremental ones, and backfills while they are driven."""

    def __init__(self, core: Core, incremental: Incremental) -> None:
        self.core = core
        self._incremental = incremental

    def find(self, prefix: str) -> str:
        """The run whose id begins so. Raises: `ShortIdError`, `NoSuchStreamError`, `AmbiguousIdError`."""
        return self.core.find_run(prefix)

    def __getitem__(self, prefix: str) -> RunDocument:
        """The run whose id begins so, whole. Raises what `find` raises."""
        return run_document(Reader(self.core.ledger.store), self.find(prefix))

    def __iter__(self) -> Iterator[Listed]:
        """All runs, newest first."""
        return iter(Look(self.core.ledger.store, self.core.config, self.core.lake).runs())

    def cancel(self, run_id: str, *, reason: str) -> Run:
        """End a run before it is published."""
        run = load_run(self.core.ledger, self.core.find_run(run_id))
        if isinstance(run, IncrementalRun):
            run.cancel(reason=reason, by=self.core.actor, policy=self.core.policy, words=self.core.words)
        else:
            run.cancel(reason=reason, by=self.core.actor, policy=self.core.policy)
        self.core.ledger.append(run)
        return run

    def release(self, run_id: str, *, reason: str) -> Run:
        """Let a held run publish what was held; drive it to do so."""
        run = load_run(self.core.ledger, self.core.find_run(run_id))
        run.release(reason=reason, by=self.core.actor, policy=self.core.policy)
        self.core.ledger.append(run)
        return run

    def drive(self, run_id: str, *, progress: Progress = silent) -> Run:
        """Drive an approved backfill to its end (or until it is held), or take it up where it stopped."""
        return self._drive(run_id, "run", progress)

    def work(self, run_id: str, *, progress: Progress = silent) -> Run:
        """Drive it as a worker does: that is a right of its own."""
        return self._drive(run_id, "work", progress)

    def _drive(self, run_id: str, right: str, progress: Progress) -> Run:
        from tradex_ledger.driving.drive import drive

        self.core.policy.check_may(right, self.core.actor)
        return drive(self.core.execution(progress), self.core.find_backfill(run_id))

    def work_off(self, wait: Callable[[], bool], *, once: bool, progress: Progress = silent) -> Iterator[Worked]:
        """Drive what is approved, the most urgent first, until `wait` returns False: see `upkeep.worker.work`."""
        from tradex_ledger.upkeep.worker import work

        self.core.policy.check_may("work", self.core.actor)
        drive = partial(self.work, progress=progress)
        for run_id, result in work(self.core.ledger, drive, wait, once=once):
            yield self._worked(run_id, result)

    def _worked(self, run_id: str, result: Run | TradexError) -> Worked:
        from tradex_ledger.upkeep.worker import WAITS

        if not isinstance(result, TradexError):
            return Worked(run_id, result.status)
        if isinstance(result, WAITS):
            return Worked(run_id, "", waits=result.message)
        return Worked(run_id, self._end_of(run_id, result), error=result)

    def attempt(self, run_id: str, *, progress: Progress = silent) -> Worked:
        """Drive it as a worker does, whatever comes of that."""
        found = self.core.find_run(run_id)
        try:
            return self._worked(found, self.work(found, progress=progress))
        except TradexError as error:
            return self._worked(found, error)

    def runnable(self) -> list[str]:
        """Backfills that wait for a driver, or whose driver may be dead: by priority, then in order of request."""
        from tradex_ledger.upkeep.worker import runnable

        return runnable(self.core.ledger)

    def driver_died(self, run_id: str, *, driver: str, message: str) -> Run:
        """Record that a run's driver ended without a word, unless the run has ended, or another drives it by now."""
        from tradex_ledger.driving.drive import DriverDiedError, record_death

        self.core.policy.check_may("work", self.core.actor)
        found = self.core.find_run(run_id)
        record_death(self.core.execution(), found, DriverDiedError(found, driver, message))
        return load_run(self.core.ledger, found)

    def wait(self, seconds: float) -> None:
        """Wait that long, or until an event is appended, where the ledger's database tells of it."""
        self.core.ledger.store.wait(seconds)

    def _end_of(self, run_id: str, error: TradexError) -> str:
        """How a drive ended. A refusal is no failure of the run: none is on record, and it can go on."""
        if self.core.ledger.get(Backfill, run_id).status == "FAILED":
            return "FAILED"
        return f"{'refused' if isinstance(error, RefusedError) else 'not driven'}: {error.message}"

    def sweep(self) -> list[str]:
        """Close requests and policies that waited too long, and record runs beyond their SLA; returns what it touched.

        A run that a driver has in its hands is left to it, and one that another process has just moved to that one.
        """
        from tradex_ledger.driving.clocks import last_at
        from tradex_ledger.planning.overlap import active_backfills

        settle(self.core.ledger.store, self.core.lake, strict=False)
        self._incremental.note_cursor_ahead()
        self._incremental.note_cursor_behind()
        touched: list[str] = []
        record = self.core.policy_record()
        policy, now = record.policy, self.core.clock()
        policy.check_may("work", self.core.actor)
        recorded = last_at(self.core.ledger)
        if recorded is not None and record.expire(now=recorded, policy=policy, by=self.core.actor):
            with suppress(WriterConflictError):
                self.core.ledger.append(record)
                touched.append(record.id)
        driven = self.core.ledger.driven()
        for backfill in (found for found in active_backfills(self.core.ledger) if found.id not in driven):
            if recorded is not None and backfill.is_overdue(recorded, policy):
                # By what is on record: a clock that is wrong for an hour closes nothing.
                backfill.expire(now=recorded, policy=policy, by=self.core.actor)
            elif backfill.status != "RUNNING":
                backfill.note_sla(now=now, policy=policy, by=self.core.actor)
            if backfill.pending_events:
                with suppress(WriterConflictError):
                    self.core.ledger.append(backfill)
                    touched.append(backfill.id)
        return touched
