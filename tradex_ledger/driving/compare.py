"""What two engines gave for one partition, compared row by row: doubles to a billionth, all else as it is.

Where `same_rows` says what differs first, this lists the differences, and finds each row by its key, since another
engine may order them otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tradex_ledger.domain.differences import RowDifference
from tradex_ledger.driving.same_rows import same, tolerance
from tradex_ledger.offered import Late

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa = Late("pyarrow")
    pq = Late("pyarrow.parquet")

DIFFERENCES_MAX = 5
TEXT_MAX = 200
# Sums that cancel leave crumbs about zero, of which no relative bound can say anything: so much of 1, or of the largest
# value of the column.
ABSOLUTE = 1e-12


class _Cell(NamedTuple):
    """Where two builds differ, with values as they are: see `RowDifference`."""

    key: str | None
    column: str | None
    recorded: object
    recomputed: object


@dataclass(frozen=True, slots=True)
class Counted:
    """All that two builds differ in, counted, and the first few differences.

    `missing` rows were not built again, `added` ones were not there before, of `changed` ones a value is another;
    `columns` are there one time only, or of another type.
    """

    missing: int
    added: int
    changed: int
    columns: int
    sample: tuple[RowDifference, ...]


def differences(recorded: Sequence[Path], recomputed: Sequence[Path], key: Sequence[str]) -> Iterator[RowDifference]:
    """Where two builds differ: key, column, and both values as texts (None: no such row, or no such column)."""
    return (difference(*cell) for cell in _cells(recorded, recomputed, key))


def counted(recorded: Sequence[Path], recomputed: Sequence[Path], key: Sequence[str]) -> Counted:
    """The same, counted to the end."""
    missing, added, columns, sample = 0, 0, 0, list[RowDifference]()
    changed: set[str] = set()
    for cell in _cells(recorded, recomputed, key):
        if len(sample) < DIFFERENCES_MAX:
            sample.append(difference(*cell))
        if cell.key is None:
            columns += 1
        elif cell.column is not None:
            changed.add(cell.key)
        elif cell.recomputed is None:
            missing += 1
        else:
            added += 1
    return Counted(missing, added, len(changed), columns, tuple(sample))


def _cells(recorded: Sequence[Path], recomputed: Sequence[Path], key: Sequence[str]) -> Iterator[_Cell]:
    before, after = _table(recorded), _table(recomputed)
    if before is None or after is None:
        yield from _alone(before, after, key)
        return
    columns = {
        name: (before.schema.field(name).type if name in before.column_names else None)
        for name in (*before.column_names, *after.column_names)
    }
    for name, kind in columns.items():
        other = after.schema.field(name).type if name in after.column_names else None
        if kind != other:
            yield _Cell(None, name, kind, other)
    shared = [name for name in before.column_names if columns[name] is not None and name in after.column_names]
    yield from _rows(before, after, key, [name for name in shared if name not in key])


def difference(key: str | None, column: str | None, recorded: object, recomputed: object) -> RowDifference:
    """A difference as an event carries it: no text of it without end."""
    return RowDifference(_text(key), column, _text(recorded), _text(recomputed))


def _text(value: object) -> str | None:
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"


def _table(paths: Sequence[Path]) -> pa.Table | None:
    return pa.concat_tables([pq.read_table(path, partitioning=None) for path in paths]) if paths else None


def _alone(before: pa.Table | None, after: pa.Table | None, key: Sequence[str]) -> Iterator[_Cell]:
    """All rows of the one build, where the other has none."""
    for name in _keys(before, key) if before is not None else ():
        yield _Cell(name, None, "there", None)
    for name in _keys(after, key) if after is not None else ():
        yield _Cell(name, None, None, "there")


def _keys(table: pa.Table, key: Sequence[str]) -> list[str]:
    """Each row's key as a text."""
    values = [table[name].to_pylist() for name in key if name in table.column_names]
    return [", ".join(f"{n} = {v}" for n, v in zip(key, row, strict=False)) for row in zip(*values, strict=True)]


def _rows(before: pa.Table, after: pa.Table, key: Sequence[str], columns: Sequence[str]) -> Iterator[_Cell]:
    keys, keys_after = _keys(before, key), _keys(after, key)
    if keys != keys_after:
        place = {name: number for number, name in enumerate(keys_after)}
        for name in keys:
            if name not in place:
                yield _Cell(name, None, "there", None)
        known = set(keys)
        for name in keys_after:
            if name not in known:
                yield _Cell(name, None, None, "there")
        both = [(number, place[name]) for number, name in enumerate(keys) if name in place]
        before, after = before.take([one for one, _ in both]), after.take([other for _, other in both])
        keys = [keys[number] for number, _ in both]
    for column in columns:
        if before[column].equals(after[column]):
            continue
        within, values = tolerance(before, column), before[column].to_pylist()
        near = ABSOLUTE * max([1.0, *(abs(v) for v in values if isinstance(v, float) and isfinite(v))])
        for name, one, other in zip(keys, values, after[column].to_pylist(), strict=True):
            if not same(one, other, within, near):
                # A null is a value here: only a row that is not there has none.
                yield _Cell(name, column, *("null" if v is None else v for v in (one, other)))
