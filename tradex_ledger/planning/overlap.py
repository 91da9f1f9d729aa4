"""Active backfills that would rebuild the same partitions: refused unless allowed by name."""

from __future__ import annotations

from collections.abc import Iterable

from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.backfill_errors import OverlapError
from tradex_ledger.domain.day import iso
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.ledger.ask import events_of
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.relations.runs import WORK
from tradex_ledger.views import resolve, shared_views


def active_backfills(ledger: Ledger) -> list[Backfill]:
    """The backfills that are neither ended nor reverted, oldest first."""
    with shared_views(ledger.store, resolve(ledger.store, None), "work") as connection:
        found = WORK.read(connection, "run_kind = 'backfill' order by position")
    return [ledger.get(Backfill, run.run_id) for run in found]


def others_of_group(ledger: Ledger, backfill: Backfill) -> list[Backfill]:
    """The other parts of a request that was split, whatever became of them, oldest first."""
    group = backfill.request.group
    return [] if group is None else [other for other in of_group(ledger, group) if other.id != backfill.id]


def of_group(ledger: Ledger, group: str) -> list[Backfill]:
    """The backfills of a group, whatever became of them, oldest first."""
    says = canonical({"group": group}).decode()[1:-1]
    found = events_of(ledger.store, ["backfill.requested"], saying=says)
    parts = (ledger.get(Backfill, row.stream) for row in found)
    return [part for part in parts if part.request.group == group]


def check_no_earlier_overlap(ledger: Ledger, backfill: Backfill) -> None:
    """Raise `OverlapError` when one requested before has: two requests may have been made at the same moment."""
    active = active_backfills(ledger)
    ids = [other.id for other in active]
    _check(backfill, active[: ids.index(backfill.id)] if backfill.id in ids else [])


def check_overlap(ledger: Ledger, backfill: Backfill) -> None:
    """Raise `OverlapError` when another active backfill has one of its partitions, unless named or of its group."""
    _check(backfill, active_backfills(ledger))


def _check(backfill: Backfill, others: Iterable[Backfill]) -> None:
    allowed, group = backfill.request.allow_overlap, backfill.request.group
    for other in others:
        sibling = group is not None and other.request.group == group and other.requested_by == backfill.requested_by
        if other.id in allowed or sibling:
            continue
        for window in backfill.windows:
            for theirs in other.windows:
                first, last = max(theirs.first, window.first), min(theirs.last, window.last)
                if theirs.dataset == window.dataset and first <= last:
                    raise OverlapError([other.id], window.dataset, iso(first), iso(last))
