"""How it looks what came of building again what is on record."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from tradex_ledger.cli.show import Facts, Show

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.reproduce import Reproduced, Reproduction

_COLUMNS = ("dataset", "days", "partitions", "run", "verdict", "differ", "why")
_ORDER = ("differs", "not judged", "equal", "identical")
MOST = 200
"""Lines; what is beyond is counted."""


def reproduction(show: Show, document: Reproduction) -> None:
    """What is not as it was, a line for days of which the same is said; the rest is counted."""
    told = [one for one in document.partitions if one.verdict != "identical" or one.why]
    told.sort(key=_alike)
    lines = [_line(list(some)) for _, some in groupby(told, key=_alike)]
    if lines:
        show.table(lines[:MOST], _COLUMNS)
    if len(lines) > MOST:
        show.line(f"and {len(lines) - MOST} lines more: --json has all")
    for one in told[:MOST]:
        for found in one.differences:
            where = f"{one.dataset} {one.partition}, {found.key or 'every row'}, {found.column or 'the row'}"
            show.line(f"{where}: {found.recorded or 'nothing'} on record, {found.recomputed or 'nothing'} built again")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in document.verdicts.items() if count)
    show.line(f"{document.asked}: {counts or 'nothing was built'}")
    if document.seed is not None:
        show.note(f"drawn by --seed {document.seed}")
    show.note(f"built again by {document.engine}; as of position {document.as_of.position} ({document.as_of.at})")


def _alike(one: Reproduced) -> tuple[int, str, str, str]:
    return _ORDER.index(one.verdict), one.dataset, one.run_id, one.why or ""


def _line(some: list[Reproduced]) -> Facts:
    """Days of which the same is said."""
    days = sorted(one.partition for one in some)
    return {
        "dataset": some[0].dataset,
        "days": f"{days[0]}..{days[-1]}" if len(days) > 1 else days[0],
        "partitions": len(some),
        "run": some[0].run_id,
        "verdict": some[0].verdict,
        "differ": _differ(some),
        "why": some[0].why,
    }


def _differ(some: list[Reproduced]) -> str | None:
    """How many rows differ, in words."""
    counts = {
        "missing": sum(one.rows_missing for one in some),
        "added": sum(one.rows_added for one in some),
        "changed": sum(one.rows_changed for one in some),
    }
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or None
