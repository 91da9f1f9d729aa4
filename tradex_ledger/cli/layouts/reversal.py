"""How a reversal looks before it is done."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from tradex_ledger.cli.show import Facts, Show

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tradex_ledger.domain.reversal import Again, Reversal

COLUMNS = ("dataset", "days", "range", "then_of", "rows", "now_of")
STALE = ("dataset", "days", "range", "why")


def reversal(show: Show, found: Reversal) -> None:
    """What stands in the way first; then what readers would get, and what would have to be recomputed."""
    for one in found.in_the_way:
        show.warning(f"in the way: {one.message}; {one.mend}")
    if found.again:
        show.line("read otherwise then:")
        alike = groupby(found.again, key=lambda one: (one.dataset, one.run_id, one.run_id_then))
        show.table([_again(list(days)) for _, days in alike], COLUMNS)
    if found.stale:
        show.line()
        show.line("stale then:")
        groups = groupby(found.stale, key=lambda one: (one.dataset, one.reason))
        show.table([_stale(name, why, [one.partition for one in days]) for (name, why), days in groups], STALE)
    if not found.again:
        show.note("readers would get nothing otherwise: nothing of it is current")
    if not found.in_the_way:
        show.note(f"nothing was recorded; next: tradex backfill revert {found.id} --reason …")


def _again(days: Sequence[Again]) -> Facts:
    one = days[0]
    return {
        "dataset": one.dataset,
        "days": len(days),
        "range": _range([day.partition for day in days]),
        "now_of": one.run_id or "nothing",
        "then_of": one.run_id_then or "nothing",
        "rows": f"{sum(day.rows or 0 for day in days)} -> {sum(day.rows_then or 0 for day in days)}",
    }


def _stale(dataset: str, why: str, days: Sequence[date]) -> Facts:
    return {"dataset": dataset, "days": len(days), "range": _range(days), "why": why}


def _range(days: Sequence[date]) -> str:
    return f"{days[0]}" if len(days) == 1 else f"{days[0]}..{days[-1]}"
