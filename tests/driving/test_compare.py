"""Two builds of a partition are compared row by row, by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tradex_ledger.driving.compare import TEXT_MAX, differences


def written(folder: Path, name: str, rows: list[dict[str, Any]] | None) -> list[Path]:
    if rows is None:
        return []
    pq.write_table(pa.Table.from_pylist(rows), folder / name)
    return [folder / name]


def compared(folder: Path, before: list[dict[str, Any]] | None, after: list[dict[str, Any]] | None) -> list[Any]:
    found = differences(written(folder, "one", before), written(folder, "other", after), ("id",))
    return [(d.key, d.column, d.recorded, d.recomputed) for d in found]


ONE: list[dict[str, Any]] = [{"id": 1, "n": 0.5, "t": "a"}, {"id": 2, "n": None, "t": "b"}]


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (ONE, []),
        (ONE[::-1], []),
        ([{**ONE[0], "n": 0.5 * (1 + 1e-10)}, ONE[1]], []),
        ([{**ONE[0], "n": 0.5 * (1 + 1e-8)}, ONE[1]], [("id = 1", "n", "0.5", "0.500000005")]),
        ([ONE[0], {**ONE[1], "n": 0.0}], [("id = 2", "n", "null", "0.0")]),
        ([ONE[0], {**ONE[1], "t": "c"}], [("id = 2", "t", "b", "c")]),
        (ONE[:1], [("id = 2", None, "there", None)]),
        ([*ONE, {"id": 3, "n": 1.0, "t": "c"}], [("id = 3", None, None, "there")]),
        (None, [("id = 1", None, "there", None), ("id = 2", None, "there", None)]),
    ],
)
def test_what_differs_is_told_by_key_and_column(tmp_path: Path, after: list[dict[str, Any]] | None, told: list[Any]):
    assert compared(tmp_path, ONE, after) == told


def test_what_was_empty_and_is_not_any_more_differs(tmp_path: Path):
    assert compared(tmp_path, None, ONE[:1]) == [("id = 1", None, None, "there")]
    assert compared(tmp_path, None, None) == []


def test_other_columns_and_types_differ(tmp_path: Path):
    after = [{"id": 1, "n": 1, "u": "a"}]
    assert compared(tmp_path, ONE[:1], after) == [
        (None, "n", "double", "int64"),
        (None, "t", "string", None),
        (None, "u", None, "string"),
        ("id = 1", "n", "0.5", "1"),
    ]


def test_a_long_value_is_cut(tmp_path: Path):
    ((_, _, before, after),) = compared(tmp_path, [{"id": 1, "t": "x"}], [{"id": 1, "t": "y" * 10_000}])
    assert (before, after) == ("x", "y" * (TEXT_MAX - 1) + "…")


def test_what_a_column_may_hold(tmp_path: Path):
    nan, inf = float("nan"), float("inf")
    for before, after, is_same in (
        ([1.0, nan, None], [1.0, nan, None], True),
        ([1.0, inf], [1.0 + 1e-12, inf], True),
        ([1.0, 2.0], [1.0, 2.1], False),
        ([1.0], [1.0, 2.0], False),
        ([nan], [0.0], False),
        ([0.0], [3e-17], True),  # what a sum leaves that comes to nothing
        ([1e-9], [2e-9], False),
        ([0.0], [None], False),
    ):
        found = compared(tmp_path, [{"id": 1, "v": before}], [{"id": 1, "v": after}])
        assert (found == []) is is_same, (before, after)


def test_what_a_sum_leaves_that_comes_to_nothing_is_measured_by_the_column(tmp_path: Path):
    large, inf = 3e6, float("inf")

    def rows(*values: float) -> list[dict[str, Any]]:
        return [{"id": number, "v": value} for number, value in enumerate(values)]

    assert compared(tmp_path, rows(0.0, large), rows(1e-7, large)) == []
    assert compared(tmp_path, rows(0.0, 0.5), rows(1e-7, 0.5)) != []
    assert compared(tmp_path, rows(1.0, large), rows(1.0001, large)) != []
    assert compared(tmp_path, rows(0.0, inf), rows(1e-7, inf)) != []
