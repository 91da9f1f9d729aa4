"""What of a status needs somebody: each a sentence, with the command that helps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from tradex_ledger.audit.documents.followers import behind
from tradex_ledger.domain.clocks import LAG
from tradex_ledger.domain.day import last_before

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.held import Held
    from tradex_ledger.audit.documents.status import StatusDocument
    from tradex_ledger.audit.reader import Reader
    from tradex_ledger.relations.runs import PipelineState, Run

_THIN = """
    with days as (
        select
            dataset, partition, rows,
            median(rows) over weeks as usual
        from partitions
        where layer = 'bronze' and not contains(dataset, '__')
        window weeks as (
            partition by dataset order by partition
            range between interval 28 days preceding and interval 1 day preceding
        )
    )
    select dataset, count(*), min(partition), max(partition)
    from days
    where usual >= 20 and rows < usual / 5
    group by dataset
    order by dataset
"""
_UNDELIVERED = """
    select count(*), min(position)
    from alerts
    where not delivered and cleared_position is null and acknowledged_by is null
"""
_STEPS = {
    "PLANNED": ("waits for approval", "tradex backfill approve {}"),
    "APPROVED": ("is approved and nobody drives it", "tradex backfill run {}"),
    "RUNNING": ("is running; if its driver died, this resumes it", "tradex backfill run {}"),
    "FAILED": ("failed", "tradex backfill show {}"),
    "PAUSED": ("is paused", "tradex backfill resume {}"),
    "HELD": ("is held for somebody to compare and release", "tradex audit diff {}"),
}


class Attention(NamedTuple):
    """One thing: what kind it is, the sentence, and the command that helps."""

    kind: str
    message: str
    command: str


class Thin(NamedTuple):
    """Days of a dataset of Bronze with less than a fifth of the rows that the four weeks before had."""

    dataset: str
    days: int
    first: date
    last: date


class Undelivered(NamedTuple):
    """Alerts that nobody was sent."""

    alerts: int
    first: int | None


def attention(document: StatusDocument, reader: Reader, now: datetime | None, *, is_delivered: bool) -> list[Attention]:
    """What needs somebody, the most urgent first.

    `now` (UTC) is None for a question as of before; `is_delivered`: alerts are sent to somebody.
    """
    found = [*map(_run, document.waiting)]
    found += (Attention("cursor ahead", ahead.message, "tradex state history") for ahead in document.cursors_ahead)
    if now is not None:
        found += _lags(document.pipeline_state, now)
    found += (Attention("definition", one.message, one.mend) for one in document.definitions)
    found += (Attention("two contents", one.message, "tradex engine list") for one in document.two_contents)
    found += _missing(document.datasets)
    for thin in reader.ask(Thin, _THIN, over=("partitions",)):
        days = f"{thin.days} day{'s' if thin.days > 1 else ''} of {thin.dataset} ({thin.first} to {thin.last})"
        message = f"{days} have less than a fifth of the usual rows"
        found.append(Attention("thin days", message, f"tradex dataset show {thin.dataset} --partitions"))
    for stale in document.stale_partitions:
        message = f"{stale.dataset}: {stale.partitions} stale partitions"
        found.append(Attention("stale", message, "tradex backfill propose"))
    if policy := document.policy_waiting:
        found.append(Attention("policy", f"a policy that {policy.by} proposed waits", "tradex policy show"))
    for engine in document.engines:
        message = f"{engine.dataset}: the verdict on {engine.engine} is {engine.verdict}"
        found.append(Attention("engine", message, "tradex engine list"))
    # What is to be told by whom follows from all events of many topics: it is asked where somebody is to be told.
    for row in reader.ask(Undelivered, _UNDELIVERED, over=("alerts",)) if is_delivered else ():
        if row.alerts:
            message = f"{row.alerts} alerts were not delivered, the first of position {row.first}"
            found.append(Attention("alerts", message, "tradex alerts"))
    if now is not None:
        found += (Attention(*one) for one in behind(document.mirrors, document.feeds, now))
    if now is not None and document.sealing.outside is None:
        found.append(
            Attention("unsealed", "nothing of the ledger is sealed outside", "tradex ledger checkpoint --help")
        )
    return found


def _run(run: Run) -> Attention:
    says, command = _STEPS.get(run.status, (f"is {run.status}", "tradex backfill show {}"))
    if run.run_kind == "incremental" and run.status != "HELD":
        command = "tradex run"
    return Attention(run.status.lower(), f"{run.run_id} {says}", command.format(run.run_id))


def _lags(states: Sequence[PipelineState], now: datetime) -> Iterator[Attention]:
    for state in states:
        behind = None if state.cursor is None else now - datetime.fromisoformat(state.cursor)
        if behind is not None and behind > LAG:
            message = f"pipeline {state.pipeline} has come to {last_before(str(state.cursor))}, {behind.days} days ago"
            yield Attention("cursor behind", message, "tradex run")


def _missing(datasets: Sequence[Held]) -> Iterator[Attention]:
    """Days between the first and the last of a dataset that it has no partition of."""
    for held in datasets:
        if held.first is None or held.last is None or "__" in held.dataset:
            continue
        lacking = (held.last - held.first).days + 1 - held.partitions
        if lacking > 0:
            message = f"{held.dataset} lacks {lacking} of the days from {held.first} to {held.last}"
            yield Attention("missing days", message, f"tradex dataset show {held.dataset} --partitions")
