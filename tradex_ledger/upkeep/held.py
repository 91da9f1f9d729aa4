"""Rows that are held back as known-bad: nobody asks a source for them."""

from __future__ import annotations

from tradex_ledger.domain.advice import Advice
from tradex_ledger.ledger.select import Store
from tradex_ledger.relations.held import QUARANTINES
from tradex_ledger.views import resolve, shared_views


def held_rows(store: Store, dataset: str) -> dict[str, str]:
    """The rows of a dataset of Bronze that are held back whatever is delivered of them, by the first column of their
    key, each with (the newest of) its quarantines."""
    with shared_views(store, resolve(store, None), QUARANTINES.name) as connection:
        known = QUARANTINES.read(connection, "dataset = ? and state <> 'released' order by position", dataset)
    return {row: one.quarantine for one in known for row in one.rows if row not in (one.rows_released or ())}


def told_of(dataset: str, noun: str, by: dict[str, int]) -> list[Advice]:
    """What to know of late rows that are held back: they are asked for by nobody."""
    count = sum(by.values())
    if not count:
        return []
    one = count == 1
    reason = (
        f"{count} late {noun if one else f'{noun}s'} of {dataset} {'is' if one else 'are'} held back by "
        f"{', '.join(sorted(by))}, and {'is' if one else 'are'} not asked for"
    )
    return [Advice(kind="quarantined", count=count, command=None, reason=reason)]
