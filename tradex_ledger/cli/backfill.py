"""`tradex backfill`: reprocess history, asked for, approved, driven and on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from tradex_ledger.cli.common import DAY, Call, as_of_option, command
from tradex_ledger.cli.runs import RUN_COLUMNS, next_step, report, run_row, show_run
from tradex_ledger.cli.show import bytes_text

PRIORITIES = ("low", "normal", "high", "urgent")


@click.group("backfill")
def backfill() -> None:
    """Reprocess history: request, approve, run, and see what it did."""


@backfill.group("request")
def request() -> None:
    """Ask for a backfill. It is planned at once and waits for an approval."""


@command(
    request,
    "temporal",
    example="tradex backfill request temporal bronze_x_posts --from 2014-02-03 --to 2014-02-08 \\\n"
    '    --no-override-state --reason "X API outage 3-8 Feb, INC-4211" --dry-run',
)
@click.argument("dataset")
@click.option("--from", "first", type=DAY, required=True, help="First day (UTC), included.")
@click.option("--to", "last", type=DAY, required=True, help="Last day (UTC), included.")
@click.option(
    "--override-state/--no-override-state",
    default=None,
    help="Declare whether it may move the pipeline state. It has no default; only a forced backfill may.",
)
@click.option("--reason", required=True, help="What happened and why it must be redone.")
@click.option("--ticket", help="The ticket it belongs to.")
@click.option(
    "--priority",
    type=click.Choice(PRIORITIES),
    default="low",
    show_default=True,
    help="Order among approved ones.",
)
@click.option("--dry-run", is_flag=True, help="Show the plan and its cost; record nothing.")
def temporal(call: Call, override_state: bool | None, dry_run: bool, **values: Any) -> None:
    """Reprocess a range of days of DATASET and everything downstream of them (late data, an API outage)."""
    if override_state is None:
        raise click.UsageError(
            "Missing option '--override-state' / '--no-override-state': a backfill declares whether it moves the state."
        )
    with call.open() as workspace:
        wanted = {"kind": "temporal", "override_state": override_state, **values}
        if dry_run:
            planned, plan = workspace.plan(**wanted)
            _show_plan(call, planned.request, dict(plan))
            return
        made = workspace.request(**wanted)
        if not call.as_json:
            _show_plan(call, made.request, dict(made.plan or {}))
            call.show.line()
            call.show.line(f"requested {made.id}")
            call.show.note(f"next: {next_step(made.id, made.status)}")
            return
        report(call, workspace, made.id)


def _show_plan(call: Call, wanted: dict[str, Any], plan: dict[str, Any]) -> None:
    """What would be rebuilt, and what that is expected to cost."""
    show = call.show
    if show.as_json:
        show.document({"request": wanted, "plan": plan})
        return
    estimate = plan["estimate"]
    show.facts(
        {
            "plan": plan["digest"],
            "as of position": plan["base"],
            "reason": wanted["reason"],
            "fetch": f"created from {wanted['first']} to {wanted['last']}" if "bronze" in wanted["layers"] else None,
            "partitions": sum(w["partitions"] for w in plan["windows"]),
            "rows": _range(estimate["rows"], str) or "unknown: nothing like it was built before",
            "bytes": _range(estimate["bytes"], bytes_text),
            "seconds of work": _range(estimate["seconds"], str),
        }
    )
    show.line()
    show.table(
        _by_dataset(plan["windows"]),
        ("dataset", "layer", "logic_version", "first", "last", "partitions", "windows"),
    )


def _range(estimate: dict[str, int] | None, text: Callable[[int], str]) -> str | None:
    """An estimate for people: about so many, with its range where it has one."""
    if estimate is None:
        return None
    likely = f"about {text(estimate['likely'])}"
    same = estimate["low"] == estimate["high"]
    return likely if same else f"{likely} ({text(estimate['low'])} to {text(estimate['high'])})"


def _by_dataset(windows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for w in windows:
        row = found.setdefault(w["dataset"], {**w, "partitions": 0, "windows": 0})
        row["first"], row["last"] = min(row["first"], w["first"]), max(row["last"], w["last"])
        row["partitions"] += w["partitions"]
        row["windows"] += 1
    return list(found.values())


@command(backfill, "list", example="tradex backfill list --status FAILED")
@click.option("--status", help="Only those with this status (PLANNED, APPROVED, RUNNING, FAILED, SUCCESS, …).")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@as_of_option
def list_(call: Call, status: str | None, limit: int, as_of: str | None) -> None:
    """Backfills, newest first."""
    from tradex_ledger.audit.describe import Reader

    with call.open() as workspace:
        reader = Reader(workspace.ledger, as_of)
        runs = reader.runs(kind="backfill", status=status.upper() if status else None, limit=limit)
    show = call.show
    if show.as_json:
        show.document([{"id": r["run_id"], **r} for r in runs])
        return
    show.table([run_row(r) for r in runs], RUN_COLUMNS)
    if not runs:
        show.note("there is no such backfill; ask for one: tradex backfill request temporal --help")


@command(backfill, "show", example="tradex backfill show bf-1m83\ntradex backfill show bf-1m83 --as-of 120")
@click.argument("run_id", metavar="ID")
@as_of_option
def show_(call: Call, run_id: str, as_of: str | None) -> None:
    """A run whole: request, plan, approval, progress, layers, errors. Any unique beginning of its id will do."""
    from tradex_ledger.audit.describe import Reader
    from tradex_ledger.ledger.application import NoSuchStreamError

    with call.open() as workspace:
        found = workspace.ledger.find_run(run_id)
        reader = Reader(workspace.ledger, as_of)
        if not reader.rows("runs", "run_id = ?", found):
            raise NoSuchStreamError(f"{found} as of {as_of}")
        document = reader.run(found)
    show_run(call.show, document)
    if document["windows"] and not call.as_json:
        call.show.line()
        columns = ("dataset", "layer", "logic_version", "first", "last", "partitions", "windows")
        call.show.table(_by_dataset(document["windows"]), columns)
    if document["status"] in ("PLANNED", "APPROVED", "RUNNING", "FAILED"):
        call.show.note(f"next: {next_step(found, document['status'], document['run_kind'])}")


@command(backfill, "approve", example="tradex backfill approve bf-1m83 --as maria")
@click.argument("run_id", metavar="ID")
@click.option("--plan", "plan_digest", help="Approve only if the plan still has this digest.")
def approve(call: Call, run_id: str, plan_digest: str | None) -> None:
    """Allow the plan on record, and no other."""
    with call.open() as workspace:
        approved = workspace.approve(run_id, plan_digest=plan_digest)
        _moved(call, workspace, approved.id, approved.status)


@command(
    backfill,
    "reject",
    example='tradex backfill reject bf-1m83 --reason "the vendor will redeliver on Monday"',
)
@click.argument("run_id", metavar="ID")
@click.option("--reason", required=True, help="Why not.")
def reject(call: Call, run_id: str, reason: str) -> None:
    """Say no to a request; it stays on record."""
    with call.open() as workspace:
        rejected = workspace.reject(run_id, reason=reason)
        _moved(call, workspace, rejected.id, rejected.status)


@command(backfill, "cancel", example='tradex backfill cancel bf-1m83 --reason "requested for the wrong days"')
@click.argument("run_id", metavar="ID")
@click.option("--reason", required=True, help="Why it ends here.")
def cancel(call: Call, run_id: str, reason: str) -> None:
    """End a backfill before it is published; nothing of Silver or Gold was or will be seen of it."""
    with call.open() as workspace:
        cancelled = workspace.cancel(run_id, reason=reason)
        _moved(call, workspace, cancelled.id, cancelled.status)


def _moved(call: Call, workspace: Any, run_id: str, status: str) -> None:
    if call.as_json:
        report(call, workspace, run_id)
        return
    call.show.line(f"{run_id} is {status}")
    if status == "APPROVED":
        call.show.note(f"next: {next_step(run_id, status)}, or leave it to: tradex worker")


@command(backfill, "run", example="tradex backfill run bf-1m83")
@click.argument("run_id", metavar="ID")
def run(call: Call, run_id: str) -> None:
    """Drive an approved backfill to its end, or take it up where it stopped."""
    with call.open() as workspace, call.show.progress() as progress:
        finished = workspace.drive(run_id, progress=progress)
        report(call, workspace, finished.id)
