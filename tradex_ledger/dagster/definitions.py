"""All that Dagster is told of a workspace."""

# No `from __future__ import annotations`: Dagster wants types, not their names.
from pathlib import Path

import dagster as dg

from tradex_ledger.dagster.assets import asset_of, days_of
from tradex_ledger.dagster.jobs import LOW, flow_job, incremental_job, incremental_schedule
from tradex_ledger.dagster.place import Place, job_of
from tradex_ledger.dagster.sensors import EACH_SECONDS, approvals, failures, publications
from tradex_ledger.domain.layers import LAYERS

NIGHTLY = "10 0 * * *"


def build_definitions(workspace: str | Path, *, actor: str | None = None, incremental: str = NIGHTLY) -> dg.Definitions:
    """The definitions of a workspace, by its folder, to be used or merged into others.

    `actor` is on whose behalf Dagster asks and drives (None: TRADEX_ACTOR, else the login name); `incremental` when
    the pipeline is taken on, as cron (UTC). Raises what opening a workspace raises.
    """
    return _build(Place(Path(workspace), actor), incremental)


def _build(place: Place, incremental: str) -> dg.Definitions:
    with place.open(reading=True) as opened:
        pipeline, days = opened.core.pipeline, days_of(opened)
    names = list(pipeline.definitions)
    taking_on = incremental_job(place)
    flow = flow_job(place, days[pipeline.layer(LAYERS[0])[0].name])
    jobs = [
        dg.define_asset_job(
            job_of(name),
            selection=dg.AssetSelection.assets(name),
            description=f"Backfill {name} and all that follows from it, by one request in the ledger",
            tags=LOW,
            executor_def=dg.in_process_executor,
        )
        for name in names
    ]
    launching = dg.sensor(
        name="approved_backfills",
        jobs=[*jobs, flow],
        minimum_interval_seconds=EACH_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )(approvals(place, days))
    return dg.Definitions(
        assets=[asset_of(place, definition, days) for definition in pipeline.definitions.values()],
        jobs=[*jobs, flow, taking_on],
        schedules=[incremental_schedule(taking_on, incremental)],
        sensors=[launching, publications(place), failures(place)],
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions of the workspace that TRADEX_WORKSPACE names."""
    return _build(Place.of_environment(), NIGHTLY)
