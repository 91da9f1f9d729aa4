"""`tradex backfill`: reprocess history, asked for, approved, driven and on record."""

from __future__ import annotations

from datetime import date
from typing import Any

import click

from tradex_ledger.cli.common import Call, as_of_option, command
from tradex_ledger.cli.request import by_dataset, request
from tradex_ledger.cli.runs import RUN_COLUMNS, next_step, report, run_row, show_run


@click.group("backfill")
def backfill() -> None:
    """Reprocess history: request, approve, run, and see what it did."""


backfill.add_command(request)


@command(backfill, "list", example="tradex backfill list --status FAILED")
@click.option("--status", help="Only those with this status (PLANNED, APPROVED, RUNNING, FAILED, SUCCESS, …).")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@as_of_option
def list_(call: Call, status: str | None, limit: int, as_of: str | None) -> None:
    """Backfills, newest first."""
    runs = call.reader(as_of).runs(kind="backfill", status=status.upper() if status else None, limit=limit)
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
        reader = Reader(workspace.ledger.engine, as_of)
        if not reader.rows("runs", "run_id = ?", found):
            raise NoSuchStreamError(f"{found} as of {as_of}")
        document = reader.run(found)
    show_run(call.show, document)
    if document["windows"] and not call.as_json:
        call.show.line()
        columns = ("dataset", "layer", "logic_version", "first", "last", "partitions", "windows")
        call.show.table(by_dataset(document["windows"]), columns)
    if document["status"] in ("PLANNED", "APPROVED", "RUNNING", "FAILED", "PAUSED", "HELD"):
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


@command(
    backfill,
    "pause",
    example='tradex backfill pause bf-1m83 --reason "the machine is needed for the close of the market"',
)
@click.argument("run_id", metavar="ID")
@click.option("--reason", required=True, help="Why it has to wait.")
def pause(call: Call, run_id: str, reason: str) -> None:
    """Stop a backfill between two windows. What was built stays; `resume` lets it go on."""
    with call.open() as workspace:
        paused = workspace.pause(run_id, reason=reason)
        _moved(call, workspace, paused.id, paused.status)


@command(backfill, "resume", example="tradex backfill resume bf-1m83")
@click.argument("run_id", metavar="ID")
def resume(call: Call, run_id: str) -> None:
    """Let a paused backfill be driven again (by `backfill run`, or a worker)."""
    with call.open() as workspace:
        resumed = workspace.resume(run_id)
        _moved(call, workspace, resumed.id, resumed.status)


@command(
    backfill,
    "release",
    example='tradex backfill release bf-1m83 --reason "the vendor confirmed: half the posts that day"',
)
@click.argument("run_id", metavar="ID")
@click.option("--reason", required=True, help="Why what was held is right.")
def release(call: Call, run_id: str, reason: str) -> None:
    """Let a held run publish what was held (compare first: tradex audit diff --candidate ID)."""
    with call.open() as workspace:
        released = workspace.release(run_id, reason=reason)
        _moved(call, workspace, released.id, released.status)


@command(backfill, "revert", example='tradex backfill revert bf-1m83 --reason "the redelivery was broken, INC-4290"')
@click.argument("run_id", metavar="ID")
@click.option("--reason", required=True, help="Why what it published is wrong.")
def revert(call: Call, run_id: str, reason: str) -> None:
    """Take back what a backfill published: earlier versions are current again. Bronze stays as it is.

    Refused, naming the blocker, when a later run stands on top of it.
    """
    with call.open() as workspace:
        reverted = workspace.revert(run_id, reason=reason)
        _moved(call, workspace, reverted.id, reverted.status)
    call.show.note("what should be recomputed now: tradex backfill propose")


@command(backfill, "propose", example="tradex backfill propose\ntradex backfill propose --submit")
@click.option("--submit", is_flag=True, help="Request them; each still waits for its approval.")
def propose(call: Call, submit: bool) -> None:
    """What should be reprocessed: late data, reverted inputs, half-done runs, as requests ready to submit."""
    from tradex_ledger.executors.propose import propose as find

    show = call.show
    with call.open() as workspace:
        found = find(workspace.ledger)
        for item in found if submit else ():
            if item["kind"] != "resume":
                first, last = date.fromisoformat(item["first"]), date.fromisoformat(item["last"])
                made = workspace.request(
                    kind=item["kind"],
                    dataset=item["dataset"],
                    first=first,
                    last=last,
                    override_state=False,
                    reason=item["reason"],
                )
                item["requested"] = made.id
    if show.as_json:
        show.document(found)
        return
    for item in found:
        show.line(f"# {item['reason']}")
        show.line(f"requested {item['requested']}" if "requested" in item else item["command"])
    if not found:
        show.note("nothing is stale, and no run is half done")
