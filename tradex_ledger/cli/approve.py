"""`tradex backfill approve` and `reject`: a person decides on plans that are shown first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, command
from tradex_ledger.cli.decide import Signing, handed, print_text, show_first, signing_options
from tradex_ledger.cli.layouts.run import next_step
from tradex_ledger.cli.show import Show
from tradex_ledger.domain.signing import APPROVE, REJECT

if TYPE_CHECKING:
    from tradex_ledger.workspace import Workspace

_backfill = click.Group()


@command(
    _backfill,
    "approve",
    example='tradex backfill approve bf-1m83 --as maria --comment "as agreed on Monday"\n'
    "tradex backfill approve bf-1m83 --group --hold\n"
    "tradex backfill approve bf-1m83 --as maria --sign ~/.ssh/id_ed25519\n"
    "tradex backfill approve bf-1m83 --as maria --print-text approval",
)
@click.argument("run_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--group", is_flag=True, help="With the other parts of the request that wait, where it was split.")
@click.option("--comment", help="What is to be on record beside it.")
@click.option("--hold", is_flag=True, help="Hold it before its publication, for somebody to compare and release.")
@click.option("--plan", "plan_digest", help="Approve only if the plan still has this digest (12 digits or more).")
@click.option(
    "--seen",
    type=click.IntRange(1),
    metavar="POSITION",
    help="As of which position you looked: refused if its effects are other now. Else it is what is shown here.",
)
@signing_options
def approve(
    call: Call,
    run_ids: tuple[str, ...],
    group: bool,
    comment: str | None,
    hold: bool,
    plan_digest: str | None,
    seen: int | None,
    **how: Path | None,
) -> None:
    """Allow the plan on record, which is shown first, and no other; sign it where the policy says so (forced ones).

    Several are allowed together, or none of them is.
    """
    signing = Signing(**how)
    if signing.print_text is not None and (comment is not None or hold):
        raise click.UsageError("--comment and --hold are no part of the text: give them with --signature.")
    with call.open(records=signing.print_text is None) as workspace:
        named = dict.fromkeys(part for one in run_ids for part in _parts(workspace, one, group))
        if len(named) > 1 and (plan_digest or signing.print_text or signing.signature):
            raise click.UsageError("--plan, --print-text and --signature are of one backfill; --sign signs each.")
        looks = [show_first(call, workspace, run_id, APPROVE, among=len(named)) for run_id in named]
        looks = [replace(look, position=seen or look.position) for look in looks]
        if signing.print_text is not None:
            print_text(call, workspace, looks[0], APPROVE, signing.print_text)
            return
        signed = {look.run_id: given for look in looks if (given := handed(workspace, look, APPROVE, signing))}
        if len(looks) == 1:
            (look,) = looks
            done = [
                workspace.backfills.approve(
                    look.run_id,
                    plan_digest=look.plan_digest if plan_digest is None else plan_digest,
                    comment=comment,
                    hold=hold,
                    seen=look.position,
                    signed=signed.get(look.run_id),
                )
            ]
        else:
            ids, shown = [look.run_id for look in looks], looks[0].position
            done = workspace.backfills.approve_all(ids, comment=comment, hold=hold, seen=shown, signed=signed)
        _approved(call, workspace, [one.id for one in done])


def _parts(workspace: Workspace, prefix: str, group: bool) -> list[str]:
    return workspace.backfills.parts(prefix) if group else [workspace.backfills.find(prefix)]


def _approved(call: Call, workspace: Workspace, ids: list[str]) -> None:
    for run_id in ids:
        say_policy(call, workspace, run_id)
    if len(ids) == 1:
        moved(call, workspace, ids[0], "APPROVED")
        return

    def said() -> None:
        for run_id in ids:
            call.show.line(f"{run_id} is APPROVED")
        call.show.note("next: tradex backfill run ID of each, or leave them to: tradex worker")

    call.either(lambda: [workspace.audit.run(run_id) for run_id in ids], said)


@command(
    _backfill,
    "reject",
    example='tradex backfill reject bf-1m83 --reason "the vendor will redeliver on Monday"',
)
@click.argument("run_id", metavar="ID")
@click.option("--reason", help="Why not.")
@signing_options
def reject(call: Call, run_id: str, reason: str | None, **how: Path | None) -> None:
    """Say no to a request, which is shown first; it stays on record. A signature is not demanded."""
    signing = Signing(**how)
    if reason is None and signing.print_text is None:
        raise click.UsageError("Missing option '--reason'.")
    with call.open(records=signing.print_text is None) as workspace:
        look = show_first(call, workspace, run_id, REJECT)
        if signing.print_text is not None:
            print_text(call, workspace, look, REJECT, signing.print_text)
            return
        signed = handed(workspace, look, REJECT, signing)
        rejected = workspace.backfills.reject(look.run_id, reason=reason or "", seen=look.position, signed=signed)
        moved(call, workspace, rejected.id, rejected.status)


def say_policy(call: Call, workspace: Workspace, run_id: str) -> None:
    """Say that a backfill was planned or approved under another policy than what it is judged by now."""
    for text in workspace.policy.changes(run_id):
        call.show.warning(text)


def moved(call: Call, workspace: Workspace, run_id: str, status: str) -> None:
    """Show a run that was moved by a decision, or say where it stands and what comes next."""
    call.either(lambda: workspace.audit.run(run_id), lambda: _say_moved(call.show, run_id, status))


def _say_moved(show: Show, run_id: str, status: str) -> None:
    show.line(f"{run_id} is {status}")
    if status == "APPROVED":
        incremental = run_id.startswith("run-")
        step = next_step(run_id, status, "incremental" if incremental else "backfill")
        show.note(f"next: {step}" + ("" if incremental else ", or leave it to: tradex worker"))
