"""What Bronze work is made of: pure tasks, reading delivered files and writing what is new. No ledger here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from tradex_ledger.datasets.statement import connect
from tradex_ledger.domain.day import Day, day_of, iso
from tradex_ledger.driving.keys import keys_of
from tradex_ledger.lake.erased import NOTHING_ERASED, Erased
from tradex_ledger.lake.inputs import InputFile, checked, paths_today
from tradex_ledger.lake.storage import StagedFile, translate
from tradex_ledger.lake.writer import limit_resources, write_days
from tradex_ledger.paths import file_list
from tradex_ledger.sources.source import Again, Batch
from tradex_ledger.sources.stage import Outputs, StageCounts, Wanted, stage


@dataclass(frozen=True, slots=True)
class StageTask:
    """Read some delivered files into staged Parquet files, one a kind of row."""

    batch: Batch
    wanted: Wanted
    outputs: Outputs


@dataclass(frozen=True, slots=True)
class RecoverTask:
    """Read the rejected lines of Bronze files again: what is a row of first..last (ordinals) now goes to `out`."""

    again: Again
    files: tuple[InputFile, ...]
    first: Day
    last: Day
    out: Path


@dataclass(frozen=True, slots=True)
class AppendTask:
    """Write the staged rows of some days (ordinals, consecutive) that Bronze does not have.

    `counts` are columns that tell how a row was doing when it was delivered: no part of what it is. `moved` is the file
    of the staged rows that belong to another day than theirs (`homes.py`), `indexed` the column that rows are found by.
    `of_lines`: they are lines that are no rows, each with its file and its number. What was `erased` stays away.
    """

    dataset: str
    column: str
    key: tuple[str, ...]
    counts: tuple[str, ...]
    columns: tuple[str, ...]
    staged: tuple[str, ...]
    existing: tuple[InputFile, ...]
    days: tuple[Day, ...]
    folder: Path
    run_id: str
    ingested_at: str
    memory_mb: int
    moved: str | None = None
    indexed: str | None = None
    of_lines: bool = False
    erased: Erased = NOTHING_ERASED


@dataclass(frozen=True, slots=True)
class Appended:
    """What an `AppendTask` came to: the files, and by (delivered file, day as an ordinal) the rows that Bronze has
    already, with other counts; `keys` are the numbers of the files' keys, by the digest of each file."""

    files: list[StagedFile]
    recounted: Counter[tuple[str, Day]] = field(default_factory=Counter)
    keys: dict[str, bytes] = field(default_factory=dict)


def stage_files(task: StageTask) -> StageCounts:
    """A `StageTask`, in a worker process."""
    try:
        return stage(task.batch, task.wanted, task.outputs)
    except OSError as error:
        files = task.batch.files
        raise translate(error, f"staging {files[0].name} and {len(files) - 1} more files") from error


def recover(task: RecoverTask) -> int:
    """A `RecoverTask`, in a worker process; returns how many lines are rows now."""
    try:
        with checked(task.files):
            return task.again.rejected([file.path for file in task.files], task.first, task.last, task.out)
    except OSError as error:
        raise translate(error, f"reading {len(task.files)} files of rejected lines again") from error


def append_days(task: AppendTask) -> Appended:
    """An `AppendTask`, in a worker process: first delivery wins within the batch, Bronze wins over the batch."""
    with checked(task.existing):
        return _append_days(task)


def _append_days(task: AppendTask) -> Appended:
    connection = connect()
    try:
        limit_resources(connection, task.folder / "spill", task.memory_mb)
        task.erased.prepare(connection)
        has_known = _find_known(connection, task)
        recounted = _recounted(connection, task, has_known)
        files = write_days(
            connection,
            _append_sql(task, has_known),
            column=task.column,
            order=task.key,
            days=set(task.days),
            folder=task.folder,
        )
        return Appended(files, recounted, _keys(connection, task, files))
    except (OSError, duckdb.Error) as error:
        raise translate(error, f"appending to {task.dataset}") from error
    finally:
        connection.close()


def _keys(connection: duckdb.DuckDBPyConnection, task: AppendTask, files: list[StagedFile]) -> dict[str, bytes]:
    """The numbers of the keys of files that were just written, for the index."""
    if task.indexed is None or not files:
        return {}
    found = keys_of(connection, [file.path for file in files], task.indexed)
    return {file.sha256: numbers for file, numbers in zip(files, found, strict=True)}


def count_new_rows(task: AppendTask, held: Mapping[str, str]) -> list[tuple[Day, str | None, int]]:
    """How many rows an `AppendTask` would write: (day they are delivered with as an ordinal; the delivered file of
    lines, of rows what holds them back, by the first column of their key; rows).

    It writes none. The files were checked by who asks.
    """
    connection = connect()
    try:
        limit_resources(connection, task.folder / "spill", task.memory_mb)
        task.erased.prepare(connection)
        sql = _append_sql(task, _find_known(connection, task), more="__delivered")
        by, beside = ('"file"' if task.of_lines else "null::varchar"), ""
        if held and not task.of_lines:
            connection.execute(
                "create temp table held as select unnest($1::varchar[]) as row, unnest($2::varchar[]) as by",
                [list(held), list(held.values())],
            )
            by, beside = "held.by", f'left join held on held.row = "{task.key[0]}"::varchar'
        found = connection.execute(f"select __delivered, {by}, count(*) from ({sql}) {beside} group by all").fetchall()
        return [(day_of(day), name, count) for day, name, count in found]
    finally:
        connection.close()


def check_existing(task: AppendTask) -> Appended:
    """What an `AppendTask` comes to when no row of it is new: the check of what Bronze has, and no file."""
    for file in task.existing:
        file.check()
    return Appended([])


def _find_known(connection: duckdb.DuckDBPyConnection, task: AppendTask) -> bool:
    """Make the table `known`: the keys that are staged and that Bronze has, with its counts. False: it has no files.

    Bronze is read once, past the keys of the few rows that are staged, and never gathered in memory.
    """
    paths = paths_today(task.existing, task.days[0], task.days[-1], task.folder / "again.parquet")
    if not paths:
        return False
    wanted = ", ".join(f'"{c}"' for c in (*task.key, *task.counts))
    rows = f"read_parquet({file_list(paths)}, hive_partitioning = false, union_by_name = true)"
    connection.execute(
        f"create temp table known as select {wanted} from {rows} "
        f"semi join (select distinct {_keys_sql(task)} from ({_rows_sql(task)})) using ({_keys_sql(task)})"
    )
    return True


def _keys_sql(task: AppendTask) -> str:
    return ", ".join(f'"{c}"' for c in task.key)


def _staged_sql(task: AppendTask) -> str:
    """The staged rows that belong to the days, each with its number among those of one key: the first was delivered
    first."""
    delivered = '"file", "line"' if task.of_lines else "__source, __line, __item"
    number = f"row_number() over (partition by {_keys_sql(task)} order by {delivered})"
    return f"select *, {number} as __nth from ({_rows_sql(task)})"


def _rows_sql(task: AppendTask) -> str:
    """The staged rows that belong to the days."""
    within = f"\"{task.column}\" between date '{iso(task.days[0])}' and date '{iso(task.days[-1])}'"
    staged = f"read_parquet({file_list(list(task.staged))}, hive_partitioning = false)"
    rows = f'select *, "{task.column}" as __delivered from {staged} where {within}'
    if task.moved is not None:
        moved = f"read_parquet({file_list([task.moved])}, hive_partitioning = false)"
        same = " and ".join([_same(task, "m", "s"), f'm.__delivered = s."{task.column}"'])
        rows = (
            f'select s.*, "{task.column}" as __delivered from {staged} s '
            f"where {within} and not exists (from {moved} m where {same}) "
            f"union all by name select * exclude (__known) from {moved} where {within}"
        )
    if task.erased:
        rows = f"select * from ({rows}) where not {task.erased.condition(None if task.of_lines else task.key[0])}"
    return rows


def _same(task: AppendTask, one: str, other: str) -> str:
    return " and ".join(f'{one}."{c}" = {other}."{c}"' for c in task.key)


def _append_sql(task: AppendTask, has_known: bool, *, more: str = "") -> str:
    made = {
        "run_id": f"'{task.run_id}'",
        "ingested_at": f"timestamp '{task.ingested_at.rstrip('Z')}'",
    }
    if not task.of_lines:
        made["source"] = "__source || ':' || __line || coalesce('#' || __item, '')"
        made |= {"file": "substr(__source, length('files:') + 1)", "line": "__line"}
    selected = ", ".join(f'{made[c]} as "{c}"' if c in made else f'"{c}"' for c in task.columns)
    selected += f", {more}" if more else ""
    new = f"and not exists (from known b where {_same(task, 'b', 's')})" if has_known else ""
    return f"select {selected} from ({_staged_sql(task)}) s where __nth = 1 {new}"


def _recounted(connection: duckdb.DuckDBPyConnection, task: AppendTask, has_known: bool) -> Counter[tuple[str, Day]]:
    """The deliveries that are dropped as known though their counts are others than those that are kept."""
    if not task.counts:
        return Counter()
    wanted = ", ".join(f'"{c}"' for c in (*task.key, *task.counts))
    kept = f"select {wanted} from s where __nth = 1"
    if has_known:
        kept = f"from known union all select * from ({kept}) anti join known using ({_keys_sql(task)})"
    other = " or ".join(f's."{c}" is distinct from k."{c}"' for c in task.counts)
    found = connection.execute(
        f"with s as ({_staged_sql(task)}) select s.__source, s.__delivered, count(*) "
        f"from s join ({kept}) k on {_same(task, 's', 'k')} where {other} group by all"
    ).fetchall()
    return Counter({(source.removeprefix("files:"), day_of(day)): count for source, day, count in found})
