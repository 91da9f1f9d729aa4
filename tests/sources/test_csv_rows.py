"""CSV files as rows: columns and types are the definition's, and only the key and the day can reject a row."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tradex_ledger.sources.csv_rows import CsvRows
from tradex_ledger.sources.moments import micros
from tradex_ledger.sources.source import Batch, SourceFile, Stated
from tradex_ledger.sources.stage import Outputs, StageCounts, Wanted, stage

STATED = Stated(
    (
        ("id", "VARCHAR"),
        ("day", "DATE"),
        ("at", "TIMESTAMP"),
        ("price", "DECIMAL(6,2)"),
        ("n", "INTEGER"),
        ("ratio", "DOUBLE"),
        ("open", "BOOLEAN"),
        ("source", "VARCHAR"),
        ("ingested_at", "TIMESTAMP"),
    ),
    "day",
    ("id",),
)
DELIVERED = micros(datetime(2026, 3, 31, tzinfo=UTC))
ALL = Wanted(None, None, None, DELIVERED)


def staged(folder: Path, content: bytes, name: str = "a.csv", wanted: Wanted = ALL) -> tuple[StageCounts, Outputs]:
    (folder / name).write_bytes(content)
    out = Outputs(folder / "rows", folder / "rejected", folder / "undated", rejected_day="day")
    batch = Batch(CsvRows(), STATED, (SourceFile(folder / name, name, len(content)),))
    return stage(batch, wanted, out), out


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def test_values_are_of_the_stated_types_whatever_the_order_of_the_columns(tmp_path: Path):
    counts, out = staged(
        tmp_path,
        b"\xef\xbb\xbfday,id,price,n,ratio,open,at,more\r\n"
        b'2026-03-01,"a,""b""\nc",12.5,7,0.5,true,2026-03-01T10:00:00Z,x\r\n'
        b"2026-03-02,d,,,,,,\r\n",
    )
    assert counts[:6] == (1, 2, 2, 0, 0, 0)
    first, second = rows(out.rows)
    assert first == {
        **{"id": 'a,"b"\nc', "day": date(2026, 3, 1), "at": datetime(2026, 3, 1, 10), "price": Decimal("12.50")},
        **{"n": 7, "ratio": 0.5, "open": True, "__source": "files:a.csv", "__line": 2, "__item": None},
    }
    assert [second[name] for name in ("at", "price", "n", "ratio", "open", "__line")] == [None] * 5 + [4]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *[("price", value) for value in ("1.234", "99999", "nan", "Infinity", "x")],
        *[("n", value) for value in ("2147483648", "1.5", "x")],
        *[("open", value) for value in ("2", "maybe")],
        *[("at", value) for value in ("yesterday", "2026-02-30 10:00:00")],
    ],
)
def test_a_value_that_is_none_of_its_type_is_null_and_counted(tmp_path: Path, column: str, value: str):
    counts, out = staged(tmp_path, f"id,day,{column}\na,2026-03-01,{value}\n".encode())
    assert (counts.rows, counts.by_file[0].odd) == (1, {f"a {column} that cannot be read": 1})
    assert rows(out.rows)[0][column] is None


def test_a_line_without_its_key_or_its_day_is_rejected_with_the_reason(tmp_path: Path):
    lines = b'id,day\n,2026-03-01\nb,2026-02-30\nc\nd,2026-03-03,1\n\xff,2026-03-01\n"e,2026-03-01\n'
    counts, out = staged(tmp_path, lines, "2026-03-09.csv")
    assert (counts.lines, counts.rows, counts.rejected) == (6, 0, 6)
    assert [(row["day"].day, row["line"], row["reason"]) for row in rows(out.rejected)] == [
        (1, 2, "no id"),
        (9, 3, "day cannot be read: '2026-02-30'"),
        (9, 4, "1 fields, not 2 as in the first line"),
        (9, 5, "3 fields, not 2 as in the first line"),
        (9, 6, "not UTF-8 at byte 1"),
        (9, 7, "not CSV: unexpected end of data"),
    ]


def test_a_file_whose_first_line_lacks_a_column_of_the_key_is_passed_over(tmp_path: Path):
    counts, _ = staged(tmp_path, b"day,price\n2026-03-01,1\n")
    assert (counts.lines, counts.by_file[0].passed_over) == (0, "its first line names no id")


def test_a_range_keeps_its_days_and_a_packed_file_is_read(tmp_path: Path):
    content = gzip.compress(b"id,day\n" + b"".join(b"%d,2026-03-%02d\n" % (n, n) for n in range(1, 10)))
    first, until = (micros(datetime(2026, 3, n, tzinfo=UTC)) for n in (3, 6))
    counts, out = staged(tmp_path, content, "a.csv.gz", Wanted(first, until, first, DELIVERED))
    assert (counts.rows, counts.outside) == (3, 6)
    assert [row["day"].day for row in rows(out.rows)] == [3, 4, 5]


def test_what_is_no_part_of_the_key_is_told_and_not_kept():
    assert CsvRows().counts(STATED) == ("at", "price", "n", "ratio", "open")
    assert CsvRows().problem(Stated((("tags", "VARCHAR[]"),), "day", ("id",))) is not None
    assert CsvRows().problem(STATED) is None
