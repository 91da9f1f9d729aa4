"""`tradex backfill`: reprocess history, asked for, approved, driven and on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.approve import approve, moved, reject, say_policy
from tradex_ledger.cli.common import Call, as_of_option, command, examples, rows_options
from tradex_ledger.cli.groups import group
from tradex_ledger.cli.layouts.run import COLUMNS, next_step, run_row, shown
from tradex_ledger.cli.request import request
from tradex_ledger.cli.runs import report
from tradex_ledger.cli.show import Show
from tradex_ledger.domain.life import ACTIVE
from tradex_ledger.lifecycle import statuses

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.listed import Listed
    from tradex_ledger.domain.advice import Advice


@group(
    "backfill",
    epilog=examples("tradex backfill list\ntradex backfill request temporal --help\ntradex backfill show bf-1m83"),
)
def backfill() -> None:
    """Reprocess history: request, approve, run, and see what it did."""


backfill.add_command(request)


@command(backfill, "list", example="tradex backfill list --status FAILED")
@click.option("--status", type=click.Choice(statuses(), case_sensitive=False), help="Only those with this status.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@as_of_option
@rows_options
def list_(call: Call, status: str | None, limit: int, as_of: str | None) -> None:
    """Backfills, newest first."""
    look, wanted = call.look(), status and status.upper()
    call.answer(look, as_of, lambda at: look.runs(at, kind="backfill", status=wanted, limit=limit), _listed)


def _listed(show: Show, runs: list[Listed]) -> None:
    if show.output is not None:
        from tradex_ledger.relations.runs import Run

        show.export(Run._fields, [listed.run for listed in runs])
        return
    show.table([run_row(listed.run) for listed in runs], COLUMNS)
    if not runs:
        show.note("there is no such backfill; ask for one: tradex backfill request temporal --help")


@command(
    backfill,
    "show",
    example="tradex backfill show bf-1m83\n"
    "tradex backfill show bf-1m83 --as-of 120\n"
    "tradex backfill show bf-1m83 --timeline",
)
@click.argument("run_id", metavar="ID")
@click.option(
    "--timeline", is_flag=True, help="How its life went: what it waited for, and when its windows were built."
)
@as_of_option
def show_(call: Call, run_id: str, timeline: bool, as_of: str | None) -> None:
    """A run whole: request, plan, approval, progress, layers, errors. Any unique beginning of its id will do."""
    if timeline:
        from tradex_ledger.cli.layouts.timeline import timeline as layout

        look = call.look()
        call.answer(look, as_of, lambda at: look.timeline(run_id, at), layout)
        return
    with call.open(reading=True) as workspace:
        audit = workspace.audit
        document = call.answer(audit.look, as_of, lambda at: audit.run(run_id, at), shown)
    if as_of is None and document.status in ACTIVE:
        call.show.note(f"next: {next_step(document.id, document.status, document.run.run_kind)}")


backfill.add_command(approve)
backfill.add_command(reject)


@command(backfill, "cancel", example='tradex backfill cancel bf-1m83 --reason "requested for the wrong days"')
@click.argument("run_id", metavar="ID")
@click.option("--reason", required=True, help="Why it ends here.")
def cancel(call: Call, run_id: str, reason: str) -> None:
    """End a backfill before it is published; nothing of Silver or Gold was or will be seen of it."""
    with call.open() as workspace:
        cancelled = workspace.runs.cancel(run_id, reason=reason)
        moved(call, workspace, cancelled.id, cancelled.status)


@command(backfill, "run", example="tradex backfill run bf-1m83")
@click.argument("run_id", metavar="ID")
def run(call: Call, run_id: str) -> None:
    """Drive an approved backfill to its end, or take it up where it stopped."""
    with call.open() as workspace:
        say_policy(call, workspace, workspace.backfills.find(run_id))
        with call.show.progress() as progress:
            finished = workspace.runs.drive(run_id, progress=progress)
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
        paused = workspace.backfills.pause(run_id, reason=reason)
        moved(call, workspace, paused.id, paused.status)


@command(backfill, "resume", example="tradex backfill resume bf-1m83")
@click.argument("run_id", metavar="ID")
def resume(call: Call, run_id: str) -> None:
    """Let a paused backfill be driven again (by `backfill run`, or a worker)."""
    with call.open() as workspace:
        resumed = workspace.backfills.resume(run_id)
        moved(call, workspace, resumed.id, resumed.status)


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
        released = workspace.runs.release(run_id, reason=reason)
        moved(call, workspace, released.id, released.status)


@command(
    backfill,
    "revert",
    example="tradex backfill revert bf-1m83 --dry-run\n"
    'tradex backfill revert bf-1m83 --reason "the redelivery was broken, INC-4290"',
)
@click.argument("run_id", metavar="ID")
@click.option("--reason", help="Why what it published is wrong.")
@click.option("--dry-run", is_flag=True, help="Only say what would be current again, be stale, and stand in the way.")
def revert(call: Call, run_id: str, reason: str | None, dry_run: bool) -> int:
    """Take back what a backfill published: earlier versions are current again. Bronze stays as it is.

    Refused, naming the blocker, when a later run stands on top of it. Where other rows are known to have come of the
    very inputs of what is current again, that is said, and an alert. With --dry-run nothing is recorded; exit status 3
    when something stands in the way.
    """
    if dry_run:
        from tradex_ledger.cli.layouts.reversal import reversal

        with call.open(reading=True) as workspace:
            call.result(found := workspace.backfills.reversal(run_id), reversal)
        return 3 if found.in_the_way else 0
    if reason is None:
        raise click.UsageError("Missing option '--reason'.")
    with call.open() as workspace:
        reverted = workspace.backfills.revert(run_id, reason=reason)
        moved(call, workspace, reverted.id, reverted.status)
        for twice in workspace.audit.look.two_contents():
            if twice.dataset in reverted.candidates:  # what is current again may be one of two
                call.show.warning(twice.message)
    call.show.note("what should be recomputed now: tradex backfill propose")
    return 0


@command(backfill, "propose", example="tradex backfill propose\ntradex backfill propose --submit")
@click.option("--submit", is_flag=True, help="Request them; each still waits for its approval.")
@click.option("--no-source", is_flag=True, help="Do not read the source: late posts are not found then.")
def propose(call: Call, submit: bool, no_source: bool) -> int:
    """What should be reprocessed: late data, changed inputs, new logic, half-done runs, as requests ready to submit.

    The source is read to find late posts, which may take its time. Exit status 1 when a request was refused.
    """
    show = call.show
    with call.open(records=submit or not no_source) as workspace, show.progress() as progress:
        if not no_source:
            show.note(f"reading the source for late {workspace.core.words.row()}s (to leave it out: --no-source)")
        found = workspace.backfills.propose(source=not no_source, progress=progress)
        found = workspace.backfills.submit(found) if submit else found
    unread = " (the source was not read)" if no_source else ""
    call.either(lambda: [item.to_document() for item in found], lambda: _proposed(show, found, unread))
    return 1 if any(item.refused for item in found) else 0


def _proposed(show: Show, found: list[Advice], unread: str) -> None:
    for item in found:
        show.line(f"# {item.reason}")
        if item.requested and item.status:
            show.line(f"requested {item.requested}; next: {next_step(item.requested, item.status)}")
        elif item.command:
            for run_id in item.first_cancel or ():
                show.line(f'tradex backfill cancel {run_id} --reason "it is outdated: asked for anew"')
            show.line(item.command)
        if item.refused:
            show.warning(f"not requested: {item.refused.message}")
            show.note(f"mend: {item.refused.mend}")
    if not found:
        show.note(f"nothing is late or stale, and no run is half done{unread}")
