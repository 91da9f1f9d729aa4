"""What Bronze work is made of: two pure tasks, reading delivered files and writing what is new. No ledger here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from tradex_ledger.datasets.graph import iso
from tradex_ledger.datasets.statement import connect
from tradex_ledger.lake.storage import StagedFile, check_file, file_list, translate
from tradex_ledger.lake.writer import limit_resources, write_days
from tradex_ledger.sources.stage import StageCounts, stage


@dataclass(frozen=True, slots=True)
class StageTask:
    """Read some delivered files into one staged Parquet file of posts, and one of rejected lines."""

    files: tuple[tuple[Path, str], ...]
    first_us: int | None
    until_us: int | None
    posts: Path
    rejected: Path


@dataclass(frozen=True, slots=True)
class AppendTask:
    """Write the staged rows of some days that Bronze does not have. `existing` are (path, name, bytes, SHA-256)."""

    dataset: str
    column: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    staged: tuple[str, ...]
    existing: tuple[tuple[Path, str, int, str], ...]
    days: tuple[int, ...]
    folder: Path
    run_id: str
    ingested_at: str
    memory_mb: int


def stage_files(task: StageTask) -> StageCounts:
    """A `StageTask`, in a worker process."""
    try:
        return stage(task.files, task.first_us, task.until_us, task.posts, task.rejected)
    except OSError as error:
        raise translate(error, f"staging {task.files[0][1]} and {len(task.files) - 1} more files") from error


def append_days(task: AppendTask) -> list[StagedFile]:
    """An `AppendTask`, in a worker process: first delivery wins within the batch, Bronze wins over the batch."""
    check_existing(task)
    connection = connect()
    try:
        limit_resources(connection, task.folder / "spill", task.memory_mb)
        return write_days(
            connection,
            _append_sql(task),
            column=task.column,
            order=task.key,
            days=set(task.days),
            folder=task.folder,
        )
    except (OSError, duckdb.Error) as error:
        raise translate(error, f"appending to {task.dataset}") from error
    finally:
        connection.close()


def count_new_rows(task: AppendTask) -> dict[int, int]:
    """How many rows of each day (ordinal) an `AppendTask` would write. It writes none, and trusts the files."""
    connection = connect()
    try:
        limit_resources(connection, task.folder / "spill", task.memory_mb)
        found = connection.execute(
            f'select "{task.column}", count(*) from ({_append_sql(task)}) group by all'
        ).fetchall()
        return {day.toordinal(): count for day, count in found}
    finally:
        connection.close()


def check_existing(task: AppendTask) -> list[StagedFile]:
    """What an `AppendTask` comes to when no row of it is new: the check of what Bronze has, and no file."""
    for path, name, size, sha256 in task.existing:
        check_file(path, name, size=size, sha256=sha256)
    return []


def _append_sql(task: AppendTask) -> str:
    made = {
        "run_id": f"'{task.run_id}'",
        "ingested_at": f"timestamp '{task.ingested_at.rstrip('Z')}'",
        "source": "source || ':' || line",
    }
    selected = ", ".join(f'{made[c]} as "{c}"' if c in made else f'"{c}"' for c in task.columns)
    keys = ", ".join(f'"{c}"' for c in task.key)
    new = ""
    if task.existing:
        files = file_list([str(entry[0]) for entry in task.existing])
        same = " and ".join(f'b."{c}" = s."{c}"' for c in task.key)
        new = f"where not exists (from read_parquet({files}, hive_partitioning = false) b where {same})"
    delivered = ", ".join(['"file"', '"line"']) if "file" in task.columns else "source, line"
    return f"""
        select {selected} from (
            from read_parquet({file_list(list(task.staged))}, hive_partitioning = false)
            where "{task.column}" between date '{iso(task.days[0])}' and date '{iso(task.days[-1])}'
            qualify row_number() over (partition by {keys} order by {delivered}) = 1
        ) s {new}
    """
