"""Batches of Bronze held against what was delivered: the delivered files are read once more, where they still are.

What run, day and time a row got is the batch's own; all else of it follows from the line that it was delivered in. So
the rows that a batch kept are taken from the delivered files again and written in its order, and where the reader is
the one of then, the very bytes come out. Nothing is written but into a folder that is given, and gone afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tradex_ledger.datasets.sandbox import close
from tradex_ledger.datasets.statement import connect, quoted
from tradex_ledger.domain.day import Day
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.driving.bronze import StageTask, stage_files
from tradex_ledger.driving.compare import Counted, counted
from tradex_ledger.driving.reproduce import DIFFERS, EQUAL, IDENTICAL, NOT_JUDGED, Again, problem_of, room
from tradex_ledger.errors import TradexError
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import LakeFileError, StagedFile, translate
from tradex_ledger.lake.writer import limit_resources, write_days
from tradex_ledger.paths import file_list

_SOURCE, _FILE, _LINE = "source", "file", "line"
_OF_THE_BATCH = ("run_id", "ingested_at")
_MADE = "__source || ':' || __line || coalesce('#' || __item, '')"
_NAME = r"regexp_extract(source, '^files:(.*):[^:]*$', 1)"


@dataclass(frozen=True, slots=True)
class Delivered:
    """Where the rows of a batch were delivered: how many are of each file, by its name at the source; and when they
    came (microseconds since 1970, UTC)."""

    rows: Mapping[str, int]
    ingested_us: int


@dataclass(frozen=True, slots=True)
class OpenTask:
    """Find where the rows of a batch were delivered; `position` is that of its event."""

    lake: Lake
    file: LakeFile
    day: Day
    columns: tuple[str, ...]
    position: int


def delivered(task: OpenTask) -> Delivered | Again:
    """An `OpenTask`, in a worker process. A batch whose file is not as it was is answered at once."""
    try:
        path = task.lake.fetch(task.file)
    except LakeFileError as error:
        return Again(task.day, DIFFERS, f"its file {error.path} {problem_of(error)}", error.path, gone=True)
    if not _says_where(task.columns):
        return Again(task.day, NOT_JUDGED, "its rows do not say where they were delivered")
    name = _NAME if _SOURCE in task.columns else f'"{_FILE}"'
    connection = connect()
    try:
        rows = f"read_parquet({file_list([str(path)])}, hive_partitioning = false)"
        found = connection.execute(f"select {name}, count(*) from {rows} group by 1 order by 1").fetchall()
        ((ingested,),) = connection.execute(f"select epoch_us(min(ingested_at)) from {rows}").fetchall()
        return Delivered({str(file): count for file, count in found}, ingested)
    except (OSError, duckdb.Error) as error:
        raise translate(error, f"reading {task.file.path}") from error
    finally:
        connection.close()


def _says_where(columns: tuple[str, ...]) -> bool:
    return _SOURCE in columns or {_FILE, _LINE} <= set(columns)


def stage_again(task: StageTask) -> str | None:
    """Read one delivered file again, in a worker process; returns why that cannot be done."""
    try:
        stage_files(task)
    except TradexError as error:
        return error.message
    return None


@dataclass(frozen=True, slots=True)
class RereadTask:
    """Write a batch once more from delivered files that were read again (`staged`), and hold it against its file.

    `rows` are those of each delivered file, `absent` the delivered files that cannot be read any more, and why;
    `position` is that of its event.
    """

    lake: Lake
    file: LakeFile
    day: Day
    column: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    staged: tuple[str, ...]
    rows: Mapping[str, int]
    absent: Mapping[str, str]
    folder: Path
    memory_mb: int
    position: int


def reread(task: RereadTask) -> Again:
    """A `RereadTask`, in a worker process."""
    if not task.staged and task.absent:
        return Again(task.day, NOT_JUDGED, _lacking(task))
    try:
        with room(task.folder) as folder:
            path = task.lake.fetch(task.file)
            built = _written(task, path, folder) if task.staged else []
            return _held_against(task, path, built)
    except LakeFileError as error:
        return Again(task.day, DIFFERS, f"its file {error.path} {problem_of(error)}", error.path, gone=True)
    except duckdb.BinderException:  # what is on record has columns that are read no more
        return Again(task.day, NOT_JUDGED, "today's reader gives other columns than the batch has")
    except (OSError, duckdb.Error) as error:
        raise translate(error, f"reading {task.file.path} again") from error


def _written(task: RereadTask, path: Path, folder: Path) -> list[StagedFile]:
    connection = connect()
    try:
        limit_resources(connection, folder / "spill", task.memory_mb)
        return write_days(
            connection,
            _sql(task, path),
            column=task.column,
            order=task.key,
            days={task.day},
            folder=folder,
            durable=False,
        )
    finally:
        close(connection)


def _held_against(task: RereadTask, path: Path, built: list[StagedFile]) -> Again:
    rows, sha256 = (built[0].rows, built[0].sha256) if built else (0, None)
    if sha256 == task.file.sha256:
        return Again(task.day, IDENTICAL, rows=rows, sha256=sha256)
    found = counted([path], [file.path for file in built], task.key)
    return Again(task.day, *_verdict(task, found), rows=rows, sha256=sha256, counted=found)


def _verdict(task: RereadTask, found: Counted) -> tuple[str, str | None]:
    """What the comparison says, where some delivered files are gone."""
    gone = sum(task.rows[name] for name in task.absent)
    if found.changed or found.columns or found.added or found.missing > gone:
        return DIFFERS, _lacking(task) if task.absent else "what lies at the source today gives other rows"
    return (NOT_JUDGED, _lacking(task)) if found.missing else (EQUAL, None)


def _lacking(task: RereadTask) -> str:
    gone = sum(task.rows[name] for name in task.absent)
    name, why = next(iter(task.absent.items()))
    more = f", and {len(task.absent) - 1} more files" if len(task.absent) > 1 else ""
    return f"{gone} of {task.file.rows} rows cannot be read again: {name} {why}{more}"


def _sql(task: RereadTask, path: Path) -> str:
    """The rows of a batch as they are read today; what is not there any more has none."""
    of_lines = _SOURCE not in task.columns
    place = {_FILE: f"s.{_FILE}", _LINE: f"s.{_LINE}"} if of_lines else {_SOURCE: _MADE}
    if not of_lines:
        place |= {_FILE: "substr(__source, length('files:') + 1)", _LINE: "__line"}
    own = (*_OF_THE_BATCH, task.column)
    selected = ", ".join(
        f'b."{c}"' if c in own else f"{place[c]} as {quoted(c)}" if c in place else f's."{c}"' for c in task.columns
    )
    where = [f's."{c}" is not distinct from b."{c}"' for c in task.key if c not in (*place, task.column)]
    where += [f'{sql} = b."{name}"' for name, sql in place.items() if name in task.columns]
    staged = f"read_parquet({file_list(list(task.staged))}, hive_partitioning = false, union_by_name = true)"
    batch = f"read_parquet({file_list([str(path)])}, hive_partitioning = false)"
    return f"select {selected} from {staged} s join {batch} b on {' and '.join(where)}"
