"""What was run: runs and their layers, looks at the source, moves of the state, alerts."""

# No `from __future__ import annotations`: as texts, so many columns would each be compiled when this is loaded.
from datetime import date, datetime
from typing import NamedTuple

from tradex_ledger.relations.relation import Relation


class Run(NamedTuple):
    """A backfill or an incremental run."""

    run_id: str
    run_kind: str
    kind: str
    status: str
    subject: str
    range_from: str | None
    range_to: str
    priority: str
    override_state: bool | None
    review: bool
    request_group: str | None
    reason: str | None
    ticket: str | None
    requested_by: str
    requested_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    duration_ms: int | None
    layer: str | None
    attempts: int
    planned_partitions: int
    built_partitions: int
    written: int
    identical: int
    reused: int
    appended_rows: int
    rows: int
    bytes: int
    datasets: list[str]
    errors_by_stage: dict[str, int]
    last_error: str | None
    anomalies: int
    sla_exceeded: bool
    published_position: int | None
    position: int
    last_position: int
    approved_rule: str | None
    rejected_rows: int
    first_day: date | None
    last_day: date


class Work(NamedTuple):
    """A run that is not over: it may still publish. `for_worker`: whether a worker takes it up by itself."""

    run_id: str
    run_kind: str
    status: str
    priority: str
    for_worker: bool
    position: int


class RunStep(NamedTuple):
    """A step in the life of a run: what happened, how it stood then, who did it, and why."""

    run_id: str
    step: str
    status: str
    why: str | None
    seen: int | None
    by: str
    at: datetime
    position: int


class RunLayer(NamedTuple):
    """A layer of a run, or its publication."""

    run_id: str
    layer: str
    status: str
    attempts: int
    started_at: datetime
    completed_at: datetime | None
    partitions: int
    rows: int
    bytes: int
    duration_ms: int | None
    errors: int
    last_error: str | None
    extraction: str | None
    source: str | None


class SourceLook(NamedTuple):
    """A look at the source."""

    run_id: str | None
    source: str
    cursor_from: str | None
    cursor_to: str
    files: int
    lines: int
    posts: int
    outside: int
    rejected: int
    undated: int
    controls: int
    beyond: int
    odd: str
    newest: date | None
    passed_over: int
    passed_over_why: str
    late_posts: int | None
    late_first: date | None
    late_last: date | None
    late_rejected: int | None
    by: str
    at: datetime
    position: int
    late_days: int | None
    late_dataset: str | None
    late_by_day: str | None


class PipelineState(NamedTuple):
    """Where a pipeline stands."""

    pipeline: str
    cursor: str | None
    last_move: str
    caused_by: str | None
    by: str
    moved_at: datetime
    position: int


class StateMove(NamedTuple):
    """A move of a pipeline's state."""

    pipeline: str
    stream: str
    move: str
    cursor_before: str | None
    cursor: str | None
    caused_by: str | None
    by: str
    at: datetime
    position: int


class Alert(NamedTuple):
    """What somebody must hear of."""

    position: int
    at: datetime
    run_id: str | None
    run_kind: str | None
    alert: str
    dataset: str | None
    partition: date | None
    message: str
    delivered: bool
    severity: str
    command: str
    cleared_position: int | None
    acknowledged_by: str | None
    acknowledged_why: str | None
    acknowledged_until: datetime | None


class Requested(NamedTuple):
    """What a backfill asked for, its plan, and how it moved the state, each as its event has it (JSON)."""

    run_id: str
    request: str
    plan: str | None
    override: str | None
    position: int


class PlanWindow(NamedTuple):
    """A window of the plan of a run, or of what extended that; `window` as the event has it (JSON)."""

    run_id: str
    layer: str
    dataset: str
    first: date
    last: date
    partitions: int
    extends: bool
    window: str
    number: int
    position: int


class PolicyStep(NamedTuple):
    """What was decided on a policy; its `text` where it was proposed or put on record."""

    decision: str
    digest: str
    reason: str | None
    by: str
    at: datetime
    position: int
    text: str | None


RUNS = Relation("runs", Run)
WORK = Relation("work", Work)
RUN_STEPS = Relation("run_steps", RunStep)
RUN_LAYERS = Relation("run_layers", RunLayer)
SOURCE_LOOKS = Relation("source_looks", SourceLook)
PIPELINE_STATE = Relation("pipeline_state", PipelineState)
STATE_MOVES = Relation("pipeline_state_history", StateMove)
ALERTS = Relation("alerts", Alert)
NOTICES = Relation("notices", Alert)
REQUESTS = Relation("requests", Requested)
PLAN_WINDOWS = Relation("plan_windows", PlanWindow)
POLICY_HISTORY = Relation("policy_history", PolicyStep)


def newest(count: int) -> str:
    """The newest runs, as a condition: which they are is found in one column, and of these few the others are read."""
    return f"position in (select position from runs order by position desc limit {count:d}) order by position desc"
