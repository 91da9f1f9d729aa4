"""Bronze: fetch what the source has for the run's range, keep what is not there yet, append it (N6, N14, N23).

Bronze has no candidates: a batch is visible once its event is saved, since data that was paid for is kept even if the
run dies later. Dedup compares with Bronze itself, with the touched partitions only; there is no switch for it (N37).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from tradex_ledger.datasets.definition import Definition
from tradex_ledger.datasets.fingerprint import connect
from tradex_ledger.datasets.graph import iso, ordinal, windows
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.run import Run
from tradex_ledger.executors.catalog import load_catalog
from tradex_ledger.executors.context import Execution, logic_versions
from tradex_ledger.executors.fence import DrivenRun
from tradex_ledger.lake.storage import StagedFile, check_file, translate
from tradex_ledger.lake.writer import file_list, limit_resources, write_days
from tradex_ledger.ledger.application import WriterConflictError
from tradex_ledger.ledger.entry import format_time, parse_time
from tradex_ledger.sources.files import SourceFile
from tradex_ledger.sources.stage import StageCounts, stage

GROUP_BYTES = 16 << 20
_DAY_US = 86_400_000_000


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
    for path, name, size, sha256 in task.existing:
        check_file(path, name, size=size, sha256=sha256)
    connection = connect()
    try:
        limit_resources(connection, task.folder / "spill", task.memory_mb)
        return write_days(
            connection, _append_sql(task), column=task.column, order=task.key, days=set(task.days), folder=task.folder
        )
    except (OSError, duckdb.Error) as error:
        raise translate(error, f"appending to {task.dataset}") from error
    finally:
        connection.close()


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
    delivered = ", ".join('"file" "line"'.split()) if "file" in task.columns else "source, line"
    return f"""
        select {selected} from (
            from read_parquet({file_list(list(task.staged))})
            where "{task.column}" between date '{iso(task.days[0])}' and date '{iso(task.days[-1])}'
            qualify row_number() over (partition by {keys} order by {delivered}) = 1
        ) s {new}
    """


def extraction_of(run: Run, source: str) -> dict[str, Any]:
    """What LayerStarted says of the extraction: its mode and explicit cursors (times, UTC; the upper one excluded)."""
    if isinstance(run, Backfill):
        first, last = ordinal(run.request["first"]), ordinal(run.request["last"])
        cursors: tuple[str | None, str] = (_midnight(first), _midnight(last + 1))
        return {"mode": "backfill", "cursor_from": cursors[0], "cursor_to": cursors[1], "source": source}
    assert isinstance(run, IncrementalRun)
    return {"mode": "incremental", "cursor_from": run.cursor_from, "cursor_to": run.cursor_to, "source": source}


def _midnight(day: int) -> str:
    return format_time(datetime.fromordinal(day).replace(tzinfo=UTC))


def _micros(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    moment = parse_time(cursor)
    return (moment.date().toordinal() - 719_163) * _DAY_US + round(
        (moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds() * 1_000_000
    )


def extract(ex: Execution, driven: DrivenRun, extraction: Mapping[str, Any]) -> dict[str, Any]:
    """Fill Bronze for the run's range. Returns the counts for LayerCompleted.

    Run again after a crash it appends only what is missing: dedup makes it harmless (N14).
    """
    ingested_at = format_time(ex.clock())
    counts, staged = _stage_all(ex, extraction)
    posts, rejected = ex.posts()
    appended = {}
    for definition, files in ((posts, staged[0]), (rejected, staged[1])):
        if definition is not None and files:
            appended[definition.name] = _append_dataset(ex, driven, definition, files, ingested_at)
    kept = appended.get(posts.name, 0)
    return {**counts, "appended": kept, "duplicates": counts["posts"] - kept}


def _stage_all(ex: Execution, extraction: Mapping[str, Any]) -> tuple[dict[str, int], tuple[list[str], list[str]]]:
    """Read the source into staged files: parallel by groups of delivered files, in the order of their names."""
    files = ex.source.list_files()
    first, until = _micros(extraction["cursor_from"]), _micros(extraction["cursor_to"])
    tasks = [
        StageTask(_pairs(group), first, until, ex.staging / f"posts-{n:05}.parquet", ex.staging / f"rejected-{n:05}.parquet")
        for n, group in enumerate(ex.source.groups(files, GROUP_BYTES))
    ]
    totals = dict.fromkeys(("files", "lines", "posts", "outside", "rejected"), 0)
    for task, counts in ex.pool.run(stage_files, tasks):
        for name in totals:
            totals[name] += getattr(counts, name)
        ex.progress(f"read {len(files)} files", totals["files"], len(files))
        del task
    posts = [str(task.posts) for task in tasks if task.posts.exists()]
    rejected = [str(task.rejected) for task in tasks if task.rejected.exists()]
    return totals, (posts, rejected)


def _pairs(group: list[SourceFile]) -> tuple[tuple[Path, str], ...]:
    return tuple((file.path, file.name) for file in group)


def _append_dataset(
    ex: Execution, driven: DrivenRun, definition: Definition, staged: list[str], ingested_at: str
) -> int:
    """Append the staged rows window by window; returns the rows that were new."""
    with connect() as connection:
        rows = connection.execute(
            f'select "{definition.partition}", count(*) from read_parquet({file_list(staged)}) group by all'
        ).fetchall()
    staged_rows = {day.toordinal(): count for day, count in rows}
    total = 0
    todo = windows(definition, staged_rows, logic_version=0, window_partitions=ex.policy.window_partitions)
    for number, window in enumerate(todo):
        days = tuple(range(ordinal(window["first"]), ordinal(window["last"]) + 1))
        total += _append_window(ex, driven, definition, staged, days, staged_rows, ingested_at, number)
        ex.progress(f"append to {definition.name}", number + 1, len(todo))
    return total


def _append_window(
    ex: Execution,
    driven: DrivenRun,
    definition: Definition,
    staged: list[str],
    days: tuple[int, ...],
    staged_rows: Mapping[int, int],
    ingested_at: str,
    number: int,
) -> int:
    """One batch: dedup, place, and one save with the dataset's lock; again from a fresh base when somebody was first."""
    attempt = 0
    while True:
        locks = ex.locks()
        catalog = load_catalog(ex.ledger.engine, ex.ledger.position(), logic_versions(locks), [definition.name])
        task = AppendTask(
            dataset=definition.name,
            column=definition.partition,
            key=definition.key,
            columns=tuple(name for name, _ in ex.columns[definition.name]),
            staged=tuple(staged),
            existing=tuple(
                (ex.lake.absolute(file["path"]), file["path"], file["bytes"], file["sha256"])
                for _, file in catalog.files(definition.name, days[0], days[-1])
            ),
            days=days,
            folder=ex.staging / f"{definition.name}-{number}-{attempt}",
            run_id=driven.id,
            ingested_at=ingested_at,
            memory_mb=ex.task_memory_mb,
        )
        files = append_days(task)
        if not files:
            return 0
        # A crash before `place`: staged files, wiped by the next drive. A crash after it: files that no event names.
        placed = [_place(ex, definition, file, driven.id) for file in files]
        ex.lake.sync_placed([facts["path"] for _, facts in placed])
        total = _record_batch(ex, driven, placed, definition.name, staged_rows, _midnight(days[-1] + 1))
        lock = locks[definition.name]
        lock.publish(driven.id, logic_version=lock.logic_version, partitions=len(placed), rows=total, by=ex.by)
        try:
            # A crash before this save: unreferenced files. After it: the batch is Bronze, a resumed run finds it there.
            driven.append(lock)
        except WriterConflictError:
            attempt += 1
            continue
        return total


def _record_batch(
    ex: Execution,
    driven: DrivenRun,
    placed: list[tuple[int, dict[str, Any]]],
    dataset: str,
    staged_rows: Mapping[int, int],
    cursor: str,
) -> int:
    for day, facts in placed:
        driven.run.append_batch(
            dataset=dataset,
            partition=iso(day),
            files=[facts],
            rows=facts["rows"],
            bytes=facts["bytes"],
            dropped=staged_rows.get(day, 0) - facts["rows"],
            cursor=cursor,
            by=ex.by,
        )
    return sum(facts["rows"] for _, facts in placed)


def _place(ex: Execution, definition: Definition, file: StagedFile, run_id: str) -> tuple[int, dict[str, Any]]:
    path = ex.lake.place(file, f"{definition.name}/{definition.partition}={iso(file.day)}", run_id)
    return file.day, {"path": path, "bytes": file.bytes, "rows": file.rows, "sha256": file.sha256}
