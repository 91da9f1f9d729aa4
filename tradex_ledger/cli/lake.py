"""`tradex lake`: the files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, as_of_option, check_only_looks, command, examples
from tradex_ledger.cli.decide import Signing, handed_over, signing_options, write_text
from tradex_ledger.cli.groups import group
from tradex_ledger.cli.layouts import lake as layout

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.lake import LossDocument, PruneDocument
    from tradex_ledger.audit.head import AsOf
    from tradex_ledger.workspace import Workspace


@group("lake", epilog=examples("tradex lake gc\ntradex lake lost"))
def lake() -> None:
    """The files of the lake."""


@command(lake, "gc", example='tradex lake gc\ntradex lake gc --delete --reason "left by the crash of 3 Feb, INC-4310"')
@click.option("--delete", is_flag=True, help="Remove them; without it they are only listed.")
@click.option("--reason", help="With --delete: why; it is put on record with the names of the files.")
def gc(call: Call, delete: bool, reason: str | None) -> None:
    """List (and remove) files that no event names: what crashed drives left behind. Never a file of an event.

    Only what a run of this ledger wrote, and nobody can come back to, is removed. What is foreign is listed, and stays.
    """
    if delete != (reason is not None):
        raise click.UsageError("Give --delete with --reason WHY to remove files, or neither to see them.")
    with call.open(reading=not delete) as workspace:
        found = workspace.lake.garbage() if reason is None else workspace.lake.gc(reason=reason)
    call.result(found, lambda show, document: layout.garbage(show, document, removed=delete))


@command(
    lake,
    "prune",
    example='tradex lake prune gold_signals --reason "version 1 is deprecated, INC-4300" --as ana\n'
    "tradex lake prune gold_signals --as maria\n"
    "tradex lake prune gold_signals --approve 3f2a… --as maria",
)
@click.argument("dataset")
@click.option("--reason", help="Why its old files can be given up; makes the plan.")
@click.option(
    "--approve",
    "digest",
    metavar="DIGEST",
    help="Approve the plan with this digest (12 digits or more), and remove its files.",
)
@as_of_option
def prune(call: Call, dataset: str, reason: str | None, digest: str | None, as_of: str | None) -> None:
    """Give up files of old versions: superseded, reverted, abandoned, or deprecated. Never Bronze, never current.

    One person plans, another looks (neither option) and approves; the event comes first, then the files go.
    Questions as of before name it.
    """
    if reason is not None and digest is not None:
        raise click.UsageError("Give --reason to make a plan, --approve DIGEST to carry one out, or neither to see it.")
    check_only_looks(as_of, reason, digest)
    with call.open(reading=digest is None and reason is None) as workspace:
        if digest is not None:
            paths = workspace.lake.prune(dataset, digest)
            call.result({"pruned": paths}, lambda show, _: show.line(f"{dataset}: {len(paths)} files pruned"))
            return
        if reason is not None:
            workspace.lake.plan_prune(dataset, reason=reason)
        lake = workspace.lake
        call.answer(
            workspace.audit.look,
            as_of,
            lambda at: _waiting(call, lake.waiting_prune(dataset, at), dataset),
            lambda show, document: layout.prune(show, document, dataset),
        )


def _waiting(call: Call, plan: PruneDocument, dataset: str) -> PruneDocument:
    if lost := plan.nowhere_else:
        days = lost[0] if len(lost) == 1 else f"{len(lost)} days from {lost[0]} to {lost[-1]}"
        call.show.warning(f"{dataset} of {days}: under no other version; once pruned, they exist nowhere")
    return plan


@command(
    lake,
    "erase",
    example='tradex lake erase bronze_trades T-4711 --reason "erasure by article 17" --ticket LEGAL-17 --as ana\n'
    "tradex lake erase bronze_trades --as maria\n"
    "tradex lake erase bronze_trades --approve 3f2a… --as maria --sign ~/.ssh/id_ed25519",
)
@click.argument("dataset")
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("--reason", help="Why law wants these rows gone; makes the plan.")
@click.option("--ticket", help="With --reason: the ticket of it.")
@click.option("--approve", "digest", metavar="DIGEST", help="Approve the plan with this digest (12 digits or more).")
@signing_options
def erase(
    call: Call,
    dataset: str,
    keys: tuple[str, ...],
    reason: str | None,
    ticket: str | None,
    digest: str | None,
    **how: Path | None,
) -> int:
    """Erase rows because law asks for it, from every file that holds them. Nobody may, unless may_erase names persons.

    KEYs are those of the first column of the dataset's key. One person plans, another looks (no option) and approves:
    files are written anew without the rows, and the old ones removed. It cannot be undone. Questions as of before name
    the event. The approval is signed where the policy says so (signed has "erase"). Exit status 1 when rows are left in
    files that were written meanwhile.
    """
    signing = Signing(**how)
    if bool(keys) != (reason is not None) or (ticket is not None) != (reason is not None) or (reason and digest):
        raise click.UsageError("Give KEYs, --reason and --ticket to make a plan, or --approve DIGEST, or none of them.")
    if digest is None and any(how.values()):
        raise click.UsageError("What is signed is an approval: give --approve DIGEST, too.")
    with call.open(reading=(digest or reason) is None, records=signing.print_text is None) as workspace:
        if digest is not None:
            seen = workspace.ledger.position()
            text = partial(workspace.lake.erasure_text, dataset, digest, seen=seen)
            if signing.print_text is not None:
                command = f"tradex lake erase {dataset} --approve {digest}"
                write_text(call, workspace, text(), signing.print_text, command)
                return 0
            found = workspace.lake.erase(dataset, digest, seen=seen, signed=handed_over(workspace, text, signing))
        elif reason is not None and ticket is not None:
            found = workspace.lake.plan_erasure(dataset, keys, reason=reason, ticket=ticket)
        else:
            found = workspace.lake.waiting_erasure(dataset)
    call.result(found, lambda show, document: layout.erasure(show, document, dataset))
    return 1 if found.left else 0


@command(
    lake,
    "lost",
    example="tradex lake lost\n"
    'tradex lake lost bronze_trades --reason "the disk of rack 4 died, INC-4400" --as ana\n'
    "tradex lake lost bronze_trades --approve 3f2a… --as maria",
)
@click.argument("dataset", required=False)
@click.option("--reason", help="Why files of DATASET that are missing or changed are lost; declares them.")
@click.option("--file", "only", multiple=True, metavar="PATH", help="With --reason: only this file (can be repeated).")
@click.option("--approve", "digest", metavar="DIGEST", help="Confirm what somebody else declared (12 digits or more).")
@as_of_option
def lost_(
    call: Call,
    dataset: str | None,
    reason: str | None,
    only: tuple[str, ...],
    digest: str | None,
    as_of: str | None,
) -> int:
    """Files that are missing or changed, and the way out of it: every file that an event names is hashed.

    One person declares them lost, another confirms it: from then on their days can be extracted or built again, and
    questions that need them name the event. Exit status 1 when something is wrong that nobody has declared. With
    --as-of: the files that were named then, as they are in the lake now.
    """
    check_only_looks(as_of, reason, only, digest)
    if (reason is not None or digest is not None) and dataset is None:
        raise click.UsageError("Name the DATASET whose files are lost.")
    if (reason is not None and digest is not None) or (only and reason is None):
        raise click.UsageError("Give --reason to declare files lost, --approve DIGEST to confirm it, or neither.")
    # A lake that is lost as a whole has no marker either.
    with call.open(reading=reason is None and digest is None, tolerates=("lake-unmarked",)) as workspace:
        if dataset is not None and digest is not None:
            from tradex_ledger.audit.documents.lake import ConfirmedDocument

            lost = workspace.lake.confirm_loss(dataset, digest)
            call.result(ConfirmedDocument(list(lost)), lambda show, document: layout.confirmed(show, document, dataset))
            return 0
        if dataset is not None and reason is not None:
            workspace.lake.declare_loss(dataset, reason=reason, only=only)
        found = call.answer(
            workspace.audit.look, as_of, lambda at: _losses(call, workspace, dataset, at), layout.losses
        )
    return 0 if reason is not None or not (found.undeclared or found.back) else 1


def _losses(call: Call, workspace: Workspace, dataset: str | None, at: AsOf) -> LossDocument:
    found = workspace.lake.losses(dataset, at)
    if found.nothing_there:
        root = workspace.core.lake.name
        call.show.warning(f"not one of {found.checked} files is there: is the lake {root} mounted?")
    return found
