"""Staged rows on their way into Bronze: window by window, one save each, under the dataset's lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tradex_ledger.datasets.definition import Definition
from tradex_ledger.datasets.graph import iso, ordinal, windows
from tradex_ledger.datasets.statement import connect
from tradex_ledger.executors.bronze import Appended, AppendTask, append_days, check_existing
from tradex_ledger.executors.catalog import NO_DAY, Catalog
from tradex_ledger.executors.context import Execution, logic_versions
from tradex_ledger.executors.fence import DrivenRun
from tradex_ledger.executors.inputs import InputFile
from tradex_ledger.lake.storage import StagedFile, file_list
from tradex_ledger.ledger.application import WriterConflictError
from tradex_ledger.sources import COUNTS


def rows_by_day(definition: Definition, staged: list[str]) -> Counter[int]:
    """How many staged rows each day (ordinal) has."""
    if not staged:
        return Counter()
    with connect() as connection:
        rows = connection.execute(
            f'select "{definition.partition}", count(*) '
            f"from read_parquet({file_list(staged)}, hive_partitioning = false) group by all"
        ).fetchall()
    return Counter({day.toordinal(): count for day, count in rows})


def known_rows(ex: Execution, catalog: Catalog, definition: Definition, days: tuple[int, ...]) -> tuple[InputFile, ...]:
    """The files whose rows are not appended again.

    A line that no day belongs to is known whenever it was read, also of the time when it had the day 1970-01-01; and
    one that has a day now is known when it was read before that day had come.
    """
    posts, rejected, undated = ex.bronze()
    if definition is posts:
        return tuple(ex.input_file(*found) for found in catalog.readable(definition.name, days[0], days[-1]))
    return tuple(
        ex.input_file(day, file)
        for dataset in (rejected, undated)
        if dataset is not None
        for day, file in catalog.all_files(dataset.name)
        if dataset is undated or day == NO_DAY or (definition is rejected and day in days)
    )


def append_task(
    ex: Execution,
    catalog: Catalog,
    definition: Definition,
    staged: tuple[str, ...],
    days: tuple[int, ...],
    **more: Any,
) -> AppendTask:
    """The task that finds what of the staged rows of some days is new. `more`: folder, run_id, ingested_at."""
    columns = tuple(column for column, _ in ex.columns[definition.name])
    return AppendTask(
        dataset=definition.name,
        column=definition.partition,
        key=definition.key,
        counts=tuple(column for column in COUNTS if column in columns),
        columns=columns,
        staged=staged,
        existing=known_rows(ex, catalog, definition, days),
        days=days,
        memory_mb=ex.task_memory_mb,
        **more,
    )


@dataclass
class Append:
    """Staged rows on their way into one Bronze dataset.

    `staged_rows` counts them by day (ordinal); `delivered_rows` counts those, too, that were not staged again because
    Bronze has them: batches are cut and counted by these, so that they come out the same. `total` are the rows that
    were new; `recounted` is told at `Appended`.
    """

    ex: Execution
    driven: DrivenRun
    definition: Definition
    staged: tuple[str, ...]
    staged_rows: Mapping[int, int]
    delivered_rows: Mapping[int, int]
    ingested_at: str
    total: int = 0
    recounted: Counter[tuple[str, int]] = field(default_factory=Counter)
    tries: int = 0

    def run(self) -> None:
        """Append window by window."""
        limit = self.ex.policy.window_partitions
        todo = windows(self.definition, self.delivered_rows, logic_version=0, window_partitions=limit)
        self._read_base()
        for number, window in enumerate(todo):
            self._append(tuple(range(ordinal(window["first"]), ordinal(window["last"]) + 1)))
            self.ex.progress(f"append to {self.definition.name}", number + 1, len(todo))

    def _read_base(self) -> None:
        """The dataset's lock, then the catalog: good for all windows, since each touches its own days."""
        locks = self.ex.unbumped_locks()
        self.lock = locks[self.definition.name]
        self.catalog = self.ex.catalogs.at(self.ex.ledger.position(), logic_versions(locks))

    def _append(self, days: tuple[int, ...]) -> None:
        """One batch: dedup, place, and one save with the lock; again from a fresh base when somebody was first."""
        while True:
            self.tries += 1
            found = self._dedup(days)
            if found.files:
                for file in found.files:
                    self.lock.check_unprotected(iso(file.day), iso(file.day))
                # A crash before `place`: staged files, wiped by the next drive. After it: files that no event names.
                placed = [(file.day, self._place(file)) for file in found.files]
                self.ex.lake.sync_placed([facts["path"] for _, facts in placed])
                self._record(placed, f"{iso(days[-1] + 1)}T00:00:00.000000Z")
                try:
                    # A crash before this save: unreferenced files. After it: the batch is Bronze, and found there.
                    self.driven.append(self.lock)
                except WriterConflictError:
                    self._read_base()
                    continue
                self.total += sum(facts["rows"] for _, facts in placed)
            self.recounted += found.recounted
            return

    def _dedup(self, days: tuple[int, ...]) -> Appended:
        task = append_task(
            self.ex,
            self.catalog,
            self.definition,
            self.staged,
            days,
            folder=self.ex.staging / f"{self.definition.name}-{self.tries}",
            run_id=self.driven.id,
            ingested_at=self.ingested_at,
        )
        return append_days(task) if any(day in self.staged_rows for day in days) else check_existing(task)

    def _place(self, file: StagedFile) -> dict[str, Any]:
        folder = f"{self.definition.name}/{self.definition.partition}={iso(file.day)}"
        path = self.ex.lake.place(file, folder, self.driven.id, self.catalog.gone)
        return {"path": path, "bytes": file.bytes, "rows": file.rows, "sha256": file.sha256}

    def _record(self, placed: list[tuple[int, dict[str, Any]]], cursor: str) -> None:
        for day, facts in placed:
            self.driven.run.append_batch(
                dataset=self.definition.name,
                logic_version=self.lock.logic_version,
                partition=iso(day),
                files=[facts],
                rows=facts["rows"],
                bytes=facts["bytes"],
                dropped=max(0, self.delivered_rows[day] - facts["rows"]),
                cursor=cursor,
                by=self.ex.by,
            )
        self.lock.publish(
            self.driven.id,
            logic_version=self.lock.logic_version,
            partitions=len(placed),
            rows=sum(facts["rows"] for _, facts in placed),
            changed=[iso(day) for day, _ in placed],
            by=self.ex.by,
        )
