"""Staged rows on their way into Bronze: window by window, one save each, under the dataset's lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tradex_ledger.datasets.definition import Definition
from tradex_ledger.datasets.graph import windows
from tradex_ledger.datasets.intake import Part
from tradex_ledger.datasets.statement import shared
from tradex_ledger.domain.day import Cursor, Day, day_of, iso, later, span, start_of
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.partition import Batch
from tradex_ledger.driving.bronze import Appended, AppendTask, append_days, check_existing
from tradex_ledger.driving.elsewhere import lines_elsewhere
from tradex_ledger.driving.execution import Bench, Execution, Prepared
from tradex_ledger.driving.fence import DrivenRun
from tradex_ledger.driving.homes import NOTHING_MOVED, Moved, find_moved
from tradex_ledger.driving.keys import KeyIndex
from tradex_ledger.lake.erased import NOTHING_ERASED, Erased
from tradex_ledger.lake.inputs import InputFile
from tradex_ledger.lake.port import Lake
from tradex_ledger.ledger.application import WriterConflictError
from tradex_ledger.paths import file_list
from tradex_ledger.planning.catalog import Catalog


def rows_by_day(definition: Definition, staged: list[str]) -> Counter[Day]:
    """How many staged rows each day (ordinal) has."""
    if not staged:
        return Counter()
    with shared() as connection:
        rows = connection.execute(
            f'select "{definition.partition}", count(*) '
            f"from read_parquet({file_list(staged)}, hive_partitioning = false) group by all"
        ).fetchall()
    return Counter({day_of(day): count for day, count in rows})


@dataclass(frozen=True, slots=True)
class Placed:
    """Where staged rows of a dataset belong, as of a catalog: rows of other days, files that lines were known by; and
    which of them were erased, and belong nowhere."""

    moved: Moved = NOTHING_MOVED
    lines: Mapping[Day, tuple[InputFile, ...]] = field(default_factory=dict)
    erased: Erased = NOTHING_ERASED


def placed_rows(
    ex: Execution,
    index: KeyIndex,
    catalog: Catalog,
    part: Part,
    staged: Sequence[str],
    folder: Path,
) -> Placed:
    """Look where the staged rows of a dataset of a source belong. Raises: `LakeFileError`."""
    definition, lock = part.definition, ex.scope.lock(part.name)
    erased = Erased(ex.scope.ledger.id, lock.erased)
    if not part.of_lines:
        moved = find_moved(ex, index, catalog, part.intake, staged, folder, protected=lock.protected)
        return Placed(moved=moved, erased=erased)
    return Placed(lines=lines_elsewhere(ex.lake, index, catalog, part.intake, definition, staged), erased=erased)


def known_rows(
    lake: Lake, catalog: Catalog, part: Part, placed: Placed, days: tuple[Day, ...]
) -> tuple[InputFile, ...]:
    """The files whose rows are not appended again.

    A line that is no row is known whenever it was read, whatever day belonged to it then, if any.
    """
    if not part.of_lines:
        found = catalog.readable(part.name, days[0], days[-1])
        return tuple(InputFile(day, file, lake, again) for day, file, again in found)
    return tuple(dict.fromkeys(file for day in days for file in placed.lines.get(day, ())))


class Into(NamedTuple):
    """Where new rows go: the folder of their files, and what is stamped on each (a time, UTC)."""

    folder: Path
    run_id: str
    ingested_at: str


def append_task(
    bench: Bench,
    catalog: Catalog,
    part: Part,
    staged: tuple[str, ...],
    placed: Placed,
    days: tuple[Day, ...],
    *,
    into: Into,
) -> AppendTask:
    """The task that finds what of the staged rows of some days is new. They go `into` there."""
    definition, intake = part.definition, part.intake
    columns = tuple(column for column, _ in bench.columns[definition.name])
    return AppendTask(
        dataset=definition.name,
        column=definition.partition,
        key=definition.key,
        counts=() if part.of_lines else intake.reader.counts(intake.stated(bench.columns)),
        columns=columns,
        staged=staged,
        existing=known_rows(bench.ex.lake, catalog, part, placed, days),
        days=days,
        memory_mb=bench.ex.task_memory_mb,
        moved=placed.moved.path,
        indexed=part.indexed,
        of_lines=part.of_lines,
        erased=placed.erased,
        folder=into.folder,
        run_id=into.run_id,
        ingested_at=into.ingested_at,
    )


@dataclass
class Append:
    """Staged rows on their way into one Bronze dataset.

    `staged_rows` counts them by day (ordinal); `delivered_rows` counts those, too, that were not staged again because
    Bronze has them: batches are cut and counted by these, so that they come out the same. `total` are the rows that
    were new; `recounted` is told at `Appended`.
    """

    bench: Bench
    prepared: Prepared
    driven: DrivenRun
    part: Part
    staged: tuple[str, ...]
    staged_rows: Mapping[Day, int]
    delivered_rows: Mapping[Day, int]
    ingested_at: str
    index: KeyIndex
    total: int = 0
    recounted: Counter[tuple[str, Day]] = field(default_factory=Counter)
    tries: int = 0

    def run(self) -> None:
        """Append window by window; again from the first when somebody else's rows may have moved ours."""
        while not self._pass():
            self.recounted.clear()

    def _pass(self) -> bool:
        limit = self.prepared.scope.policy.window_partitions
        self._read_base()
        days = {*self.delivered_rows, *self.placed.moved.days}
        todo = windows(self.part.definition, days, logic_version=0, window_partitions=limit)
        for number, window in enumerate(todo):
            if not self._append(tuple(span(window.first, window.last))):
                return False
            self.bench.ex.progress(f"append to {self.part.name}", number + 1, len(todo))
        return True

    def _read_base(self) -> None:
        """The dataset's lock, then the catalog: good for all windows, since each touches its own days."""
        base = self.prepared.base()
        self.lock = base.locks[self.part.name]
        self.catalog = base.catalog
        folder = self.bench.staging / f"{self.part.name}-homes-{self.tries}"
        self.placed = placed_rows(self.bench.ex, self.index, self.catalog, self.part, self.staged, folder)

    def _append(self, days: tuple[Day, ...]) -> bool:
        """One batch: dedup, place, and one save with the lock; again from a fresh base when somebody was first.

        Returns False when by that base rows belong to days that were done before.
        """
        while True:
            self.tries += 1
            found = self._dedup(days)
            if found.files:
                for file in found.files:
                    self.lock.check_unprotected(file.day, file.day)
                # A crash before `place`: staged files, wiped by the next drive. After it: files that no event names.
                folders = {self._folder(file.day): file for file in found.files}
                files = self.bench.ex.lake.place(folders, self.driven.id, self.catalog.gone)
                placed = dict(zip((file.day for file in found.files), files, strict=True))
                self._record(placed, start_of(later(days[-1], 1)))
                try:
                    # A crash before this save: unreferenced files. After it: the batch is Bronze, and found there.
                    self.driven.append(self.lock)
                except WriterConflictError:
                    before = self.placed.moved
                    self._read_base()
                    if before is NOTHING_MOVED and self.placed.moved is NOTHING_MOVED:
                        continue
                    return False
                self.total += sum(file.rows for file in placed.values())
                # A crash before this: the files are read for the index by who needs it next.
                self.index.add(found.keys, self.part.indexed or "")
            self.recounted += found.recounted
            return True

    def _dedup(self, days: tuple[Day, ...]) -> Appended:
        task = append_task(
            self.bench,
            self.catalog,
            self.part,
            self.staged,
            self.placed,
            days,
            into=Into(self.bench.staging / f"{self.part.name}-{self.tries}", self.driven.id, self.ingested_at),
        )
        is_staged = any(day in self.staged_rows or day in self.placed.moved.days for day in days)
        return append_days(task) if is_staged else check_existing(task)

    def _folder(self, day: Day) -> str:
        return f"{self.part.name}/{self.part.definition.partition}={iso(day)}"

    def _record(self, placed: Mapping[Day, LakeFile], cursor: Cursor) -> None:
        for day, file in placed.items():
            dropped = max(0, self.delivered_rows.get(day, 0) - file.rows)
            batch = Batch(day, self.lock.logic_version, file, dropped, cursor)
            self.driven.run.append_batch(self.part.name, batch, by=self.prepared.scope.by)
        self.lock.publish(
            self.driven.id,
            logic_version=self.lock.logic_version,
            partitions=len(placed),
            rows=sum(file.rows for file in placed.values()),
            changed=placed,
            by=self.prepared.scope.by,
        )
