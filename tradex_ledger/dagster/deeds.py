"""What a step does: it finds its backfill in the ledger or asks for it, drives it if it may, and tells what came of it.

Nothing of it is decided here: an unapproved request ends the step with the command that approves it, and a step that
is run again (by Dagster, after a crash, or by hand) finds the request that it made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import dagster as dg

from tradex_ledger.audit.rebuilt import Rebuilt
from tradex_ledger.dagster.place import KIND, PRIORITY, REASON, REPORTED, RUN, TICKET, Place
from tradex_ledger.dagster.report import evaluations, materializations, tags_of
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import date_of, day_of, span
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.life import DRIVABLE
from tradex_ledger.domain.request import Request
from tradex_ledger.errors import TradexError
from tradex_ledger.workspace import Workspace

Context: TypeAlias = dg.AssetExecutionContext | dg.OpExecutionContext
WAIT_SECONDS, MOST_WAITS = 30, 240
WAY_ON = {
    "PLANNED": "it waits for an approval: tradex backfill approve {id}",
    "HELD": "it is held; compare (tradex audit diff --candidate {id}), then: tradex backfill release {id} --reason …",
    "PAUSED": "it is paused: tradex backfill resume {id}",
}
"""What lets a backfill go on; the sensor drives it then."""
ENDED = "it is {status}, and will not be driven: tradex audit history {id}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a Dagster run is about: days (ISO, in order) of a dataset or a layer.

    `group` links all requests of one Dagster backfill, or of one run and what is run again of it. `run_id` is the
    backfill that the run was launched for, if any.
    """

    dataset: str
    days: tuple[str, ...]
    tags: Mapping[str, str]
    group: str
    run_id: str | None

    @staticmethod
    def of(dataset: str, days: Sequence[str], run: dg.DagsterRun) -> Wanted:
        """Of a Dagster run."""
        tags, first = run.tags, run.root_run_id or run.run_id
        backfill = tags.get("dagster/backfill")
        group = f"dagster-backfill-{backfill}" if backfill else f"dagster-run-{first}"
        return Wanted(dataset, tuple(sorted(days)), tags, group, tags.get(RUN))

    def is_in(self, backfill: Backfill, filled: Sequence[str]) -> bool:
        """Whether a backfill is about all of it: by its request, or since its plan comes to these days.

        `filled` are the datasets of Bronze that are filled together with it: who asks for one asks for all.
        """
        if not self.days:
            return True
        days = set(map(day_of, self.days))
        asked = backfill.request
        planned = {day for w in backfill.windows if w.dataset == self.dataset for day in span(w.first, w.last)}
        same = asked.dataset in (self.dataset, *filled, *(LAYERS[:1] if filled else ()))
        return days <= planned or (same and asked.first <= min(days) and max(days) <= asked.last)

    def request(self) -> Request:
        """It as a request; what the tags of the run do not say has the ledger's defaults."""
        return Request(
            kind=self.tags.get(KIND, "temporal"),
            dataset=self.dataset,
            first=date_of(day_of(self.days[0])),
            last=date_of(day_of(self.days[-1])),
            override_state=False,
            reason=self.tags.get(REASON) or f"launched in Dagster ({self.group})",
            ticket=self.tags.get(TICKET),
            priority=self.tags.get(PRIORITY, "low"),
            group=self.group,
        )


def find_or_request(workspace: Workspace, wanted: Wanted) -> Backfill:
    """The backfill that a Dagster run is to drive; asked for now unless it has been. Raises `dg.Failure`."""
    filled = workspace.datasets.filled_with(wanted.dataset)
    if wanted.run_id is not None:
        named = workspace.ledger.get(Backfill, workspace.backfills.find(wanted.run_id))
        if wanted.is_in(named, filled):
            return named
    for found in workspace.backfills.of_group(wanted.group):
        if wanted.is_in(found, filled):
            return found
    if not wanted.days:
        raise dg.Failure(f"no days of {wanted.dataset} are named: launch it over partitions", allow_retries=False)
    return workspace.backfills.request(wanted.request())


def failure_of(error: TradexError, run_id: str | None = None) -> dg.Failure:
    """An error as Dagster shows it: what it says, what mends it, and no trace of a program."""
    facts = {"code": error.code, "mend": error.mend, "run": run_id}
    metadata = {name: text for name, text in facts.items() if text}
    return dg.Failure(f"{error.message}; {error.mend}" if error.mend else error.message, metadata, allow_retries=False)


@contextmanager
def stepping(place: Place) -> Iterator[Workspace]:
    """The workspace for the length of a step; what it refuses ends the step. Raises: `dg.Failure`."""
    try:
        with place.open() as workspace:
            yield workspace
    except TradexError as error:
        raise failure_of(error) from None


def stands(backfill_id: str, status: str) -> dg.Failure:
    """Why a backfill is not driven, with the command that changes that."""
    text = WAY_ON.get(status, ENDED).format(id=backfill_id, status=status)
    return dg.Failure(f"{backfill_id}: {text}", {"run": backfill_id, "status": status}, allow_retries=False)


@dataclass(frozen=True, slots=True)
class Driven:
    """A run of the ledger that has succeeded, or the error that ended its drive."""

    run_id: str
    error: TradexError | None = None


def drive(workspace: Workspace, wanted: Wanted, context: Context) -> Driven:
    """Drive the backfill that a Dagster run is about.

    Raises: `dg.Failure` where it may not be driven; `dg.RetryRequested` where it has to wait for its turn.
    """
    backfill = find_or_request(workspace, wanted)
    context.instance.add_run_tags(context.run.run_id, tags_of(backfill))
    status = backfill.status
    if status == "RUNNING":  # its driver is dead, or at it still: of that one nothing is recorded
        before = context.run.parent_run_id
        driver = f"the Dagster run {before}" if before else "a process"
        workspace.runs.driver_died(backfill.id, driver=driver, message="it is taken up again")
    if status in DRIVABLE:
        worked = workspace.runs.attempt(backfill.id)
        if worked.waits is not None:
            context.log.info(worked.waits)
            raise dg.RetryRequested(max_retries=MOST_WAITS, seconds_to_wait=WAIT_SECONDS)
        if worked.error is not None:
            return Driven(backfill.id, worked.error)
        status = worked.end
    if status != "SUCCESS":
        raise stands(backfill.id, status)
    return Driven(backfill.id)


def report(workspace: Workspace, run_id: str, context: Context, *, own: str = "") -> list[Rebuilt]:
    """Tell Dagster of each partition that a run has published, once; of the asset `own` in each Dagster run.

    Returns what it told of.
    """
    rebuilt = workspace.audit.look.rebuilt(run_id)
    if was_reported(context.instance, run_id):
        rebuilt = [one for one in rebuilt if one.dataset == own]
    for told in materializations(run_id, rebuilt):
        context.log_event(told)
    for checked in evaluations(run_id, [one for one in rebuilt if one.dataset != own]):
        context.instance.report_runless_asset_event(checked)
    context.instance.add_run_tags(context.run.run_id, {REPORTED: run_id})
    return rebuilt


def was_reported(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a Dagster run has told of all that a run of the ledger has published."""
    return bool(instance.get_run_records(dg.RunsFilter(tags={REPORTED: run_id}), limit=1))
