"""Silver and Gold: rebuild the planned partitions of a dataset, as candidates (N7, N15, N17)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tradex_ledger.datasets.definition import Definition
from tradex_ledger.datasets.graph import input_days, windows
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import Day, iso, span
from tradex_ledger.domain.differences import ContentsDiffer
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.partition import IDENTICAL, REUSED, WRITTEN, Candidate, PartitionVersion
from tradex_ledger.domain.plan import Window
from tradex_ledger.driving.contents import differing
from tradex_ledger.driving.fence import DrivenRun
from tradex_ledger.driving.window import Input, WindowTask, build_window
from tradex_ledger.lake.storage import LakeFileError, StagedFile, check_file
from tradex_ledger.planning.catalog import Catalog
from tradex_ledger.planning.context import Execution

REUSED_A_SAVE = 600


def window_task(
    ex: Execution, definition: Definition, seen: Catalog, days: Sequence[Day], *, check_reads: bool = False
) -> WindowTask:
    """The task that builds consecutive days (ordinals) of a dataset over what a catalog holds, into the staging."""
    spans = input_days(definition, days[0], days[-1])
    inputs = [
        Input(
            read,
            tuple(ex.columns[read.dataset]),
            tuple(ex.input_file(*found) for found in seen.readable(read.dataset, *spans[read.dataset])),
            ex.pipeline.get(read.dataset).partition,
        )
        for read in definition.reads
    ]
    ex.tasks += 1
    return WindowTask(
        dataset=definition.name,
        sql=definition.sql,
        column=definition.partition,
        key=definition.key,
        references=definition.references,
        inputs=tuple(inputs),
        days=tuple(days),
        folder=ex.staging / f"{definition.name}-{iso(days[0])}-{ex.tasks}",
        check_reads=check_reads,
        memory_mb=ex.task_memory_mb,
        minutes=ex.task_minutes,
    )


@dataclass
class Rebuild:
    """The days of one dataset that a drive rebuilds.

    `published` is the catalog as of the base, `seen` the same with the run's own candidates laid over; `seen` grows.
    """

    ex: Execution
    driven: DrivenRun
    definition: Definition
    logic_version: int
    published: Catalog
    seen: Catalog
    total: int = 0
    done: int = 0

    def run(self, days: Iterable[Day]) -> None:
        """Give each of the days a candidate: reused where no input changed, else rebuilt, one save a window.

        A crash between saves loses at most the windows under way: resuming finds the candidates that were saved.
        """
        wanted = sorted(days)
        self.total = len(wanted)
        if self.definition.own_reach is None:
            self._rebuild(wanted)
            return
        for window in self._windows(wanted):  # it reads its own earlier days: window after window
            self._rebuild(span(window.first, window.last))

    def _windows(self, days: Iterable[Day]) -> list[Window]:
        limit = self.ex.policy.window_partitions
        return windows(self.definition, days, logic_version=self.logic_version, window_partitions=limit)

    def _rebuild(self, days: Sequence[Day]) -> None:
        digests = {day: self.seen.input_digest(self.definition, self.logic_version, day) for day in days}
        reused = [day for day, digest in digests.items() if self._has_same_inputs(day, digest)]
        for start in range(0, len(reused), REUSED_A_SAVE):
            chunk = reused[start : start + REUSED_A_SAVE]
            self._record([self._reused(day, digests[day]) for day in chunk])
        todo = sorted(set(days) - set(reused))
        found = self._windows(todo)
        widest = max(found, key=lambda w: w.partitions, default=None)
        tasks = [self._task(window, check_reads=window is widest) for window in found]
        started = self.ex.stopwatch()
        for task, staged in self.ex.pool.run(build_window, tasks):
            took_ms, started = self.ex.elapsed_ms(started), self.ex.stopwatch()
            self._finish(task, staged, digests, took_ms)

    def _has_same_inputs(self, day: Day, digest: str) -> bool:
        run = self.driven.run
        if isinstance(run, Backfill) and run.request.kind == "forced":
            return False  # it recomputes everything: what it corrects may be what looks the same
        current = self.published.get(self.definition.name, day)
        if current is None or current.logic_version != self.logic_version or current.inputs != digest:
            return False
        return all(
            file.path not in self.published.gone and self.ex.lake.has(file.path, file.bytes) for file in current.files
        )

    def _task(self, window: Window, *, check_reads: bool) -> WindowTask:
        days = span(window.first, window.last)
        return window_task(self.ex, self.definition, self.seen, days, check_reads=check_reads)

    def _reused(self, day: Day, digest: str) -> Candidate:
        return self._candidate(day, self.published.current[self.definition.name][day].files, REUSED, digest, 0)

    def _candidate(self, day: Day, files: tuple[LakeFile, ...], outcome: str, digest: str, took_ms: int) -> Candidate:
        n_rows, n_bytes = sum(file.rows for file in files), sum(file.bytes for file in files)
        current = self.published.get(self.definition.name, day)
        return Candidate(
            day,
            self.definition.layer,
            PartitionVersion(self.logic_version, files, n_rows, n_bytes, digest, outcome=outcome),
            previous_rows=current.rows if current else None,
            base=self.published.position,
            duration_ms=took_ms,
        )

    def _finish(self, task: WindowTask, staged: list[StagedFile], digests: Mapping[Day, str], took_ms: int) -> None:
        """Keep what is new, drop what is identical, and record the window in one save."""
        files = {file.day: file for file in staged}
        built, strange = [], []
        for day in task.days:
            strange += differing(self.ex, self.definition, self.published, day, digests[day], files.get(day))
            outcome, kept = self._keep(files.get(day), self.published.get(self.definition.name, day))
            built.append(self._candidate(day, kept, outcome, digests[day], took_ms // len(task.days)))
        # A crash before: files that no event names. Their names are durable before an event can name them.
        placed = [file.path for one in built if one.version.is_written for file in one.version.files]
        self.ex.lake.sync_placed(placed)
        self._record(built, strange)

    def _keep(self, staged: StagedFile | None, current: PartitionVersion | None) -> tuple[str, tuple[LakeFile, ...]]:
        """Identical bytes are kept once: the current file stays, under its old name, unless it is not what it was.

        A file that was pruned, lost or damaged is so given back by any backfill of its day.
        """
        definition = self.definition
        same = current is not None and current.content == (staged.sha256 if staged else "")
        if same and current is not None and all(self._is_whole(file) for file in current.files):
            if staged:
                staged.path.unlink()
            return IDENTICAL, current.files
        if staged is None:
            return WRITTEN, ()
        versioned = f"/{definition.component}={self.logic_version}" if definition.component else ""
        folder = f"{definition.name}{versioned}/{definition.partition}={iso(staged.day)}"
        path = self.ex.lake.place(staged, folder, self.driven.id, self.published.gone)
        return WRITTEN, (LakeFile(path, staged.bytes, staged.rows, staged.sha256),)

    def _is_whole(self, file: LakeFile) -> bool:
        if file.path in self.published.gone:  # declared lost: it may turn up again, under its name nobody looks
            return False
        try:
            check_file(self.ex.lake.absolute(file.path), file.path, size=file.bytes, sha256=file.sha256)
        except LakeFileError:
            return False
        return True

    def _record(self, built: Sequence[Candidate], strange: Iterable[ContentsDiffer] = ()) -> None:
        # A crash before this save: the window is built again. After it: whoever resumes finds its candidates.
        self.driven.run.rebuild_partitions(self.definition.name, built, by=self.ex.by)
        for found in strange:  # in the same save: no candidate of other content is ever there without it
            self.driven.run.tell_contents(found, by=self.ex.by)
        self.driven.append()
        for one in built:
            self.seen.put(self.definition.name, one.day, one.version)
        self.done += len(built)
        self.ex.progress(self.definition.name, self.done, self.total)
