"""A window as a pure task: (definition, input files, output folder) → files. It needs no ledger.

Each input is limited to the days that the definition's `reads` allow for the window. A window of several days shows a
day more than its own `reads` would; so the first window of each drive is also built day by day at both ends and
compared: a definition that looks where it did not declare is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from tradex_ledger.datasets.definition import DefinitionError, Read
from tradex_ledger.datasets.fingerprint import add_references, create_empty
from tradex_ledger.datasets.graph import iso
from tradex_ledger.datasets.statement import connect
from tradex_ledger.lake.storage import StagedFile, check_file, file_list, translate
from tradex_ledger.lake.writer import (
    PartitionValueError,
    RepeatedRowError,
    limit_resources,
    write_days,
)


class ReadsOutsideWindowError(DefinitionError):
    """A definition's result for a day depends on days that its `reads` does not declare."""

    code = "reads-outside-window"

    def __init__(self, dataset: str, day: int) -> None:
        super().__init__(
            dataset,
            f"reads days outside its declared window: {iso(day)} comes out differently when only those are there",
            "widen its reads in the header, or narrow its join to what it declares",
        )


class RepeatedKeyError(DefinitionError):
    """A definition gives the same key twice in one partition."""

    code = "repeated-key"

    def __init__(self, dataset: str, key: str) -> None:
        super().__init__(dataset, f"repeats its key: {key}", "aggregate, or choose a key that is unique")


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of an input, with its day, as the events describe it."""

    day: int
    path: Path
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Input:
    """One dataset that is read: its columns (name, DuckDB type) and the files the window may show."""

    read: Read
    columns: tuple[tuple[str, str], ...]
    files: tuple[InputFile, ...]


@dataclass(frozen=True, slots=True)
class WindowTask:
    """Rebuild `days` (ordinals, consecutive) of a dataset into `folder`."""

    dataset: str
    sql: str
    column: str
    key: tuple[str, ...]
    references: tuple[tuple[str, str], ...]
    inputs: tuple[Input, ...]
    days: tuple[int, ...]
    folder: Path
    check_reads: bool
    memory_mb: int


def build_window(task: WindowTask) -> list[StagedFile]:
    """Build a window; returns a staged file for each day that has rows.

    Raises: `DefinitionError` and its kinds, `LakeFileError` for an input that is not as it was written,
    `EnvironmentFault`.
    """
    for given in task.inputs:
        for file in given.files:
            check_file(file.path, file.name, size=file.bytes, sha256=file.sha256)
    try:
        staged = _write(task, task.days, task.folder)
        if task.check_reads and len(task.days) > 1:
            _check_reads(task, staged)
    except (OSError, duckdb.Error) as error:
        if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException | duckdb.InvalidInputException):
            span = f"{iso(task.days[0])}..{iso(task.days[-1])}"
            raise DefinitionError(task.dataset, f"fails on {span}: {str(error).splitlines()[0]}") from None
        raise translate(error, f"rebuilding {task.dataset} {iso(task.days[0])}..{iso(task.days[-1])}") from error
    return staged


def _write(task: WindowTask, days: Iterable[int], folder: Path) -> list[StagedFile]:
    wanted = list(days)
    connection = connect()
    try:
        limit_resources(connection, folder / "spill", task.memory_mb)
        add_references(connection, task.references)
        for given in task.inputs:
            first, last = wanted[0] + given.read.first, wanted[-1] + given.read.last
            files = [str(file.path) for file in given.files if first <= file.day <= last]
            _create_input(connection, given, files)
        connection.execute(
            f'create table partitions as select unnest($1::date[]) as "{task.column}"',
            [[date.fromordinal(day) for day in wanted]],
        )
        return write_days(connection, task.sql, column=task.column, order=task.key, days=set(wanted), folder=folder)
    except RepeatedRowError as error:
        raise RepeatedKeyError(task.dataset, str(error)) from None
    except PartitionValueError as error:
        raise DefinitionError(
            task.dataset,
            f"gives rows of other days than it was asked for: {error}",
            f"join `partitions` on {task.column}",
        ) from None
    finally:
        connection.close()


def _create_input(connection: duckdb.DuckDBPyConnection, given: Input, files: list[str]) -> None:
    if not files:
        create_empty(connection, given.read.dataset, list(given.columns))
        return
    connection.execute(
        f'create view "{given.read.dataset}" as from read_parquet({file_list(files)}, hive_partitioning = false)'
    )


def _check_reads(task: WindowTask, staged: list[StagedFile]) -> None:
    whole = {file.day: file.sha256 for file in staged}
    for day in (task.days[0], task.days[-1]):
        alone = _write(task, [day], task.folder / f"alone-{day}")
        if whole.get(day) != (alone[0].sha256 if alone else None):
            raise ReadsOutsideWindowError(task.dataset, day)
