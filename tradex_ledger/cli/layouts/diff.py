"""How what differs looks: partitions, what became of what, and some of the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tradex_ledger.cli.cells import cell
from tradex_ledger.cli.show import Facts, Show
from tradex_ledger.cli.words import short

if TYPE_CHECKING:
    from tradex_ledger.audit.diff import Differing

_PARTITIONS = ("dataset", "partition", "logic_version", "rows_before", "rows_after", "rows_gone", "rows_new", "changed")
_VALUES = ("dataset", "partition", "kind", "key", "column", "before", "after")


def differing(show: Show, found: Sequence[Differing]) -> None:
    """What differs, from the whole to the single row."""
    sampled = list(_values(found))
    if show.output is not None:
        show.table(sampled, _VALUES)
    else:
        show.rows(found, _PARTITIONS, changed=["?" if one.rows_changed is None else one.rows_changed for one in found])
        _became(show, found)
        if sampled:
            show.line()
            show.table(sampled, _VALUES, title="some of the rows")
    _counted(show, found)


def _became(show: Show, found: Sequence[Differing]) -> None:
    """Which columns changed, and from what to what where that can be said in few words."""
    columns: Counter[tuple[str, str]] = Counter()
    moves: Counter[tuple[str, str, str, str]] = Counter()
    for one in found:
        for column, rows in one.columns.items():
            columns[one.dataset, column] += rows
        for move in one.transitions:
            moves[one.dataset, move.column, cell(move.before), cell(move.after)] += move.rows
    if not columns:
        return
    show.line()
    for (dataset, column), rows in columns.most_common():
        told = [
            f"{n} {short(a, 24)} → {short(b, 24)}"
            for (of, name, a, b), n in moves.most_common()
            if (of, name) == (dataset, column)
        ]
        more = f": {', '.join(told[:8])}{', …' if len(told) > 8 else ''}" if told else ""
        show.line(f"{dataset}.{column} changed in {rows} rows{more}")


def _values(found: Sequence[Differing]) -> Iterator[Facts]:
    """Each value that changed in a sampled row; a row that is gone or new is one."""
    for one in found:
        for sample in one.samples:
            told = {name: value for name, value in sample.key.items() if value != one.partition}
            key = ", ".join(f"{name}={cell(value, exact=True)}" for name, value in told.items())
            row: Facts = {"dataset": one.dataset, "partition": one.partition, "kind": sample.kind, "key": key}
            for column, (before, after) in sample.changed.items():
                yield {**row, "column": column, "before": before, "after": after}
            if not sample.changed:
                yield row


def _counted(show: Show, found: Sequence[Differing]) -> None:
    """What the counts are of, and of how many rows the samples are."""
    if not found:
        show.note("nothing differs")
        return
    unknown = [one for one in found if one.rows_changed is None]
    rows = sum(one.rows_gone + one.rows_new - (one.rows_changed or 0) for one in found if one not in unknown)
    shown = sum(len(one.samples) for one in found)
    show.note(f"{len(found)} partitions differ, in {rows} rows; {shown} of them are shown (--samples, of each dataset)")
    if unknown:
        show.warning(f"in {len(unknown)} partitions the key does not tell rows from each other: they are counted only")
