"""Rows to files: one statement computes a window, one file a day is written, durable and digested.

DuckDB computes, Arrow's Parquet writer writes: a day's bytes then follow from its rows alone. (DuckDB's own writer
lets a file's encoding depend on the rows that stood beside it in the window.)
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from tradex_ledger.datasets.sandbox import select_within
from tradex_ledger.domain.day import Day, day_of
from tradex_ledger.lake.storage import StagedFile, sha256_of, sync_folders
from tradex_ledger.offered import Late
from tradex_ledger.paths import sync

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
else:
    pa = Late("pyarrow")
    pc = Late("pyarrow.compute")
    pq = Late("pyarrow.parquet")

BATCH_ROWS = 16_384
"""What the engine hands over at once. It sets memory, never bytes: a day is held with the whole of its last batches."""
ROW_GROUP_ROWS = 131_072


class PartitionValueError(ValueError):
    """Rows carry a partition value that is not one of the days asked for."""


class RepeatedRowError(ValueError):
    """Two rows of a day have the same values in the columns that order them."""


def limit_resources(connection: duckdb.DuckDBPyConnection, spill: Path, memory_mb: int) -> None:
    """Bound a connection's memory; what does not fit is spilled into `spill`."""
    spill.mkdir(parents=True, exist_ok=True)
    connection.execute(f"set memory_limit = '{memory_mb}MB'")
    connection.execute("set temp_directory = $1", [str(spill)])
    # What a statement is through with goes back to the system at once, not once it is half a gigabyte.
    connection.execute("set allocator_bulk_deallocation_flush_threshold = '8MB'")


def write_days(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    *,
    column: str,
    order: tuple[str, ...],
    days: set[Day],
    folder: Path,
    durable: bool = True,
) -> list[StagedFile]:
    """Run `sql` and write one Parquet file for each value of the partition column, under `folder`.

    The column is also inside the file; rows are ordered by it and then by `order`. Returns the files in order of
    day. Memory holds one day at a time. A crash leaves files in the staging folder only. What is compared and thrown
    away need not be `durable`. Raises: `NotOneSelectError` before anything runs; `PartitionValueError`;
    `RepeatedRowError`, because `order` is a key.
    """
    keys = ", ".join(f'"{name}"' for name in (column, *(name for name in order if name != column)))
    folder.mkdir(parents=True, exist_ok=True)
    statement = select_within(connection, sql, keys)
    reader = connection.sql(statement).to_arrow_reader(BATCH_ROWS)
    staged = []
    for day, rows in _by_day(reader, column):
        if day is None or day_of(day) not in days:
            raise PartitionValueError(f"{column} = {day}")
        _check_key(rows, order)
        path = folder / f"{day}.parquet"
        write_table(rows, path)
        if durable:
            sync(path)
        staged.append(StagedFile(day_of(day), path, rows.num_rows, path.stat().st_size, sha256_of(path)))
    if durable:
        sync_folders([folder])
    return staged


def _by_day(reader: pa.RecordBatchReader, column: str) -> Iterator[tuple[date | None, pa.Table]]:
    """Cut rows, ordered by day, into one table a day."""
    current: date | None = None
    parts: list[pa.RecordBatch] = []
    for batch in reader:
        runs = pc.run_end_encode(batch.column(column))
        start = 0
        for value, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            if parts and value != current:
                yield current, pa.Table.from_batches(parts)
                parts = []
            current = value
            parts.append(batch.slice(start, end - start))
            start = end
    if parts:
        yield current, pa.Table.from_batches(parts)


def _check_key(rows: pa.Table, key: tuple[str, ...]) -> None:
    """Raise `RepeatedRowError` when a key occurs twice; rows are ordered by it, so the two are neighbours."""
    if rows.num_rows < 2:
        return
    repeated = functools.reduce(pc.and_, (_same_as_before(rows[name].combine_chunks()) for name in key))
    if pc.any(repeated).as_py():
        # Only now: to look for the place makes a scalar, for which pyarrow loads pandas where it is there.
        found = pc.index(repeated, True).as_py()
        raise RepeatedRowError(", ".join(f"{name} = {rows[name][found].as_py()}" for name in key))


def _same_as_before(values: pa.Array) -> pa.Array:
    """For each value but the first, whether it is the same as the one before it; so are two NULLs, or two NaNs."""
    before, after = values[:-1], values[1:]
    try:
        same = pc.equal(before, after)
    except pa.ArrowNotImplementedError:  # lists, structs: rarely a key
        return pa.array([one == other for one, other in itertools.pairwise(map(repr, values.to_pylist()))])
    if values.null_count or pa.types.is_floating(values.type):
        both = pc.and_(pc.is_null(before, nan_is_null=True), pc.is_null(after, nan_is_null=True))
        same = pc.or_(pc.fill_null(same, False), both)
    return same


def write_table(rows: pa.Table, path: Path) -> None:
    """Write rows as every file of a lake is written: its bytes follow from them."""
    # Whole columns, so that page boundaries do not follow the batches the rows came in.
    pq.write_table(
        rows.combine_chunks(),
        path,
        row_group_size=ROW_GROUP_ROWS,
        compression="zstd",
        version="2.6",
        store_schema=False,
    )
