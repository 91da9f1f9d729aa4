"""A window as a pure task: (definition, input files, output folder) → files. It needs no ledger.

Each input is limited to the days that the definition's `reads` allow for the window. A window of several days shows a
day more than its own `reads` would; so the widest window of each drive is also built day by day at both ends and
compared: a definition that looks where it did not declare is refused.

The day of that window with most input is then built again with the rows of its inputs in other orders, and compared: a
definition that takes the first or the last of equals (ties in an order, `arg_max`, `mode`) is refused. Rows are
compared by key, doubles to 1e-9: sums of doubles are allowed. A window has the same bits each time, because it runs on
one thread over files in a fixed order; in a window of other days the last bits of a sum of doubles may be others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from tradex_ledger.datasets.definition import DefinitionError, Read
from tradex_ledger.datasets.fingerprint import create_empty
from tradex_ledger.datasets.graph import iso
from tradex_ledger.datasets.references import add_references
from tradex_ledger.datasets.sandbox import confine, in_time, spill_of
from tradex_ledger.datasets.statement import NotOneSelectError, connect, quoted
from tradex_ledger.executors import again
from tradex_ledger.executors.inputs import InputFile, checked, paths_today
from tradex_ledger.executors.same_rows import first_difference
from tradex_ledger.lake.storage import StagedFile, file_list, translate
from tradex_ledger.lake.writer import (
    PartitionValueError,
    RepeatedRowError,
    limit_resources,
    write_days,
)
from tradex_ledger.sources.reread import EDIT_DAYS, MADE_UP_DAYS


class ReadsOutsideWindowError(DefinitionError):
    """A definition's result for a day depends on days that its `reads` does not declare."""

    code = "reads-outside-window"

    def __init__(self, dataset: str, day: int, column: str) -> None:
        super().__init__(
            dataset,
            f"reads days outside its declared window: {iso(day)} comes out differently when only those are there",
            "widen its reads in the header, or narrow its join to what it declares; what counts over all rows "
            f"(limit, a window) is to count day by day: partition by {column}",
        )


class RepeatedKeyError(DefinitionError):
    """A definition gives the same key twice in one partition."""

    code = "repeated-key"

    def __init__(self, dataset: str, key: str) -> None:
        super().__init__(dataset, f"repeats its key: {key}", "aggregate, or choose a key that is unique")


class OrderDependentError(DefinitionError):
    """A definition gives other rows when the rows that it reads come in another order."""

    code = "order-dependent"

    def __init__(self, dataset: str, day: int, difference: str) -> None:
        super().__init__(
            dataset,
            f"gives other rows when its input comes in another order; on {iso(day)} differs: {difference}",
            "break the ties: end each order by with the columns of a key; of several equals arg_max, arg_min and mode "
            "take any, row_number() in such an order takes one; a sum of doubles is the same to 1e-9 only, so round or "
            "compare it less finely",
        )


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
    minutes: float = 360


def build_window(task: WindowTask) -> list[StagedFile]:
    """Build a window; returns a staged file for each day that has rows.

    Raises: `DefinitionError` and its kinds, `LakeFileError` for an input that is not as it was written,
    `EnvironmentFault`.
    """
    with checked(file for given in task.inputs for file in given.files):
        return _build_window(task)


def _build_window(task: WindowTask) -> list[StagedFile]:
    try:
        with _shown(task, task.days, task.folder) as connection:
            staged = _run(connection, task, task.days, task.folder)
            if task.check_reads and len(task.days) == 1:
                _compare_orders(connection, task, task.days[0], staged)
        if task.check_reads and len(task.days) > 1:
            _check_reads(task, staged)
            _check_order(task, staged)
    except (OSError, duckdb.Error) as error:
        if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException | duckdb.InvalidInputException):
            span = f"{iso(task.days[0])}..{iso(task.days[-1])}"
            raise DefinitionError(task.dataset, f"fails on {span}: {str(error).splitlines()[0]}") from None
        raise translate(error, f"rebuilding {task.dataset} {iso(task.days[0])}..{iso(task.days[-1])}") from error
    return staged


@contextmanager
def _shown(task: WindowTask, days: tuple[int, ...], folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with all that the statement can reach: references, `partitions`, the days that `reads` allows."""
    connection = connect()
    try:
        limit_resources(connection, folder / "spill", task.memory_mb)
        add_references(connection, task.references, dataset=task.dataset)
        listed = []
        for given in task.inputs:
            first, last = days[0] + given.read.first, days[-1] + given.read.last
            files = _visible(given, first, last, folder)
            _create_input(connection, given, files)
            listed += files
        connection.execute(
            f'create table partitions as select unnest($1::date[]) as "{task.column}"',
            [[date.fromordinal(day) for day in days]],
        )
        confine(connection, listed, spill=spill_of(task.memory_mb), keep=again.SETTINGS)
        span = f"{task.dataset} {iso(days[0])}..{iso(days[-1])}"
        mend = "narrow its statement or window_partitions, or raise task_minutes in tradex.toml"
        with in_time(connection, f"rebuilding {span}", task.minutes, mend):
            yield connection
    finally:
        connection.close()


def _run(
    connection: duckdb.DuckDBPyConnection, task: WindowTask, days: tuple[int, ...], folder: Path, *, keep: bool = True
) -> list[StagedFile]:
    wanted = set(days)
    try:
        return write_days(
            connection, task.sql, column=task.column, order=task.key, days=wanted, folder=folder, durable=keep
        )
    except NotOneSelectError as error:
        raise DefinitionError(task.dataset, f"is not one SELECT statement: {error}") from None
    except RepeatedRowError as error:
        raise RepeatedKeyError(task.dataset, str(error)) from None
    except PartitionValueError as error:
        raise DefinitionError(
            task.dataset,
            f"gives rows of other days than it was asked for: {error}",
            f"join `partitions` on {task.column}",
        ) from None


def _visible(given: Input, first: int, last: int, folder: Path) -> list[str]:
    """The files that hold the rows of first..last; of Bronze of an older reader, what reading it again gives."""
    wide = range(first - MADE_UP_DAYS, last + EDIT_DAYS + 1)
    files = (file for file in given.files if first <= file.day <= last or (file.is_old and file.day in wide))
    return paths_today(files, first, last, folder / f"{given.read.dataset}-again.parquet")


def _create_input(connection: duckdb.DuckDBPyConnection, given: Input, files: list[str]) -> None:
    if not files:
        empty = f"__no_{given.read.dataset}"
        create_empty(connection, empty, list(given.columns))
        connection.execute(f'create view "{given.read.dataset}" as from "{empty}"')
        return
    columns = ", ".join(quoted(name) for name, _ in given.columns)
    connection.execute(
        f'create view "{given.read.dataset}" as select {columns} '
        f"from read_parquet({file_list(files)}, hive_partitioning = false)"
    )


def _build_alone(task: WindowTask, day: int) -> list[StagedFile]:
    folder = task.folder / f"alone-{day}"
    with _shown(task, (day,), folder) as connection:
        return _run(connection, task, (day,), folder, keep=False)


def _check_reads(task: WindowTask, staged: list[StagedFile]) -> None:
    for day in (task.days[0], task.days[-1]):
        alone = _build_alone(task, day)
        if _differ(task, staged, alone, day) is not None:
            _check_alone(task, day, alone)  # a tie may fall otherwise in another window, too
            raise ReadsOutsideWindowError(task.dataset, day, task.column)


def _check_order(task: WindowTask, staged: list[StagedFile]) -> None:
    """Raise `OrderDependentError` when the day with most input comes out otherwise with its rows in another order."""
    day = max(task.days, key=lambda day: _input_bytes(task, day))
    try:
        _check_alone(task, day, staged)
    except OrderDependentError:
        alone = _build_alone(task, day)
        if _differ(task, staged, alone, day) is None:
            raise
        _check_alone(task, day, alone)
        raise ReadsOutsideWindowError(task.dataset, day, task.column) from None


def _check_alone(task: WindowTask, day: int, built: list[StagedFile]) -> None:
    with _shown(task, (day,), task.folder / f"again-{day}") as connection:
        _compare_orders(connection, task, day, built)


def _compare_orders(connection: duckdb.DuckDBPyConnection, task: WindowTask, day: int, built: list[StagedFile]) -> None:
    """Build a day, which is all that the connection shows, in other orders, and compare."""
    size = _input_bytes(task, day)
    for order in again.orders(connection, _inputs_with_rows(task, day), size) if size else ():
        other = _run(connection, task, (day,), task.folder / f"{order}-{day}", keep=False)
        difference = _differ(task, built, other, day)
        if difference is not None:
            raise OrderDependentError(task.dataset, day, difference)


def _differ(task: WindowTask, one: list[StagedFile], other: list[StagedFile], day: int) -> str | None:
    """What differs first between two builds of a day, in words; None: nothing but the last bits of doubles."""
    if _digests(one, day) == _digests(other, day):
        return None
    return first_difference(_path(one, day), _path(other, day), task.key)


def _inputs_with_rows(task: WindowTask, day: int) -> list[tuple[str, str]]:
    """What can come in another order, as (kind, name)."""
    views = [
        ("view", given.read.dataset)
        for given in task.inputs
        if any(day + given.read.first <= file.day <= day + given.read.last for file in given.files)
    ]
    return [*views, *(("table", table) for table, _ in task.references)]


def _path(files: list[StagedFile], day: int) -> Path | None:
    return next((file.path for file in files if file.day == day), None)


def _digests(files: list[StagedFile], day: int) -> list[str]:
    return [file.sha256 for file in files if file.day == day]


def _input_bytes(task: WindowTask, day: int) -> int:
    return sum(
        file.bytes
        for given in task.inputs
        for file in given.files
        if day + given.read.first <= file.day <= day + given.read.last
    )
