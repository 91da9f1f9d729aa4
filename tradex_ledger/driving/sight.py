"""What an engine is shown to build a window: references, `partitions`, and the rows that `reads` allows some days.

One engine shows several days, one after the other: to open one takes longer than to build a small window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb

from tradex_ledger.datasets.definition import Read
from tradex_ledger.datasets.fingerprint import create_empty
from tradex_ledger.datasets.references import add_references
from tradex_ledger.datasets.sandbox import close, confine, in_time, spill_of
from tradex_ledger.datasets.statement import connect, quoted
from tradex_ledger.domain.day import Day, date_of, iso, later
from tradex_ledger.driving import again
from tradex_ledger.lake.inputs import InputFile, paths_today
from tradex_ledger.lake.writer import limit_resources
from tradex_ledger.paths import file_list

T = TypeVar("T")

Shown = tuple[tuple[Day, ...], Path]
"""Days that a connection shows, and the folder for what is written on the way."""


@dataclass(frozen=True, slots=True)
class Input:
    """One dataset that is read: its columns (name, DuckDB type) and the files the window may show.

    `column` names the one that holds a row's day; empty: it is called as the window's own.
    """

    read: Read
    columns: tuple[tuple[str, str], ...]
    files: tuple[InputFile, ...]
    column: str = ""


@dataclass(frozen=True, slots=True)
class WindowTask:
    """Rebuild `days` (ordinals, consecutive) of a dataset into `folder`, which each attempt at it is given anew."""

    dataset: str
    sql: str
    column: str
    key: tuple[str, ...]
    references: tuple[tuple[str, str], ...]
    inputs: tuple[Input, ...]
    days: tuple[Day, ...]
    check_reads: bool
    memory_mb: int
    minutes: float = 360
    folder: Path = Path()

    def __str__(self) -> str:
        """What it builds."""
        return f"{self.dataset} {iso(self.days[0])}..{iso(self.days[-1])}"

    def input_bytes(self, day: Day) -> int:
        """The bytes of all files that may hold rows which a day reads."""
        return sum(
            file.bytes
            for given in self.inputs
            for file in given.files
            if day + given.read.first <= file.day <= day + given.read.last
        )

    def fullest(self) -> Day:
        """The day with most input."""
        return max(self.days, key=self.input_bytes)


class Sight:
    """A connection that has all that a task's statement can reach, of the days that are shown."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, task: WindowTask, shown: Sequence[Shown]) -> None:
        self._connection, self._task = connection, task
        self._days = [days for days, _ in shown]
        for _, folder in shown:
            folder.mkdir(parents=True, exist_ok=True)
        self._files = [[_files_of(given, days, folder) for given in task.inputs] for days, folder in shown]
        self.listed = [path for inputs in self._files for paths in inputs for path in paths]
        for number, given in enumerate(task.inputs):
            if not all(inputs[number] for inputs in self._files):
                create_empty(connection, f"__no_{given.read.dataset}", list(given.columns))
        self.show(0)

    def show(self, number: int) -> tuple[Day, ...]:
        """Show the days of that number, instead of those before; returns them."""
        self._shown = self._days[number]
        for given, files in zip(self._task.inputs, self._files[number], strict=True):
            _create_input(self._connection, given, files)
        self._connection.execute(
            f'create or replace table partitions as select unnest($1::date[]) as "{self._task.column}"',
            [[date_of(day) for day in self._shown]],
        )
        return self._shown

    def build(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """What is built of the days that are shown, in time."""
        what = f"rebuilding {self._task.dataset} {iso(self._shown[0])}..{iso(self._shown[-1])}"
        mend = "narrow its statement or window_partitions, or raise task_minutes in tradex.toml"
        return in_time(self._connection, what, self._task.minutes, mend, lambda: work(self._connection))


@contextmanager
def opened(task: WindowTask, shown: Sequence[Shown]) -> Iterator[Sight]:
    """An engine that reads nothing but what some days of a task may see; the first of them are shown."""
    connection = connect()
    try:
        limit_resources(connection, shown[0][1] / "spill", task.memory_mb)
        add_references(connection, task.references, dataset=task.dataset)
        sight = Sight(connection, task, shown)
        confine(connection, sight.listed, spill=spill_of(task.memory_mb), keep=again.SETTINGS)
        yield sight
    finally:
        close(connection)


def _files_of(given: Input, days: Sequence[Day], folder: Path) -> list[str]:
    """The files with the rows that those days may see; of Bronze of an older reader, what reading it again gives."""
    first, last = later(days[0], given.read.first), later(days[-1], given.read.last)
    files = (file for file in given.files if file.holds(first, last))
    return paths_today(files, first, last, folder / f"{given.read.dataset}-again.parquet")


def _create_input(connection: duckdb.DuckDBPyConnection, given: Input, files: list[str]) -> None:
    columns = ", ".join(quoted(name) for name, _ in given.columns)
    rows = f"read_parquet({file_list(files)}, hive_partitioning = false)" if files else f'"__no_{given.read.dataset}"'
    connection.execute(f'create or replace view "{given.read.dataset}" as select {columns} from {rows}')
