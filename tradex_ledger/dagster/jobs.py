"""The job of the whole flow, and the incremental run with its schedule."""

# No `from __future__ import annotations`: Dagster wants the type of a context, not its name.
from datetime import date

import dagster as dg

from tradex_ledger.dagster.assets import days_asked
from tradex_ledger.dagster.deeds import Wanted, drive, failure_of, report, stepping
from tradex_ledger.dagster.place import DAGSTER_PRIORITY, FLOW, INCREMENTAL, PRIORITIES, RETRIED, Place, pool_of
from tradex_ledger.domain.day import date_of, exact_day
from tradex_ledger.domain.incremental import NothingToRunError
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.errors import TradexError

LOW = {DAGSTER_PRIORITY: str(PRIORITIES["low"]), **RETRIED}
"""A backfill gives way to what is no backfill (N30)."""


def flow_job(place: Place, days: dg.PartitionsDefinition[str]) -> dg.JobDefinition:
    """The job that backfills the whole flow, from Bronze on, or what a backfill asks for that is no one dataset."""

    @dg.op(name="drive_the_flow", pool=pool_of(FLOW))
    def step(context: dg.OpExecutionContext) -> None:
        with stepping(place) as workspace:
            driven = drive(workspace, Wanted.of(LAYERS[0], days_asked(context), context.run), context)
            if driven.error is not None:
                raise failure_of(driven.error, driven.run_id)
            report(workspace, driven.run_id, context)

    @dg.job(
        name=FLOW,
        description="Backfill the whole flow, Bronze to Gold, by one request in the ledger",
        partitions_def=days,
        tags=LOW,
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        step()

    return job


_ENDS = {name: dg.Field(str, is_required=False) for name in ("to", "until")}


def incremental_job(place: Place) -> dg.JobDefinition:
    """The job that takes the pipeline on, to yesterday or to the day `to`, included; `until` is the day after it."""

    @dg.op(name="take_on", pool=pool_of(INCREMENTAL), config_schema=_ENDS)
    def step(context: dg.OpExecutionContext) -> None:
        last, until = (_day(context.op_config.get(name)) for name in _ENDS)
        with stepping(place) as workspace:
            try:
                run = workspace.incremental.run(until, last=last)
            except NothingToRunError as nothing:
                context.log.info(nothing.message)
                return
            except TradexError as error:
                raise failure_of(error, workspace.incremental.unfinished()) from None
            report(workspace, run.id, context)

    @dg.job(
        name=INCREMENTAL,
        description="Take the pipeline on to the end of yesterday (UTC)",
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        step()

    return job


def _day(said: str | None) -> date | None:
    try:
        return None if said is None else date_of(exact_day(said))
    except ValueError:
        raise dg.Failure(f"{said!r} is no day: write it as 2014-03-01", allow_retries=False) from None


def incremental_schedule(job: dg.JobDefinition, cron: str) -> dg.ScheduleDefinition:
    """When the pipeline is taken on (UTC)."""
    return dg.ScheduleDefinition(name=INCREMENTAL, job=job, cron_schedule=cron, execution_timezone="UTC")
