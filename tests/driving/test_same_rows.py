"""When two files of one day hold the same rows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tradex_ledger.driving.same_rows import first_difference

NAN = math.nan
STRUCT = pa.struct({"a": pa.float64(), "b": pa.list_(pa.float64())})


def differ(folder: Path, one: list[Any] | None, other: list[Any] | None, kind: pa.DataType) -> str | None:
    """Two files of rows (id, value), the ids counted from 1."""
    paths: list[Path | None] = []
    for name, values in (("one", one), ("other", other)):
        paths.append(None if values is None else folder / f"{name}.parquet")
        if values is not None:
            ids = pa.array(range(1, len(values) + 1), pa.int32())
            table = pa.table({"id": ids, "value": pa.array(values, kind), "same": ids})
            pq.write_table(table, folder / f"{name}.parquet")
    return first_difference(paths[0], paths[1], ("id",))


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ([1.0, 2.0], [1.0, 2.0 + 1e-10], pa.float64()),
        ([1e12], [1e12 + 100], pa.float64()),
        ([0.0], [-1e-17], pa.float64()),
        ([NAN, None], [NAN, None], pa.float64()),
        ([0.1], [0.10000001], pa.float32()),
        ([[1.0, None]], [[1.0 + 1e-12, None]], pa.list_(pa.float64())),
        ([{"a": 1.0, "b": [NAN]}], [{"a": 1.0 + 1e-12, "b": [NAN]}], STRUCT),
        ([[("x", 1.0)]], [[("x", 1.0 + 1e-12)]], pa.map_(pa.string(), pa.float64())),
        ([], [], pa.int64()),
        (None, None, pa.int64()),
    ],
)
def test_the_last_bits_of_doubles_do_not_count(tmp_path: Path, one: Any, other: Any, kind: pa.DataType):
    assert differ(tmp_path, one, other, kind) is None
    assert differ(tmp_path, other, one, kind) is None


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ([1, 2], [1, 3], pa.int64()),
        ([1, 2**53], [1, 2**53 + 1], pa.int64()),
        ([1.0, 2.0], [1.0, 2.0 + 1e-8], pa.float64()),
        ([1.0, None], [1.0, NAN], pa.float64()),
        ([1.0, 2.0], [1.0, math.inf], pa.float64()),
        (["a", "b"], ["a", "B"], pa.string()),
        ([[1.0], [1.0]], [[1.0], [1.0, 2.0]], pa.list_(pa.float64())),
        ([[1.0], [1.0, 2.0]], [[1.0], [2.0, 1.0]], pa.list_(pa.float64())),
        ([None, {"a": 1.0, "b": [1.0]}], [None, {"a": 1.0, "b": [1.1]}], STRUCT),
        ([[("x", 1)], [("x", 1)]], [[("x", 1)], [("y", 1)]], pa.map_(pa.string(), pa.int64())),
    ],
)
def test_all_else_counts_and_is_named_by_column_and_key(tmp_path: Path, one: Any, other: Any, kind: pa.DataType):
    assert differ(tmp_path, one, other, kind) == "value of the row with id = 2"
    assert differ(tmp_path, other, one, kind) == "value of the row with id = 2"


def test_a_row_that_is_there_once_is_named_by_its_key(tmp_path: Path):
    for one, other in (([1, 2], [1]), ([1], [1, 2])):
        assert differ(tmp_path, one, other, pa.int64()) == "the row with id = 2 is there one time only"
    assert differ(tmp_path, None, [1], pa.int64()) == "there are rows one time and none the other"
