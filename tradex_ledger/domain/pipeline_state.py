"""The pipeline state: the cursor up to which the incremental pipeline has succeeded (N8, N20).

It has no command but these; that is how "state never advances implicitly" is kept. No I/O here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tradex_ledger.domain.base import Aggregate, CreatedEvent, Event
from tradex_ledger.domain.day import Cursor
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.request import RecordedRequest
from tradex_ledger.domain.run import Run
from tradex_ledger.errors import ConflictError, RefusedError

if TYPE_CHECKING:
    from tradex_ledger.domain.backfill import Backfill


class StateMovedError(ConflictError):
    """The state is no longer where the run set out from."""

    code = "state-moved"

    def __init__(self, pipeline: str, run_id: str, expected: str | None, found: str | None) -> None:
        super().__init__(
            f"{run_id} set out from the cursor {expected} of {pipeline}, which stands at {found} now",
            mend=f"cancel it (tradex backfill cancel {run_id} --reason …), then set out anew: tradex run",
        )


class StateProtectedError(RefusedError):
    """Only the success of an incremental run moves the state forward."""

    code = "state-protected"


def stream_of(pipeline: str) -> str:
    """The stream that holds a pipeline's state."""
    return f"pipeline-{pipeline}"


class PipelineState(Aggregate):
    """One pipeline's cursor: a time (UTC); everything created before it has been processed."""

    TOPIC: ClassVar[str] = "pipeline_state"

    def __init__(self) -> None:
        self.pipeline: str = ""
        self.start: Cursor | None = None
        self.cursor: Cursor | None = None

    class Opened(CreatedEvent):
        """The pipeline came into being; no cursor means: from the beginning of the source."""

        TOPIC: ClassVar[str] = "pipeline_state.opened"
        pipeline: str
        cursor: Cursor | None

        def apply(self, aggregate: PipelineState) -> None:
            aggregate.pipeline = self.pipeline
            aggregate.start = aggregate.cursor = self.cursor

    class Advanced(Event):
        """An incremental run succeeded and moved the cursor (N20)."""

        TOPIC: ClassVar[str] = "pipeline_state.advanced"
        SUPERSEDES: ClassVar[bool] = True
        run: str
        cursor_before: Cursor | None
        cursor: Cursor

        def apply(self, aggregate: PipelineState) -> None:
            aggregate.cursor = self.cursor

    class Overridden(Event):
        """A forced backfill, approved by a second person, moved the cursor (N13, N21)."""

        TOPIC: ClassVar[str] = "pipeline_state.overridden"
        SUPERSEDES: ClassVar[bool] = True
        run: str
        cursor_before: Cursor | None
        cursor: Cursor

        def apply(self, aggregate: PipelineState) -> None:
            aggregate.cursor = self.cursor

    @classmethod
    def open(cls, pipeline: str, *, cursor: Cursor | None, by: str) -> PipelineState:
        """Begin a pipeline's state."""
        return cls._create(cls.Opened, id=stream_of(pipeline), pipeline=pipeline, cursor=cursor, by=by)

    def advance(self, run: Run, *, by: str) -> None:
        """Move the cursor to where a successful incremental run ended. Saved with its Succeeded.

        Raises: `StateProtectedError` unless the run has succeeded; `StateMovedError` when it set out elsewhere.
        """
        if not isinstance(run, IncrementalRun) or run.status != "SUCCESS":
            raise StateProtectedError(f"{run.id} is no incremental run that succeeded: the state stays")
        if run.pipeline != self.pipeline:
            raise StateProtectedError(f"{run.id} is a run of the pipeline {run.pipeline}, not of {self.pipeline}")
        if run.cursor_from != self.cursor:
            raise StateMovedError(self.pipeline, run.id, run.cursor_from, self.cursor)
        self.trigger_event(self.Advanced, run=run.id, cursor_before=self.cursor, cursor=run.cursor_to, by=by)

    def override(self, backfill: Backfill, *, by: str) -> None:
        """Move the cursor to where a forced backfill declared it. Saved with its StateOverridden.

        Raises: `StateProtectedError` unless it is forced, declared the override, was approved and is published.
        """
        asked: RecordedRequest | None = getattr(backfill, "request", None)  # an incremental run has none
        allowed = asked is not None and asked.kind == "forced" and asked.override_state is True
        if not (allowed and backfill.published and backfill.approved_by and backfill.status == "RUNNING"):
            raise StateProtectedError(f"{backfill.id} is no approved and published forced backfill: the state stays")
        cursor = backfill.request.cursor
        self.trigger_event(self.Overridden, run=backfill.id, cursor_before=self.cursor, cursor=cursor, by=by)
