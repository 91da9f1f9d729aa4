"""What `tradex lake lost` shows: what is missing or changed, what waits to be confirmed, what became of the rest."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from tradex_ledger.cli.common import Call

if TYPE_CHECKING:
    from tradex_ledger.domain.waiting import FileList, ListedFile
    from tradex_ledger.upkeep.lost import Look


def confirmed(call: Call, dataset: str, files: tuple[ListedFile, ...]) -> None:
    """Files are lost from here on; what comes next."""
    from tradex_ledger.domain.day import iso

    if call.as_json:
        call.show.document({"lost": [listed.to_event() for listed in files]})
        return
    n_rows = sum(listed.file.rows for listed in files)
    call.show.line(f"{dataset}: {len(files)} files with {n_rows} rows are lost")
    days = sorted({listed.day for listed in files})
    call.show.note(f"next: {_again(dataset, [iso(day) for day in days])}")


def looked(call: Call, workspace: Any, dataset: str | None, *, declared: bool) -> int:
    """Show a look at all files; returns the exit status: 1 when something is wrong that nobody has declared."""
    from tradex_ledger.upkeep.lost import find_lost

    look = find_lost(workspace.ledger, workspace.lake, dataset)
    names = [dataset] if dataset else list(workspace.pipeline.definitions)
    plans: dict[str, FileList] = {name: plan for name in names if (plan := workspace.dataset(name).loss_plan)}
    waiting = {path for plan in plans.values() for path in plan.paths}
    open_ = [file for file in look.wrong if file["path"] not in waiting]
    status = 0 if declared or not (open_ or look.back) else 1
    if look.nothing_there:
        call.show.warning(f"not one of {look.checked} files is there: is the lake {workspace.lake.root} mounted?")
    if call.as_json:
        call.show.document(
            {
                "checked": look.checked,
                "wrong": look.wrong,
                "lost": look.lost,
                "waiting": [p.to_event() for p in plans.values()],
            }
        )
        return status
    call.show.table(look.wrong, ("path", "problem", "rows", "partition", "logic_version"))
    _tell_lost(call, look)
    for name, plan in plans.items():
        call.show.line(
            f"declared lost by {plan.by}: {len(plan.files)} files of {name} with {plan.rows} rows ({plan.digest})"
        )
        call.show.note(f"next, somebody else: tradex lake lost {name} --approve {plan.digest}")
    for name in sorted({file["dataset"] for file in open_}):
        call.show.note(f"restore them from a backup, or: tradex lake lost {name} --reason …")
    call.show.note(f"{look.checked} files hashed: {len(look.wrong)} wrong, {len(look.lost)} declared lost")
    return status


def losses(document: dict[str, Any]) -> list[str]:
    """What a run's days have lost in Bronze, and how much of it was found again."""
    return [
        f"of {row['rows']} rows of {row['dataset']} {row['partition']} that were declared lost (position "
        f"{row['position']}), "
        + (f"{row['appended_since']} were found again" if row["extracted"] else "none is there yet")
        for row in document["losses"]
    ]


def _tell_lost(call: Call, look: Look) -> None:
    """What was declared lost, day by day: what was lost, what is there again, and what is still to be done."""
    for (name, day), found in groupby(
        sorted(look.lost, key=lambda file: (file["dataset"], file["partition"])),
        key=lambda file: (file["dataset"], file["partition"]),
    ):
        files = list(found)
        first = files[0]
        text = (
            f"{name} {day}: {len(files)} files with {sum(file['rows'] for file in files)} rows were declared lost "
            f"(position {first['position']}, {first['declared_by']} and {first['confirmed_by']}: {first['reason']})"
        )
        if first["appended_since"] is not None and first["mended_position"] is not None:
            text += f"; extracted again, {first['appended_since']} rows were found since"
        call.show.line(text)
        if any(file["mended_position"] is None for file in files):
            call.show.note(f"next: {_again(name, [str(day)])}")
    for file in look.back:
        call.show.warning(
            f"{file['path']} was declared lost (position {file['position']}) and is there again as it was written; "
            "questions as of before that read it, nothing else does"
        )


def _again(dataset: str, days: list[str]) -> str:
    return f"tradex backfill request temporal {dataset} --from {days[0]} --to {days[-1]} --no-override-state --reason …"
