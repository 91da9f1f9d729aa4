"""How a run looks: whole, as a line of a table, and which command takes it further."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from tradex_ledger.cli.layouts.source import look_facts
from tradex_ledger.cli.show import Facts, Show
from tradex_ledger.cli.words import bytes_text, seconds_text, short
from tradex_ledger.domain.life import ACTIVE

if TYPE_CHECKING:
    from datetime import date

    from tradex_ledger.audit.documents.run import Driver, RunDocument
    from tradex_ledger.relations.runs import Run

_BEGINNINGS = ("requested", "planned", "started")
STEPS = ("when", "step", "by", "why")
COLUMNS = ("run", "kind", "status", "range", "progress", "rows", "took", "by", "why")


def run_row(run: Run) -> Facts:
    """A run as a line of a table."""
    return {
        "run": run.run_id,
        "kind": run.kind,
        "status": run.status,
        "range": days_text(run.first_day, run.last_day),
        "progress": f"{run.built_partitions}/{run.planned_partitions}",
        "rows": run.rows,
        "took": took_text(run).partition(":")[0],
        "by": run.requested_by,
        "why": short(run.reason, 40),
    }


def days_text(first: date | None, last: date) -> str:
    """The days of a run, both included."""
    return f"{first or 'beginning'}..{last}"


def took_text(run: Run) -> str:
    """How long a run took, in whole; unknown where its events bear the time of an earlier one."""
    if run.started_at and run.ended_at and run.duration_ms is None:
        return "unknown: the clock was behind the last event; see: tradex audit log --topic ledger.clock_held_back"
    return seconds_text(run.duration_ms)


def whole(show: Show, document: RunDocument) -> None:
    """A run with its layers."""
    from tradex_ledger.cli.layouts.plan import request_facts

    run, plan, asked = document.run, document.plan, document.asked
    show.facts(
        {
            "run": document.id,
            "kind": run.kind,
            "status": run.status,
            "driver": document.driver and _driver(document.driver, document.id, run.run_kind),
            "of": run.subject,
            "range": days_text(run.first_day, run.last_day),
            "override_state": run.override_state,
            **(request_facts(asked, document.state, plan.state_read if plan else None) if asked else {}),
            "one of the group": run.request_group,
            "reason": run.reason,
            "ticket": run.ticket,
            "requested": f"{run.requested_by} at {_moment(run.requested_at)}",
            "approved": run.approved_at and f"{_approver(run)} at {_moment(run.approved_at)}{_seen(document)}",
            "plan": plan and plan.digest,
            "as of position": plan and plan.base,
            "policy": plan and plan.policy_digest,
            "took": run.ended_at and took_text(run),
            **look_facts(document),
            "partitions": f"{run.built_partitions} of {run.planned_partitions}: "
            f"{run.written} written, {run.identical} identical, {run.reused} reused",
            "volume": f"{run.rows} rows, {bytes_text(run.bytes)}",
            "anomalies": run.anomalies,
            "beyond its SLA": run.sla_exceeded or None,
            "errors": run.errors_by_stage,
            "last error": run.last_error,
        }
    )
    for text in losses(document):
        show.warning(text)
    steps(show, document)
    if document.layers:
        show.line()
        rows = [layer.row for layer in document.layers]
        show.rows(
            rows,
            ("layer", "status", "attempts", "partitions", "rows", "took", "errors", "error"),
            took=[seconds_text(row.duration_ms) for row in rows],
            error=[short(row.last_error) for row in rows],
        )


def _seen(document: RunDocument) -> str:
    """On which knowledge it was approved, where that is on record."""
    seen = next((one.seen for one in document.steps if one.step == "approved" and one.seen is not None), None)
    return "" if seen is None else f", as of position {seen}"


def _driver(driver: Driver, run_id: str, run_kind: str) -> str:
    if driver.lives:
        return f"lives: process {driver.process} on {driver.host}"
    again = "tradex run" if run_kind == "incremental" else f"tradex backfill run {run_id}"
    return f"none that lives; it is taken up where it stopped by: {again}"


def steps(show: Show, document: RunDocument) -> None:
    """What became of a run since it was asked for: who, when and why."""
    told = [one for one in document.steps if one.step not in _BEGINNINGS]
    if told:
        show.line()
        show.table([{"when": _moment(one.at), "step": one.step, "by": one.by, "why": one.why} for one in told], STEPS)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def _approver(run: Run) -> str:
    """Who allowed a run: a person, or a rule of the policy."""
    return f"by rule ({run.approved_rule})" if run.approved_rule else str(run.approved_by)


def losses(document: RunDocument) -> Iterable[str]:
    """What a run's days have lost in Bronze, and how much of it was found again."""
    for loss in document.losses:
        found = f"{loss.appended_since} were found again" if loss.extracted else "none is there yet"
        yield (
            f"of {loss.rows} rows of {loss.dataset} {loss.partition} that were declared lost (position "
            f"{loss.position}), {found}"
        )


def shown(show: Show, document: RunDocument) -> None:
    """A run with its layers; of a backfill also what its plan was expected to cost, and why each dataset is in it.

    Of one that waits what it would do to readers stands first.
    """
    from tradex_ledger.cli.layouts.plan import by_dataset, cost_facts
    from tradex_ledger.domain.approval import in_words

    if document.effects is not None:
        from tradex_ledger.cli.layouts.effects import effects

        effects(show, document.effects)
        show.line()
    whole(show, document)
    plan, told = document.plan, document.judgement
    if plan is None or told is None:
        return
    show.line()
    costs: Facts = {f"estimated {name}": text for name, text in cost_facts(plan.estimate).items()}
    if document.status == "PLANNED" and told.approval:
        costs["approval"] = in_words(told.approval)
    show.facts(costs)
    by_dataset(show, told.by_dataset, told.edges)
    for text in told.warnings:
        show.warning(text)


def shown_shortly(show: Show, document: RunDocument) -> None:
    """What was asked for, and what it would do to readers."""
    run = document.run
    show.line(f"{run.run_id}: {run.kind} backfill of {run.subject}, {days_text(run.first_day, run.last_day)}")
    show.line(f"asked for by {run.requested_by}: {run.reason}")
    if document.effects is not None:
        from tradex_ledger.cli.layouts.effects import effects

        effects(show, document.effects)


def after(document: RunDocument) -> str | None:
    """What is done with a run that was driven: it is taken further, or what it changed is looked at; else nothing."""
    kind, status = document.run.run_kind, document.status
    if status in ACTIVE:
        return next_step(document.id, status, kind)
    if status == "SUCCESS" and kind == "backfill":
        return f"tradex audit diff {document.id} (what changed); tradex backfill revert takes it back"
    return None


def next_step(run_id: str, status: str, run_kind: str = "backfill") -> str:
    """The command that takes a run further."""
    if run_kind == "incremental" and status != "HELD":
        return "tradex run"
    return {
        "PLANNED": f"tradex backfill approve {run_id}",
        "APPROVED": f"tradex backfill run {run_id}",
        "RUNNING": f"tradex backfill run {run_id} resumes it if its driver died",
        "FAILED": f"tradex backfill run {run_id} tries again",
        "PAUSED": f"tradex backfill resume {run_id}",
        "HELD": f"tradex audit diff --candidate {run_id}; then tradex backfill release {run_id} --reason …, or cancel",
    }.get(status, f"tradex backfill show {run_id}")
