"""A window as a task over input files that are written here."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tradex_ledger.datasets.definition import Read
from tradex_ledger.domain.day import Day
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.driving.window import Input, WindowTask
from tradex_ledger.lake.inputs import InputFile
from tradex_ledger.lake.local import LocalLake
from tradex_ledger.lake.storage import sha256_of

DAY_1 = date(2024, 1, 1).toordinal()
COLUMNS = (("day", "DATE"), ("id", "INTEGER"), ("n", "BIGINT"))

Content = dict[int, list[tuple[int, int]]]


def write_base(folder: Path, content: Content) -> tuple[InputFile, ...]:
    """Input files, one a day (counted from 1), of rows (id, n)."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number, rows in sorted(content.items()):
        path = folder / f"{number}.parquet"
        ids, ns = zip(*rows, strict=True)
        days = [date.fromordinal(DAY_1 + number - 1)] * len(rows)
        arrays = [pa.array(days, pa.date32()), pa.array(ids, pa.int32()), pa.array(ns, pa.int64())]
        pq.write_table(pa.table(arrays, names=["day", "id", "n"]), path)
        file = LakeFile(f"{folder.name}/{path.name}", path.stat().st_size, len(rows), sha256_of(path))
        found.append(InputFile(Day(DAY_1 + number - 1), file, LocalLake(folder.parent)))
    return tuple(found)


def task(folder: Path, files: tuple[InputFile, ...], sql: str, days: range, **changes: Any) -> WindowTask:
    """A window over `base`, days counted from 1."""
    made = WindowTask(
        dataset="made",
        sql=sql,
        column="day",
        key=("day", "id"),
        references=(),
        inputs=(Input(Read("base", 0, 0), COLUMNS, files),),
        days=tuple(Day(DAY_1 + number - 1) for number in days),
        folder=folder,
        check_reads=True,
        memory_mb=200,
    )
    return dataclasses.replace(made, **changes)


def reading(first: int, last: int, files: tuple[InputFile, ...]) -> dict[str, Any]:
    """What a task is told to read other days than its own: from so many before to so many after."""
    return {"inputs": (Input(Read("base", first, last), COLUMNS, files),)}


def digests(built: list[Any]) -> dict[int, tuple[str, int]]:
    """Day (counted from 1) → digest and rows."""
    return {file.day - DAY_1 + 1: (file.sha256, file.rows) for file in built}
