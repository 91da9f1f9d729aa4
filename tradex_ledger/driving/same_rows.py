"""Whether two files hold the same rows: by key, doubles to 1e-9 (single precision: 1e-6), at any depth."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from tradex_ledger.offered import Late

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa = Late("pyarrow")
    pq = Late("pyarrow.parquet")


DOUBLES, SINGLES = 1e-9, 1e-6


def first_difference(one: Path | None, other: Path | None, key: tuple[str, ...]) -> str | None:
    """What differs first between two files in the order of their key, in words; None: nothing.

    A day without rows has no file. Doubles are equal within 1e-9 of the larger, or of 1: the last bits of a sum follow
    the order in which it was added up.
    """
    if one is None or other is None:
        return None if one is other else "there are rows one time and none the other"
    before, after = (pq.read_table(path, partitioning=None) for path in (one, other))
    if before.schema.names != after.schema.names:
        return f"there are columns {', '.join(before.schema.names)} one time, {', '.join(after.schema.names)} the other"
    keys = [(_values(before, name), _values(after, name), tolerance(before, name)) for name in key]
    at = min((_first(*pair) for pair in keys), default=before.num_rows)
    if at < max(before.num_rows, after.num_rows):
        table = before if at < before.num_rows else after
        return f"the row with {_key(table, key, at)} is there one time only"
    found = {name: _first_of(before, after, name) for name in before.schema.names if name not in key}
    at = min(found.values(), default=before.num_rows)
    if at >= before.num_rows:
        return None
    columns = ", ".join(name for name, place in found.items() if place == at)
    return f"{columns} of the row with {_key(before, key, at)}"


def _first_of(before: pa.Table, after: pa.Table, name: str) -> int:
    if before[name].equals(after[name]):
        return int(before.num_rows)
    return _first(_values(before, name), _values(after, name), tolerance(before, name))


def _first(before: list[object], after: list[object], tolerance: float) -> int:
    """The place of the first values that differ, or where the shorter list ends."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((n for n, (one, other) in pairs if not same(one, other, tolerance)), min(len(before), len(after)))


def _values(table: pa.Table, name: str) -> list[object]:
    return list(table[name].to_pylist())


def _key(table: pa.Table, key: tuple[str, ...], at: int) -> str:
    return ", ".join(f"{name} = {table[name][at].as_py()}" for name in key)


def tolerance(table: pa.Table, name: str) -> float:
    """How far values of a column may lie apart."""
    return SINGLES if _holds_singles(table.schema.field(name).type) else DOUBLES


def _holds_singles(kind: pa.DataType) -> bool:
    return pa.types.is_float32(kind) or any(_holds_singles(kind.field(n).type) for n in range(kind.num_fields))


def same(one: object, other: object, relative: float, absolute: float | None = None) -> bool:
    """Whether two values are the same, whatever they are made of; `absolute` is as `relative` unless given."""
    if isinstance(one, float) and isinstance(other, float):
        both_nan = math.isnan(one) and math.isnan(other)
        near = relative if absolute is None else absolute
        return both_nan or math.isclose(one, other, rel_tol=relative, abs_tol=near)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name], relative, absolute) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b, relative, absolute) for a, b in zip(one, other, strict=True))
    return bool(one == other)
