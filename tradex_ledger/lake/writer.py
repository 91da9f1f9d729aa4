"""Rows to files: one statement computes a window, one file a day is written, durable and digested.

DuckDB computes, Arrow's Parquet writer writes: a day's bytes then follow from its rows alone. (DuckDB's own writer
lets a file's encoding depend on the rows that stood beside it in the window.)
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tradex_ledger.lake.storage import StagedFile, sha256_of, sync_file, sync_folders

BATCH_ROWS = 65_536
ROW_GROUP_ROWS = 131_072


class PartitionValueError(ValueError):
    """Rows carry a partition value that is not one of the days asked for."""


def limit_resources(connection: duckdb.DuckDBPyConnection, spill: Path, memory_mb: int) -> None:
    """Bound a connection's memory; what does not fit is spilled into `spill`."""
    spill.mkdir(parents=True, exist_ok=True)
    connection.execute(f"set memory_limit = '{memory_mb}MB'")
    connection.execute("set temp_directory = $1", [str(spill)])


def write_days(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    *,
    column: str,
    order: tuple[str, ...],
    days: set[int],
    folder: Path,
) -> list[StagedFile]:
    """Run `sql` and write one Parquet file for each value of the partition column, under `folder`.

    The column is also inside the file; rows are ordered by it and then by `order`. Returns the files in order of
    day. Memory holds one day at a time. A crash leaves files in the staging folder only. Raises:
    `PartitionValueError`.
    """
    keys = ", ".join(f'"{name}"' for name in (column, *(name for name in order if name != column)))
    folder.mkdir(parents=True, exist_ok=True)
    reader = connection.sql(f"select * from ({sql}\n) order by {keys}").to_arrow_reader(BATCH_ROWS)
    staged = []
    for day, rows in _by_day(reader, column):
        if day is None or day.toordinal() not in days:
            raise PartitionValueError(f"{column} = {day}")
        path = folder / f"{day.isoformat()}.parquet"
        _write(rows, path)
        sync_file(path)
        staged.append(StagedFile(day.toordinal(), path, rows.num_rows, path.stat().st_size, sha256_of(path)))
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


def _write(rows: pa.Table, path: Path) -> None:
    # Whole columns, so that page boundaries do not follow the batches the rows came in.
    pq.write_table(
        rows.combine_chunks(),
        path,
        row_group_size=ROW_GROUP_ROWS,
        compression="zstd",
        version="2.6",
        store_schema=False,
    )


def file_list(paths: list[str]) -> str:
    """A SQL list of file names."""
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"
