"""Bronze: fetch what the source has for the run's range, keep what is not there yet, append it (N6, N14, N23).

Bronze has no candidates: a batch is visible once its event is saved, since data that was paid for is kept even if the
run dies later. Dedup compares with Bronze itself, with the touched partitions only; there is no switch for it (N37).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tradex_ledger.datasets.definition import Definition
from tradex_ledger.datasets.graph import iso, ordinal, windows
from tradex_ledger.datasets.statement import connect
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.run import Run
from tradex_ledger.executors.bronze import AppendTask, StageTask, append_days, check_existing, stage_files
from tradex_ledger.executors.context import Execution, logic_versions
from tradex_ledger.executors.delivered import Days, Delivered, Known, open_delivered
from tradex_ledger.executors.fence import DrivenRun
from tradex_ledger.lake.storage import StagedFile, file_list
from tradex_ledger.ledger.application import WriterConflictError
from tradex_ledger.ledger.entry import format_time, parse_time
from tradex_ledger.sources.files import SourceFile
from tradex_ledger.sources.stage import FileCounts
from tradex_ledger.sources.x_posts import DAY_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def extraction_of(run: Run, source: str) -> dict[str, Any]:
    """What LayerStarted says of the extraction: its mode and explicit cursors (times, UTC; the upper one excluded)."""
    if isinstance(run, Backfill):
        first, last = ordinal(run.request["first"]), ordinal(run.request["last"])
        cursors: tuple[str | None, str] = (_midnight(first), _midnight(last + 1))
        return {"mode": "backfill", "cursor_from": cursors[0], "cursor_to": cursors[1], "source": source}
    assert isinstance(run, IncrementalRun)
    return {
        "mode": "incremental",
        "cursor_from": run.cursor_from,
        "cursor_to": run.cursor_to,
        "source": source,
    }


def _midnight(day: int) -> str:
    return format_time(datetime.fromordinal(day).replace(tzinfo=UTC))


def _micros(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    return (parse_time(cursor) - _EPOCH) // timedelta(microseconds=1)


def _whole_days(first: int | None, until: int | None) -> Days | None:
    """A range of microseconds as days since 1970-01-01; None when it does not begin and end at midnight (UTC)."""
    if until is None or until % DAY_US or (first or 0) % DAY_US:
        return None
    return (-_EPOCH.toordinal() if first is None else first // DAY_US, until // DAY_US)


@dataclass
class Staged:
    """What an extraction found: the counts, the staged files, and what was read of each delivered file.

    Of delivered files that were not read, because Bronze has all their rows, only the rows by day are here.
    """

    counts: Counter[str] = field(default_factory=Counter)
    posts: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    held_posts: Counter[int] = field(default_factory=Counter)
    held_rejected: Counter[int] = field(default_factory=Counter)
    read: list[FileCounts] = field(default_factory=list)

    def hold(self, known: Known, days: Days) -> None:
        """Count a file as if it had been read."""
        posts, rejected = known.posts(days), known.rejected(days)
        self.held_posts += posts
        self.held_rejected += rejected
        self.count(1, known.counts.lines, posts.total(), rejected.total())

    def count(self, files: int, lines: int, posts: int, rejected: int) -> None:
        """Add to the counts."""
        outside = lines - posts - rejected
        self.counts.update(files=files, lines=lines, posts=posts, outside=outside, rejected=rejected)


def extract(ex: Execution, driven: DrivenRun, extraction: Mapping[str, Any]) -> dict[str, Any]:
    """Fill Bronze for the run's range. Returns the counts for LayerCompleted.

    Run again after a crash it appends only what is missing: dedup makes it harmless (N14).
    """
    ingested_at = format_time(ex.clock())
    days = _whole_days(_micros(extraction["cursor_from"]), _micros(extraction["cursor_to"]))
    delivered = open_delivered(ex)
    staged = stage_all(ex, extraction, delivered, days)
    posts, rejected = ex.posts()
    appended = {}
    for definition, files, held in (
        (posts, staged.posts, staged.held_posts),
        (rejected, staged.rejected, staged.held_rejected),
    ):
        if definition is not None and (files or held):
            read = rows_by_day(definition, files)
            held_rows = Counter({day + _EPOCH.toordinal(): n for day, n in held.items()})
            append = Append(ex, driven, definition, tuple(files), read, read + held_rows, ingested_at)
            appended[definition.name] = append.run()
    kept = appended.get(posts.name, 0)
    delivered.keep(ex, staged.read, days)
    return {**staged.counts, "appended": kept, "duplicates": staged.counts["posts"] - kept}


def stage_all(ex: Execution, extraction: Mapping[str, Any], delivered: Delivered, days: Days | None) -> Staged:
    """Read the source into staged files: parallel by groups of delivered files, in the order of their names."""
    listed = ex.source.list_files()
    first, until = _micros(extraction["cursor_from"]), _micros(extraction["cursor_to"])
    files, held = delivered.split(listed, days)
    tasks = [
        StageTask(
            _pairs(group),
            first,
            until,
            ex.staging / f"posts-{n:05}.parquet",
            ex.staging / f"rejected-{n:05}.parquet",
        )
        for n, group in enumerate(ex.source.groups(files, ex.policy.batch_mb << 20))
    ]
    staged = Staged()
    staged.count(0, 0, 0, 0)
    for known in held:
        assert days is not None
        staged.hold(known, days)
    # By the counts, not by which files there are: who takes the run over wipes them, and that is no empty source.
    kept: set[Path] = set()
    for task, counts in ex.pool.run(stage_files, tasks):
        staged.count(counts.files, counts.lines, counts.posts, counts.rejected)
        staged.read += counts.by_file
        kept |= {task.posts} if counts.posts else set()
        kept |= {task.rejected} if counts.rejected else set()
        ex.progress(f"read {len(listed)} files", staged.counts["files"], len(listed))
    staged.posts = [str(task.posts) for task in tasks if task.posts in kept]
    staged.rejected = [str(task.rejected) for task in tasks if task.rejected in kept]
    return staged


def _pairs(group: list[SourceFile]) -> tuple[tuple[Path, str], ...]:
    return tuple((file.path, file.name) for file in group)


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


@dataclass
class Append:
    """Staged rows on their way into one Bronze dataset.

    `staged_rows` counts them by day (ordinal); `delivered_rows` counts those, too, that were not staged again because
    Bronze has them: batches are cut and counted by these, so that they come out the same.
    """

    ex: Execution
    driven: DrivenRun
    definition: Definition
    staged: tuple[str, ...]
    staged_rows: Mapping[int, int]
    delivered_rows: Mapping[int, int]
    ingested_at: str
    tries: int = 0

    def run(self) -> int:
        """Append window by window; returns the rows that were new."""
        limit = self.ex.policy.window_partitions
        todo = windows(self.definition, self.delivered_rows, logic_version=0, window_partitions=limit)
        self._read_base()
        total = 0
        for number, window in enumerate(todo):
            total += self._append(tuple(range(ordinal(window["first"]), ordinal(window["last"]) + 1)))
            self.ex.progress(f"append to {self.definition.name}", number + 1, len(todo))
        return total

    def _read_base(self) -> None:
        """The dataset's lock, then the catalog: good for all windows, since each touches its own days."""
        locks = self.ex.unbumped_locks()
        self.lock = locks[self.definition.name]
        self.catalog = self.ex.catalogs.at(self.ex.ledger.position(), logic_versions(locks))

    def _append(self, days: tuple[int, ...]) -> int:
        """One batch: dedup, place, and one save with the lock; again from a fresh base when somebody was first."""
        while True:
            self.tries += 1
            task = self._task(days)
            files = append_days(task) if any(day in self.staged_rows for day in days) else check_existing(task)
            if not files:
                return 0
            for file in files:
                self.lock.check_unprotected(iso(file.day), iso(file.day))
            # A crash before `place`: staged files, wiped by the next drive. After it: files that no event names.
            placed = [(file.day, self._place(file)) for file in files]
            self.ex.lake.sync_placed([facts["path"] for _, facts in placed])
            total = self._record(placed, _midnight(days[-1] + 1))
            try:
                # A crash before this save: unreferenced files. After it: the batch is Bronze, and found there.
                self.driven.append(self.lock)
            except WriterConflictError:
                self._read_base()
                continue
            return total

    def _task(self, days: tuple[int, ...]) -> AppendTask:
        name = self.definition.name
        return AppendTask(
            dataset=name,
            column=self.definition.partition,
            key=self.definition.key,
            columns=tuple(column for column, _ in self.ex.columns[name]),
            staged=self.staged,
            existing=tuple(
                (self.ex.lake.absolute(file["path"]), file["path"], file["bytes"], file["sha256"])
                for _, file in self.catalog.files(name, days[0], days[-1])
            ),
            days=days,
            folder=self.ex.staging / f"{name}-{self.tries}",
            run_id=self.driven.id,
            ingested_at=self.ingested_at,
            memory_mb=self.ex.task_memory_mb,
        )

    def _place(self, file: StagedFile) -> dict[str, Any]:
        folder = f"{self.definition.name}/{self.definition.partition}={iso(file.day)}"
        path = self.ex.lake.place(file, folder, self.driven.id)
        return {"path": path, "bytes": file.bytes, "rows": file.rows, "sha256": file.sha256}

    def _record(self, placed: list[tuple[int, dict[str, Any]]], cursor: str) -> int:
        for day, facts in placed:
            self.driven.run.append_batch(
                dataset=self.definition.name,
                logic_version=self.lock.logic_version,
                partition=iso(day),
                files=[facts],
                rows=facts["rows"],
                bytes=facts["bytes"],
                dropped=self.delivered_rows[day] - facts["rows"],
                cursor=cursor,
                by=self.ex.by,
            )
        total: int = sum(facts["rows"] for _, facts in placed)
        self.lock.publish(
            self.driven.id,
            logic_version=self.lock.logic_version,
            partitions=len(placed),
            rows=total,
            changed=[iso(day) for day, _ in placed],
            by=self.ex.by,
        )
        return total
