"""How the files of the lake look: what no event names, what would be given up, what is lost; whose lake it is."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from tradex_ledger.cli.show import Show
from tradex_ledger.cli.words import bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradex_ledger.audit.documents.lake import (
        ConfirmedDocument,
        ErasureDocument,
        GarbageDocument,
        IdentityDocument,
        LossDocument,
        Lost,
        PruneDocument,
    )
    from tradex_ledger.domain.waiting import EpochPlan

NAMED = "ledger", "epoch", "position", "lake"


def garbage(show: Show, document: GarbageDocument, *, removed: bool) -> None:
    """What no event names, how much that is, what was `removed` or could be, and what stays."""
    show.rows(document.listed, ("path", "bytes", "run_id", "run_status", "kept"))
    left, foreign = len(document.files) - document.removable, len(document.foreign)
    kept = f"; {left} stay for now, see why (a run that may go on: drive it, or cancel it)" if left else ""
    strange = f"; {foreign} foreign, never touched" if foreign else ""
    if removed:
        freed = bytes_text(sum(one.bytes for one in document.removed))
        show.note(f"removed {len(document.removed)}, {freed}{kept}{strange}")
        return
    can_go = document.removable
    hint = f"; remove {can_go} of them: tradex lake gc --delete --reason …" if can_go else ""
    show.note(f"{len(document.files)} that no event names, {bytes_text(document.bytes)}{hint}{kept}{strange}")


def prune(show: Show, document: PruneDocument, dataset: str) -> None:
    """The plan to prune a dataset that waits for its approval."""
    if (plan := document.plan) is None:
        show.note(f"no plan to prune {dataset} waits; make one: tradex lake prune {dataset} --reason …")
        return
    show.table([listed.to_event() for listed in plan.files], ("path", "bytes", "partition", "logic_version"))
    show.line(f"plan {plan.digest} by {plan.by}: {len(plan.files)} files, {bytes_text(plan.bytes)}")
    show.note(f"next, somebody else: tradex lake prune {dataset} --approve {plan.digest}")


def erasure(show: Show, document: ErasureDocument, dataset: str) -> None:
    """What is to be erased, and was: files, what was delivered with it, and what comes next."""
    if (plan := document.plan) is None:
        show.note(f"no erasure waits; plan one: tradex lake erase {dataset} KEY… --reason … --ticket …")
        return
    show.table([one.to_event() for one in plan.files], ("path", "erased", "rows", "partition", "logic_version"))
    what = f"{plan.erased} rows of {len(plan.files)} files, for {len(plan.keys)} keys ({plan.ticket}: {plan.reason})"
    show.line(f"erasure {plan.digest} by {plan.by}, {document.status}: {what}")
    if document.unknown:
        show.warning(f"no row has the key {', '.join(document.unknown)}")
    if document.mentions:
        show.warning(f"{document.mentions} other rows name such a key in a text (reposts, quotes): they stay")
    if plan.delivered:
        show.line(f"delivered with them, and yours to remove: {', '.join(plan.delivered)}")
    if document.status == "ended":
        show.note("caches of other machines, backups and delivered files may hold them still: docs/lake.md")
        show.note("next: tradex backfill propose (what was built upon them is stale)")
    else:
        who = "" if document.status != "waits" else ", somebody else"
        show.note(f"next{who}: tradex lake erase {dataset} --approve {plan.digest}")
    for one in document.left:
        show.warning(f"{one.listed.file.path} was written meanwhile, and holds {one.rows} of them: plan anew")


def losses(show: Show, document: LossDocument) -> None:
    """A look at all files: what is missing or changed, what waits to be confirmed, what became of the rest."""
    show.rows(document.wrong, ("path", "problem", "rows", "partition", "logic_version"))
    lost = sorted(document.lost, key=_of_day)
    for (dataset, day), found in groupby(lost, key=_of_day):
        _lost_day(show, dataset, str(day), list(found))
    for file in document.back:
        show.warning(
            f"{file.path} was declared lost (position {file.position}) and is there again as it was written; "
            "questions as of before that read it, nothing else does"
        )
    for dataset, plan in zip(document.of, document.waiting, strict=True):
        what = f"{len(plan.files)} files of {dataset} with {plan.rows} rows ({plan.digest})"
        show.line(f"declared lost by {plan.by}: {what}")
        show.note(f"next, somebody else: tradex lake lost {dataset} --approve {plan.digest}")
    for dataset in sorted({file.dataset for file in document.undeclared}):
        show.note(f"restore them from a backup, or: tradex lake lost {dataset} --reason …")
    counts = f"{len(document.wrong)} wrong, {len(document.lost)} declared lost"
    show.note(f"{document.checked} files hashed: {counts}")


def _of_day(lost: Lost) -> tuple[str, object]:
    return lost.file.dataset, lost.file.partition


def _lost_day(show: Show, dataset: str, day: str, lost: Sequence[Lost]) -> None:
    """What was lost of a day, what is there again, and what is still to be done."""
    first, n_rows = lost[0].file, sum(one.file.rows for one in lost)
    text = (
        f"{dataset} {day}: {len(lost)} files with {n_rows} rows were declared lost "
        f"(position {first.position}, {first.declared_by} and {first.confirmed_by}: {first.reason})"
    )
    if first.appended_since is not None and first.mended_position is not None:
        text += f"; extracted again, {first.appended_since} rows were found since"
    show.line(text)
    if any(one.file.mended_position is None for one in lost):
        show.note(f"next: {_again(dataset, [day])}")


def confirmed(show: Show, document: ConfirmedDocument, dataset: str) -> None:
    """Files are lost from here on; what comes next."""
    from tradex_ledger.domain.day import iso

    n_rows = sum(listed.file.rows for listed in document.lost)
    show.line(f"{dataset}: {len(document.lost)} files with {n_rows} rows are lost")
    show.note(f"next: {_again(dataset, [iso(day) for day in sorted({listed.day for listed in document.lost})])}")


def _again(dataset: str, days: Sequence[str]) -> str:
    return f"tradex backfill request temporal {dataset} --from {days[0]} --to {days[-1]} --no-override-state --reason …"


def identity(show: Show, document: IdentityDocument) -> None:
    """Which ledger this is, and what the lake knows of it."""
    show.facts({name: getattr(document, name) for name in NAMED})
    show.rows(document.markers[::-1], ("epoch", "position", "ledger"), "what the lake knows, newest first")


def epoch_plan(show: Show, document: EpochPlan | None) -> None:
    """The new epoch that waits for its approval."""
    if document is None:
        show.note("no new epoch waits for its approval")
        return
    show.facts(
        {
            "epoch": document.epoch,
            "goes on after position": document.base,
            "lost head": f"{document.lost_position} (epoch {document.lost_epoch})",
            "asked for by": document.by,
            "reason": document.reason,
            "digest": document.digest,
        }
    )
    show.note(f"next, somebody else: tradex ledger epoch --approve {document.digest}")
