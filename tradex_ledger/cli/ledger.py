"""`tradex ledger`: which ledger this is, and how one goes on that was put back from a copy."""

from __future__ import annotations

import click

from tradex_ledger.cli.common import Call, command, examples
from tradex_ledger.cli.layouts.lake import epoch_plan, identity

LOST_HEAD = ("ledger-behind", "ledger-forked")
"""What a ledger that was put back from a copy is refused with."""


@click.group("ledger", epilog=examples("tradex ledger show"))
def ledger() -> None:
    """The ledger and its lake: whether they belong together."""


@command(ledger, "show", example="tradex ledger show")
def show(call: Call) -> int:
    """Which ledger this is, how far it has come, what its lake knows of it. Exit 1: they do not belong together."""
    with call.open(reading=True) as workspace:
        found = workspace.lake.identity()
    call.result(found, identity)
    return 1 if found.problem else 0


@command(
    ledger,
    "epoch",
    example='tradex ledger epoch --lost-head 1204 --reason "disk lost, backup of 3 Feb, INC-4320" --as ana\n'
    "tradex ledger epoch --as maria\n"
    "tradex ledger epoch --approve 3f2a… --as maria",
)
@click.option(
    "--lost-head",
    type=click.IntRange(1),
    metavar="POSITION",
    help="The last position of the ledger that was lost, at least the one that the lake knows; with --reason.",
)
@click.option("--reason", help="What happened, and why nothing better can be put back.")
@click.option("--approve", "digest", metavar="DIGEST", help="Approve the epoch with this digest (12 digits or more).")
def epoch(call: Call, lost_head: int | None, reason: str | None, digest: str | None) -> None:
    """Let a ledger that was put back from a copy go on without what came after: a new epoch.

    Put back the newest copy first; this is for when there is none. One person asks and names the head that was lost,
    another looks (no option) and approves. Files of lost runs stay in the lake, foreign to this ledger.
    """
    asks = lost_head is not None and reason is not None
    if (digest is not None and (lost_head is not None or reason is not None)) or (lost_head is None) != (
        reason is None
    ):
        raise click.UsageError(
            "Give --lost-head POSITION with --reason WHY to ask, --approve DIGEST to approve, or neither to see."
        )
    with call.open(reading=digest is None and not asks, tolerates=LOST_HEAD) as workspace:
        if digest is not None:
            number = workspace.lake.begin_epoch(digest)
            call.result({"epoch": number}, lambda show, _: show.line(f"epoch {number} has begun"))
            return
        if lost_head is not None and reason is not None:
            workspace.lake.plan_epoch(lost_head, reason=reason)
        plan = workspace.lake.waiting_epoch()
    call.result(plan, epoch_plan)
