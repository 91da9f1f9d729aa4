"""An asset a dataset: its days, what a day of it follows from, and what the engine checks of it."""

# No `from __future__ import annotations`: Dagster wants the type of a context, not its name.
import warnings
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

import dagster as dg

from tradex_ledger.dagster.deeds import Wanted, drive, failure_of, report, stepping
from tradex_ledger.dagster.place import Place, pool_of
from tradex_ledger.dagster.report import CHECKS, unchanged
from tradex_ledger.datasets.definition import Definition, DefinitionError
from tradex_ledger.workspace import Workspace

Days = tuple[date, date]
Steps = Iterator[dg.AssetCheckResult]


def days_of(workspace: Workspace) -> dict[str, dg.DailyPartitionsDefinition]:
    """The days of each dataset: from the first to the last that the ledger vouches for, and those it has beside them.

    Of a ledger without any there are none. They are those of when a code location is loaded.
    """
    there, held = workspace.datasets.days(), workspace.audit.look.datasets()
    own = {one.dataset: (one.first, one.last) for one in held if one.first and one.last}
    return {name: _daily(there, own.get(name)) for name in workspace.core.pipeline.definitions}


def _daily(there: Days | None, own: Days | None) -> dg.DailyPartitionsDefinition:
    spans = [span for span in (there, own) if span is not None]
    if not spans:
        return dg.DailyPartitionsDefinition("1970-01-01", end_date="1970-01-01")
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    end = last + timedelta(days=1)  # Dagster's end is excluded; without one there would be days that nobody has run
    return dg.DailyPartitionsDefinition(first.isoformat(), end_date=end.isoformat())


def days_asked(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> list[str]:
    """The days (ISO) that a Dagster run is launched over; none where it is launched for a backfill of the ledger."""
    return list(context.partition_keys) if context.has_partition_key or context.has_partition_key_range else []


def asset_of(
    place: Place, definition: Definition, days: Mapping[str, dg.DailyPartitionsDefinition]
) -> dg.AssetsDefinition:
    """A dataset as an asset."""
    name = definition.name

    def step(context: dg.AssetExecutionContext) -> Steps:
        wanted = Wanted.of(name, days_asked(context), context.run)
        with stepping(place) as workspace:
            driven = drive(workspace, wanted, context)
            if driven.error is not None:
                yield from _broken(name, driven.error, context)
                raise failure_of(driven.error, driven.run_id)
            told = [one for one in report(workspace, driven.run_id, context, own=name) if one.dataset == name]
        seen = {one.day.isoformat() for one in told}
        for event in unchanged(driven.run_id, name, [day for day in wanted.days if day not in seen]):
            context.log_event(event)
        for check in CHECKS.values():
            yield dg.AssetCheckResult(
                check_name=check, passed=True, metadata={"run": driven.run_id, "partitions": len(told)}
            )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # a policy for backfills has been in beta for years
        return dg.asset(
            name=name,
            description=f"{definition.layer}, one row a ({', '.join(definition.key)}); rebuilt by the ledger alone",
            group_name=definition.layer,
            partitions_def=days[name],
            deps=_deps(definition),
            check_specs=_checks(definition),
            pool=pool_of(name),
            backfill_policy=dg.BackfillPolicy.single_run(),
            output_required=False,
        )(step)


def _deps(definition: Definition) -> list[dg.AssetDep]:
    """What a day follows from: the days that its definition reads."""
    return [
        dg.AssetDep(
            read.dataset,
            partition_mapping=dg.TimeWindowPartitionMapping(
                start_offset=read.first, end_offset=read.last, allow_nonexistent_upstream_partitions=True
            ),
        )
        for read in definition.reads
    ]


def _checks(definition: Definition) -> list[dg.AssetCheckSpec]:
    texts = {
        "key": f"no two rows of a day have the same ({', '.join(definition.key)})",
        "partition": f"{definition.partition} is the day of the partition, in each row",
    }
    return [
        dg.AssetCheckSpec(CHECKS[breaks], asset=definition.name, description=f"{text}; checked as it is built")
        for breaks, text in texts.items()
    ]


def _broken(name: str, error: Exception, context: dg.AssetExecutionContext) -> Steps:
    """The check that a definition broke, if it is one; of another asset it is told beside this run."""
    if not isinstance(error, DefinitionError) or error.breaks not in CHECKS:
        return
    check, facts = CHECKS[error.breaks], {"error": error.message}
    if error.dataset == name:
        yield dg.AssetCheckResult(check_name=check, passed=False, metadata=facts)
    else:
        context.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(error.dataset), check_name=check, passed=False, metadata=facts
            )
        )
