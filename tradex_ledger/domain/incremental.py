"""An incremental run: the only kind of run whose success moves the pipeline state (N20). No I/O here."""

from __future__ import annotations

from typing import ClassVar

from tradex_ledger.domain.base import CreatedEvent, Event, WrongStateError
from tradex_ledger.domain.day import Cursor, day_of, iso, last_before, later
from tradex_ledger.domain.life import ENDED
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.run import Run
from tradex_ledger.domain.words import NO_WORDS, Words
from tradex_ledger.errors import RefusedError, UsageError


class NoBackfillError(RefusedError):
    """That can be done with a backfill; an incremental run is taken back by its opposite."""

    code = "no-backfill"

    def __init__(self, run_id: str, status: str, cursor: str, words: Words) -> None:
        if status == "SUCCESS":
            mend = f"it is published, and its {words.row()}s stay; if its cursor went too far, {back(cursor, words)}"
        elif status in ENDED:
            mend = "it has ended, and published nothing; what it was for is done by the next: tradex run"
        else:
            mend = f"it is not published yet; to end it: tradex backfill cancel {run_id} --reason …"
        super().__init__(
            f"{run_id} is an incremental run ({status}), no backfill: it cannot be approved, rejected, paused or "
            "reverted",
            mend=mend,
        )


class NothingToRunError(UsageError):
    """The cursor already stands at or after the day asked for."""

    code = "nothing-to-run"

    def __init__(self, cursor: str, until: str, words: Words) -> None:
        super().__init__(
            f"the pipeline has already run to {last_before(cursor)}, and was asked to run to {last_before(until)}: "
            "there is nothing to run",
            mend="give a later --to; days that it has run are reprocessed by a backfill (tradex backfill request "
            f"temporal …); if the cursor stands too far, {back(cursor, words)}",
        )


def back(cursor: str | None, words: Words) -> str:
    """How a cursor is put back that a run moved too far: by the opposite of a run, with all its rules."""
    day = (cursor or "")[:10] or "YYYY-MM-DD"
    return (
        "it is put back by a forced backfill, which another person approves: tradex backfill request forced "
        f"{words.bronze} --from … --to {day} --override-state --cursor … --ticket … --reason …"
    )


class CursorAheadError(RefusedError):
    """The cursor lies in the future: a clock was wrong when it was moved, or is wrong now."""

    code = "cursor-ahead"

    def __init__(self, pipeline: str, cursor: str, clock: str, put_back: str | None, words: Words) -> None:
        super().__init__(
            f"the cursor of {pipeline} stands at {cursor[:10]}, in the future: the clock says {clock[:16]}Z; nothing "
            "is run until then, and what is delivered meanwhile stays out",
            mend=back_from_ahead(clock, put_back, words),
        )


def back_from_ahead(clock: str, put_back: str | None, words: Words) -> str:
    """How a cursor is put back that lies in the future; `put_back` is where it stood before it did."""
    moved = day_of(put_back or clock)
    cursor, day = iso(moved), iso(later(moved, -1))
    return (
        "if the clock is wrong, set it right; if it was wrong then, put the cursor back: tradex backfill request "
        f"forced {words.bronze} --from {day} --to {day} --override-state --cursor {cursor} --ticket … --reason …; "
        "another person approves it (tradex backfill approve bf-…), and once it has run (tradex backfill run bf-…), "
        "tradex run takes in what came since"
    )


class IncrementalRun(Run):
    """Started, then succeeded (with the state moved in the same save) or failed."""

    TOPIC: ClassVar[str] = "incremental_run"

    def __init__(self) -> None:
        super().__init__()
        self.pipeline: str = ""
        self.cursor_from: Cursor | None = None
        self.cursor_to: Cursor = Cursor("")

    # -- events

    class Started(CreatedEvent):
        """The pipeline set out to process what was created in [cursor_from, cursor_to)."""

        TOPIC: ClassVar[str] = "incremental_run.started"
        pipeline: str
        cursor_from: Cursor | None
        cursor_to: Cursor

        def apply(self, aggregate: IncrementalRun) -> None:
            aggregate.pipeline = self.pipeline
            aggregate.cursor_from = self.cursor_from
            aggregate.cursor_to = self.cursor_to
            aggregate.status = "APPROVED"

    class Succeeded(Event):
        """The run is done and published; the state moved with it, in one save."""

        TOPIC: ClassVar[str] = "incremental_run.succeeded"
        totals: dict[str, int]

        def apply(self, aggregate: IncrementalRun) -> None:
            aggregate.status = "SUCCESS"

    class Failed(Event):
        """A drive ended with an error; the state did not move; the next `run` takes it up again."""

        TOPIC: ClassVar[str] = "incremental_run.failed"
        errors: dict[str, int]
        reason: str

        def apply(self, aggregate: IncrementalRun) -> None:
            aggregate.status = "FAILED"

    class Cancelled(Event):
        """A person ended a run that was not published; the state did not move; the next run sets out anew."""

        TOPIC: ClassVar[str] = "incremental_run.cancelled"
        reason: str

        def apply(self, aggregate: IncrementalRun) -> None:
            aggregate.status = "CANCELLED"

    # -- commands

    @classmethod
    def start(
        cls,
        run_id: str,
        *,
        pipeline: str,
        cursor_from: Cursor | None,
        cursor_to: Cursor,
        by: str,
        policy: Policy,
        words: Words = NO_WORDS,
    ) -> IncrementalRun:
        """Set out from the state's cursor. Cursors are times (UTC), the upper one excluded.

        Raises: `NothingToRunError`, `NotAllowedError`.
        """
        policy.check_may("run", by)
        if cursor_from is not None and cursor_to <= cursor_from:
            raise NothingToRunError(cursor_from, cursor_to, words)
        return cls._create(
            cls.Started, id=run_id, pipeline=pipeline, cursor_from=cursor_from, cursor_to=cursor_to, by=by
        )

    def succeed(self, *, by: str) -> None:
        """Close after publication; saved together with `PipelineState.advance`, or not at all."""
        self.check_running("closed")
        if not self.published:
            raise WrongStateError(self.id, "unpublished", "closed")
        self.trigger_event(self.Succeeded, totals=self.closing_totals().to_event(), by=by)

    def fail(self, *, reason: str, by: str) -> None:
        """Close a drive that ended with an error."""
        self.check_running("failed")
        self.trigger_event(self.Failed, errors=dict(self.errors), reason=reason, by=by)

    def cancel(self, *, reason: str, by: str, policy: Policy, words: Words = NO_WORDS) -> None:
        """End it before publication; a driver that is still at work is fenced off by this event."""
        policy.check_may("cancel", by)
        if self.status in ENDED:
            mend = f"what it published stays; if it went too far, {back(self.cursor_to, words)}"
            raise WrongStateError(self.id, self.status, "cancelled", mend if self.status == "SUCCESS" else "")
        self.trigger_event(self.Cancelled, reason=check_reason(reason), by=by)

    def check_startable(self) -> None:
        """Anything but ended or held."""
        super().check_startable()
        if self.status == "HELD":
            mend = f"look at it, then: tradex backfill release {self.id} --reason …, or cancel it"
            raise WrongStateError(self.id, self.status, "driven", mend)
