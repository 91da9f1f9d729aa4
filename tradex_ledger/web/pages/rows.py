"""Rows that differ, laid out: transitions first, then some of the rows by key, with what they had and have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tradex_ledger.audit.changes import Sample
from tradex_ledger.audit.diff import Differing


class Turn(NamedTuple):
    """So many rows went from one value of a column to another."""

    rows: int
    column: str
    before: object
    after: object


class Samples(NamedTuple):
    """Some rows of a dataset: its key columns, the columns in which any of them changed, the rows, and in how many rows
    of all each column has another value."""

    dataset: str
    key: list[str]
    columns: list[str]
    rows: list[Sample]
    counts: list[tuple[str, int]]

    @property
    def is_mixed(self) -> bool:
        """Whether not all of them are such that are there before and after."""
        return {row.kind for row in self.rows} != {"changed"}


class Changed(NamedTuple):
    """What is other: partitions that differ, rows that are gone, new and changed, in all."""

    partitions: list[Differing]
    gone: int
    new: int
    changed: int
    turns: list[Turn]
    samples: list[Samples]

    @property
    def one_sided(self) -> int:
        """Partitions that have rows before or after, and none on the other side."""
        return sum(not one.rows_before or not one.rows_after for one in self.partitions)


def changed(found: Sequence[Differing], most: int) -> Changed:
    """What differs, added up over partitions; a changed row is not among those that are gone and new."""
    both = sum(one.rows_changed or 0 for one in found)
    turns: Counter[tuple[str, object, object]] = Counter()
    for one in found:
        for turn in one.transitions:
            turns[turn.column, turn.before, turn.after] += turn.rows
    return Changed(
        partitions=list(found),
        gone=sum(one.rows_gone for one in found) - both,
        new=sum(one.rows_new for one in found) - both,
        changed=both,
        turns=[Turn(rows, *turn) for turn, rows in turns.most_common(12)],
        samples=_samples(found, most),
    )


def _samples(found: Sequence[Differing], most: int) -> list[Samples]:
    by_dataset: dict[str, list[Sample]] = {}
    counts: dict[str, Counter[str]] = {}
    for one in found:
        by_dataset.setdefault(one.dataset, []).extend(one.samples)
        counts.setdefault(one.dataset, Counter()).update(one.columns)
    return [
        Samples(
            dataset,
            list(dict.fromkeys(name for row in rows for name in row.key)),
            list(dict.fromkeys(name for row in rows for name in row.changed)),
            rows[:most],
            counts[dataset].most_common(),
        )
        for dataset, rows in by_dataset.items()
        if rows
    ]
