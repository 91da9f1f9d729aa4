"""What follows the ledger: approved backfills are launched, what was published is told, what died is put on record."""

# No `from __future__ import annotations`: Dagster wants the type of a context, not its name.
from collections.abc import Callable, Mapping

import dagster as dg

from tradex_ledger.dagster.deeds import was_reported
from tradex_ledger.dagster.place import DAGSTER_PRIORITY, FLOW, INCREMENTAL, RUN, Place, job_of, pools
from tradex_ledger.dagster.report import evaluations, materializations, tags_of
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import iso
from tradex_ledger.workspace import Workspace

GOES_ON = ("backfill.approved", "backfill.resumed", "run.released")
"""After these a backfill is to be driven."""
EACH_SECONDS = 10
MOST_AT_ONCE = 25
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
Days = Mapping[str, dg.DailyPartitionsDefinition]
ACTIVE = [
    dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING,
]  # fmt: skip


def approvals(place: Place, days: Days) -> Callable[[dg.SensorEvaluationContext], dg.SensorResult]:
    """Launch what was approved (resumed, released) since the cursor, a position of the ledger; what has ended is not.

    What has to wait (in peak hours, or for a Dagster run that is at it) stays before the cursor. A launch is for one
    event: none is launched twice.
    """

    def tick(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        with place.open(reading=True) as workspace:
            _set_pools(context.instance, pools(workspace.core.policy_to_look, list(days)))
            found, cursor = _launches(workspace, int(context.cursor or 0), days, context.instance)
        return dg.SensorResult(run_requests=found, cursor=str(cursor))

    return tick


def _launches(
    workspace: Workspace, since: int, days: Days, instance: dg.DagsterInstance
) -> tuple[list[dg.RunRequest], int]:
    """What is to be launched of what happened after a position, and the position up to which all was looked at."""
    events = list(workspace.events(since, GOES_ON))
    if not events:
        return [], since
    runnable, policy = set(workspace.runs.runnable()), workspace.core.policy_to_look
    in_peak = policy.in_peak(workspace.core.clock())
    found: dict[str, dg.RunRequest] = {}
    waiting: list[int] = []
    for event in events:
        if event.stream not in runnable:
            continue
        backfill = workspace.ledger.get(Backfill, event.stream)
        # One that a Dagster run has in its hands (it asked for it, say) is looked at again: that may end without it.
        if (in_peak and backfill.request.priority != "urgent") or _is_driven(instance, event.stream):
            waiting.append(event.position)
            continue
        found[event.stream] = _launch(backfill, event.position, days)
    # The queue begins with what it is given first: it is told of the rest while that starts.
    urgent_first = sorted(found.values(), key=lambda request: -int(request.tags[DAGSTER_PRIORITY]))
    return urgent_first, min(waiting, default=events[-1].position + 1) - 1


def _launch(backfill: Backfill, position: int, days: Days) -> dg.RunRequest:
    """A launch over those days asked for that Dagster knows of; where it knows none, the job of the flow drives it."""
    asked, job = backfill.request, FLOW
    over: dict[str, str] = {}
    if known := days[asked.dataset].get_partition_keys() if asked.dataset in days else []:
        first, last = max(known[0], iso(asked.first)), min(known[-1], iso(asked.last))
        if first <= last:
            job, over = job_of(asked.dataset), dict(zip(RANGE, (first, last), strict=True))
    return dg.RunRequest(run_key=f"{backfill.id}@{position}", job_name=job, tags={**tags_of(backfill), **over})


def _set_pools(instance: dg.DagsterInstance, wanted: dict[str, int]) -> None:
    """Give pools the limits of the policy on record, as far as they have others."""
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    there = {pool.name: pool.limit for pool in storage.get_pool_limits() if not pool.from_default}
    for name, limit in wanted.items():
        if limit and there.get(name) != limit:
            storage.set_concurrency_slots(name, limit)
        elif not limit and name in there:
            storage.delete_concurrency_limit(name)


def publications(place: Place) -> dg.SensorDefinition:
    """Tell of what was published by a worker or a person, or by a Dagster run that died right after."""

    @dg.sensor(
        name="published_partitions",
        minimum_interval_seconds=EACH_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def tick(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        told: list[dg.AssetMaterialization | dg.AssetCheckEvaluation | dg.AssetObservation] = []
        cursor = int(context.cursor or 0)
        with place.open(reading=True) as workspace:
            for number, event in enumerate(workspace.events(cursor, ("run.published",))):
                if number == MOST_AT_ONCE or _is_driven(context.instance, event.stream):
                    break
                cursor = event.position
                if not was_reported(context.instance, event.stream):
                    rebuilt = workspace.audit.look.rebuilt(event.stream)
                    told += materializations(event.stream, rebuilt)
                    told += evaluations(event.stream, rebuilt)
        return dg.SensorResult(asset_events=told, cursor=str(cursor))

    return tick


def _is_driven(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a Dagster run is at it, which tells of it itself."""
    return bool(instance.get_run_records(dg.RunsFilter(tags={RUN: run_id}, statuses=ACTIVE), limit=1))


def failures(place: Place) -> dg.SensorDefinition:
    """Put on record that a Dagster run died which drove a run of the ledger; what failed in a step is there already."""

    @dg.run_failure_sensor(
        name="dead_drivers",
        minimum_interval_seconds=EACH_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def tick(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        run = context.dagster_run
        with place.open() as workspace:
            run_id = run.tags.get(RUN) or (workspace.incremental.unfinished() if run.job_name == INCREMENTAL else None)
            if run_id is None:
                return dg.SkipReason(f"{run.run_id} drove no run of the ledger")
            died = workspace.runs.driver_died(
                run_id, driver=f"the Dagster run {run.run_id}", message=context.failure_event.message or "no message"
            )
        return dg.SkipReason(f"{died.id} is {died.status}")

    return tick
