"""`tradex lake`: the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tradex_ledger.cli.common import Call, command, examples
from tradex_ledger.cli.losses import confirmed, looked
from tradex_ledger.cli.show import bytes_text

if TYPE_CHECKING:
    from tradex_ledger.upkeep.gc import Unreferenced


@click.group("lake", epilog=examples("tradex lake gc\ntradex lake lost"))
def lake() -> None:
    """The files of the lake."""


@command(lake, "gc", example='tradex lake gc\ntradex lake gc --delete --reason "left by the crash of 3 Feb, INC-4310"')
@click.option("--delete", is_flag=True, help="Remove them; without it they are only listed.")
@click.option("--reason", help="With --delete: why; it is put on record with the names of the files.")
def gc(call: Call, delete: bool, reason: str | None) -> None:
    """List (and remove) files that no event names: what crashed drives left behind. Never a file of an event.

    Only what a run of this ledger wrote, and nobody can come back to, is removed. What is foreign is listed, and stays.
    """
    from tradex_ledger.upkeep.gc import find_unreferenced, removable

    if delete != (reason is not None):
        raise click.UsageError("Give --delete with --reason WHY to remove files, or neither to see them.")
    with call.open(reading=not delete) as workspace:
        if reason is not None:
            found, gone = workspace.collect_garbage(reason=reason)
        else:
            found, gone = find_unreferenced(workspace.ledger, workspace.lake), []
    if call.as_json:
        call.show.document(
            {
                "files": [_file_row(item) for item in found if not item.is_foreign],
                "foreign": [_file_row(item) for item in found if item.is_foreign],
                "deleted": [item.path for item in gone],
                "bytes": sum(item.bytes for item in found if not item.is_foreign),
            }
        )
        return
    call.show.table([_file_row(item) for item in found], ("path", "bytes", "run_id", "run_status", "kept"))
    _note_garbage(call, found, removable(found), gone if delete else None)


def _file_row(item: Unreferenced) -> dict[str, Any]:
    names = ("path", "bytes", "run_id", "run_status", "modified_at", "kept")
    return {name: getattr(item, name) for name in names}


def _note_garbage(
    call: Call, found: list[Unreferenced], can_go: list[Unreferenced], gone: list[Unreferenced] | None
) -> None:
    """How much there is, what was removed or could be, and what stays."""
    ours = [item for item in found if not item.is_foreign]
    left, foreign = len(ours) - len(can_go), len(found) - len(ours)
    kept = f"; {left} stay for now, see why (a run that may go on: drive it, or cancel it)" if left else ""
    strange = f"; {foreign} foreign, never touched" if foreign else ""
    if gone is not None:
        freed = bytes_text(sum(item.bytes for item in gone))
        call.show.note(f"removed {len(gone)}, {freed}{kept}{strange}")
        return
    total = bytes_text(sum(item.bytes for item in ours))
    hint = f"; remove {len(can_go)} of them: tradex lake gc --delete --reason …" if can_go else ""
    call.show.note(f"{len(ours)} that no event names, {total}{hint}{kept}{strange}")


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
def prune(call: Call, dataset: str, reason: str | None, digest: str | None) -> None:
    """Give up files of old versions: superseded, reverted, abandoned, or deprecated. Never Bronze, never current.

    One person plans, another looks (neither option) and approves; the event comes first, then the files go.
    Questions as of before name it.
    """
    if reason is not None and digest is not None:
        raise click.UsageError("Give --reason to make a plan, --approve DIGEST to carry one out, or neither to see it.")
    with call.open(reading=digest is None and reason is None) as workspace:
        if digest is not None:
            paths = workspace.prune(dataset, digest)
            if call.as_json:
                call.show.document({"pruned": paths})
            else:
                call.show.line(f"{dataset}: {len(paths)} files pruned")
            return
        if reason is not None:
            workspace.plan_prune(dataset, reason=reason)
        _show_prune(call, workspace, dataset)


def _show_prune(call: Call, workspace: Any, dataset: str) -> None:
    """The plan that waits for its approval: what would go, and which days would be nowhere then."""
    from tradex_ledger.upkeep.prune import lost_days

    plan = workspace.dataset(dataset).prune_plan
    files = [listed.to_event() for listed in plan.files] if plan else []
    lost = lost_days(workspace.ledger, dataset, plan.paths if plan else set())
    if lost:
        days = lost[0] if len(lost) == 1 else f"{len(lost)} days from {lost[0]} to {lost[-1]}"
        call.show.warning(f"{dataset} of {days}: under no other version; once pruned, they exist nowhere")
    if call.as_json:
        call.show.document({"digest": plan and plan.digest, "files": files, "nowhere_else": lost})
        return
    if plan is None:
        call.show.note(f"no plan to prune {dataset} waits; make one: tradex lake prune {dataset} --reason …")
        return
    call.show.table(files, ("path", "bytes", "partition", "logic_version"))
    call.show.line(f"plan {plan.digest} by {plan.by}: {len(files)} files, {bytes_text(plan.bytes)}")
    call.show.note(f"next, somebody else: tradex lake prune {dataset} --approve {plan.digest}")


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
def lost(call: Call, dataset: str | None, reason: str | None, only: tuple[str, ...], digest: str | None) -> int:
    """Files that are missing or changed, and the way out of it: every file that an event names is hashed.

    One person declares them lost, another confirms it: from then on their days can be extracted or built again, and
    questions that need them name the event. Exit status 1 when something is wrong that nobody has declared.
    """
    if (reason is not None or digest is not None) and dataset is None:
        raise click.UsageError("Name the DATASET whose files are lost.")
    if (reason is not None and digest is not None) or (only and reason is None):
        raise click.UsageError("Give --reason to declare files lost, --approve DIGEST to confirm it, or neither.")
    from tradex_ledger.lake.identity_errors import UnmarkedLakeError

    # A lake that is lost as a whole has no marker either.
    with call.open(reading=reason is None and digest is None, tolerates=(UnmarkedLakeError,)) as workspace:
        if dataset is not None and digest is not None:
            confirmed(call, dataset, workspace.confirm_loss(dataset, digest))
            return 0
        if dataset is not None and reason is not None:
            workspace.declare_loss(dataset, reason=reason, only=only)
        return looked(call, workspace, dataset, declared=reason is not None)
