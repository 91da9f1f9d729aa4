"""What drives runs, and what a worker does between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.run import Run
from tradex_ledger.errors import RefusedError, TradexError
from tradex_ledger.lake.identity import settle
from tradex_ledger.ledger.application import WriterConflictError
from tradex_ledger.ledger.leases import Leases
from tradex_ledger.planning.context import Progress, silent
from tradex_ledger.workspace.lake import LakeCommands


@dataclass(frozen=True, slots=True)
class Worked:
    """A run that a worker had in its hands: how it ended, why it `waits`, or the error that ended its drive."""

    run_id: str
    end: str
    waits: str | None = None
    error: TradexError | None = None


class WorkCommands(LakeCommands):
    """One method a command."""

    def drive(self, run_id: str, *, progress: Progress = silent) -> Run:
        """Drive an approved backfill to its end (or until it is held), or take it up where it stopped."""
        return self._drive(run_id, "run", progress)

    def work(self, run_id: str, *, progress: Progress = silent) -> Run:
        """Drive it as a worker does: that is a right of its own."""
        return self._drive(run_id, "work", progress)

    def _drive(self, run_id: str, right: str, progress: Progress) -> Run:
        from tradex_ledger.driving.drive import drive

        self.policy.check_may(right, self.actor)
        return drive(self.execution(progress), self.find_backfill(run_id))

    def work_off(self, wait: Callable[[], bool], *, once: bool, progress: Progress = silent) -> Iterator[Worked]:
        """Drive what is approved, the most urgent first, until `wait` returns False: see `upkeep.worker.work`."""
        from tradex_ledger.upkeep.worker import WAITS, work

        self.policy.check_may("work", self.actor)
        for run_id, result in work(self.ledger, lambda found: self.work(found, progress=progress), wait, once=once):
            if not isinstance(result, TradexError):
                yield Worked(run_id, result.status)
            elif isinstance(result, WAITS):
                yield Worked(run_id, "", waits=result.message)
            else:
                yield Worked(run_id, self._end_of(run_id, result), error=result)

    def _end_of(self, run_id: str, error: TradexError) -> str:
        """How a drive ended. A refusal is no failure of the run: none is on record, and it can go on."""
        if self.ledger.get(Backfill, run_id).status == "FAILED":
            return "FAILED"
        return f"{'refused' if isinstance(error, RefusedError) else 'not driven'}: {error.message}"

    def sweep(self) -> list[str]:
        """Close requests and policies that waited too long, and record runs beyond their SLA; returns what it touched.

        A run that a driver has in its hands is left to it, and one that another process has just moved to that one.
        """
        from tradex_ledger.driving.clocks import last_at
        from tradex_ledger.planning.overlap import active_backfills

        settle(self.ledger.store, self.lake, strict=False)
        self.note_cursor_ahead()
        touched: list[str] = []
        record = self.policy_record()
        policy, now = record.policy, self.clock()
        policy.check_may("work", self.actor)
        recorded = last_at(self.ledger)
        if recorded is not None and record.expire(now=recorded, policy=policy, by=self.actor):
            with suppress(WriterConflictError):
                self.ledger.append(record)
                touched.append(record.id)
        driven = Leases(self.ledger.engine).living()
        for backfill in (found for found in active_backfills(self.ledger) if found.id not in driven):
            if recorded is not None and backfill.is_overdue(recorded, policy):
                # By what is on record: a clock that is wrong for an hour closes nothing.
                backfill.expire(now=recorded, policy=policy, by=self.actor)
            elif backfill.status != "RUNNING":
                backfill.note_sla(now=now, policy=policy, by=self.actor)
            if backfill.pending_events:
                with suppress(WriterConflictError):
                    self.ledger.append(backfill)
                    touched.append(backfill.id)
        return touched

    def deliver_alerts(self, right: str = "deliver") -> int:
        """Send the alerts that were not sent yet; returns how many. A worker does so by its `right` to work.

        Raises: `NotAllowedError`, `ReceiverDownError`.
        """
        from tradex_ledger.upkeep.alerts import deliver

        self.policy.check_may(right, self.actor)
        return deliver(self.execution(), self.settings.alert_urls)
