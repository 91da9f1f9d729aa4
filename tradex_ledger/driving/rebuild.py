"""Silver and Gold: rebuild the planned partitions of a dataset, as candidates (N7, N15, N17)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tradex_ledger import slow
from tradex_ledger.datasets.definition import Definition, Pipeline
from tradex_ledger.datasets.graph import input_days, windows
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import Day, span
from tradex_ledger.domain.differences import ContentsDiffer
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.partition import REUSED, Begun, Candidate, PartitionVersion
from tradex_ledger.domain.plan import Window
from tradex_ledger.driving.build import BuildTask, Built, build
from tradex_ledger.driving.contents import differing
from tradex_ledger.driving.execution import Bench, Columns
from tradex_ledger.driving.fence import DrivenRun
from tradex_ledger.driving.window import Input, WindowTask
from tradex_ledger.garbage import all_stays
from tradex_ledger.lake.inputs import InputFile
from tradex_ledger.lake.port import Files
from tradex_ledger.planning.catalog import Catalog

REUSED_A_SAVE = 600


@dataclass(frozen=True, slots=True)
class Making:
    """What windows are made with: definitions and columns (name, DuckDB type) of datasets, the lake, what a task may
    take."""

    pipeline: Pipeline
    columns: Columns
    lake: Files
    memory_mb: int
    minutes: int

    def task(
        self, definition: Definition, seen: Catalog, days: Sequence[Day], *, check_reads: bool = False
    ) -> WindowTask:
        """The task that builds consecutive days (ordinals) of a dataset over what a catalog holds."""
        spans = input_days(definition, days[0], days[-1])
        inputs = [
            Input(
                read,
                tuple(self.columns[read.dataset]),
                tuple(
                    InputFile(day, file, self.lake, again, layer)
                    for day, file, again in seen.readable(read.dataset, *spans[read.dataset])
                ),
                self.pipeline.get(read.dataset).partition,
            )
            for read in definition.reads
            for layer in (self.pipeline.get(read.dataset).layer,)
        ]
        return WindowTask(
            dataset=definition.name,
            sql=definition.sql,
            column=definition.partition,
            key=definition.key,
            references=definition.references,
            inputs=tuple(inputs),
            days=tuple(days),
            check_reads=check_reads,
            memory_mb=self.memory_mb,
            minutes=self.minutes,
        )


def window_task(
    bench: Bench, definition: Definition, seen: Catalog, days: Sequence[Day], *, check_reads: bool = False
) -> WindowTask:
    """The same by the definitions of today, and with what an execution gives a task."""
    ex = bench.ex
    making = Making(ex.scope.pipeline, bench.columns, ex.lake, ex.task_memory_mb, ex.task_minutes)
    return making.task(definition, seen, days, check_reads=check_reads)


@dataclass
class Rebuild:
    """The days of one dataset that a drive rebuilds.

    `published` is the catalog as of the base, `seen` the same with the run's own candidates laid over; `seen` grows.
    """

    bench: Bench
    driven: DrivenRun
    definition: Definition
    logic_version: int
    published: Catalog
    seen: Catalog
    total: int = 0
    done: int = 0
    days: Collection[Day] = ()
    _known: dict[Day, list[PartitionVersion]] | None = None

    def run(self, days: Iterable[Day]) -> None:
        """Give each of the days a candidate: reused where no input changed, else rebuilt, one save a window.

        A crash between saves loses at most the windows under way: resuming finds the candidates that were saved.
        """
        wanted = sorted(days)
        self.total = len(wanted)
        self.days = wanted
        if self.definition.own_reach is None:
            self._rebuild(wanted)
            return
        for window in self._windows(wanted):  # it reads its own earlier days: window after window
            self._rebuild(span(window.first, window.last))

    def _windows(self, days: Iterable[Day]) -> list[Window]:
        limit = self.bench.ex.scope.policy.window_partitions
        return windows(self.definition, days, logic_version=self.logic_version, window_partitions=limit)

    def _rebuild(self, days: Sequence[Day]) -> None:
        digests = self.seen.input_digests(self.definition, self.logic_version, days)
        asked = ((day, self._of_same_inputs(day, digest)) for day, digest in digests.items())
        same = {day: version for day, version in asked if version is not None}
        absent = self.bench.ex.lake.absent(file for version in same.values() for file in version.files)
        reused = [day for day, version in same.items() if not absent or absent.isdisjoint(version.files)]
        for start in range(0, len(reused), REUSED_A_SAVE):
            chunk = reused[start : start + REUSED_A_SAVE]
            with all_stays():
                self._record([self._reused(day, same[day], digests[day]) for day in chunk])
        todo = sorted(set(days) - set(reused))
        slow.detail(
            f"{self.definition.name}: {len(reused)} of {len(days)} days are reused, of the same logic and inputs; "
            f"{len(todo)} are built"
        )
        found = self._windows(todo)
        widest = max(found, key=lambda w: w.partitions, default=None)
        tasks = [self._task(window, check_reads=window is widest) for window in found]
        ex = self.bench.ex
        started = ex.stopwatch()
        for _, built in ex.pool.run(build, tasks):
            took_ms, started = ex.elapsed_ms(started), ex.stopwatch()
            self._finish(built, digests, took_ms)

    def _of_same_inputs(self, day: Day, digest: str) -> PartitionVersion | None:
        run = self.driven.run
        if isinstance(run, Backfill) and run.request.kind == "forced":
            return None  # it recomputes everything: what it corrects may be what looks the same
        current = self.published.get(self.definition.name, day)
        if current is None or current.logic_version != self.logic_version or current.inputs != digest:
            return None
        gone = self.published.gone
        return None if gone and any(file.path in gone for file in current.files) else current

    def _task(self, window: Window, *, check_reads: bool) -> BuildTask:
        definition, gone, days = self.definition, self.published.gone, span(window.first, window.last)
        versioned = f"/{definition.component}={self.logic_version}" if definition.component else ""
        folder = f"{definition.name}{versioned}/{definition.partition}"
        found = {day: self.published.get(definition.name, day) for day in days}
        # What was declared lost may turn up again: under its name nobody looks.
        current = {
            day: version.files
            for day, version in found.items()
            if version is not None and not any(file.path in gone for file in version.files)
        }
        return BuildTask(
            window=window_task(self.bench, definition, self.seen, days, check_reads=check_reads),
            lake=self.bench.ex.lake,
            drive=self.bench.staging.name,
            run_id=self.driven.id,
            folder=folder,
            current=current,
            taken=frozenset(path for path in gone if path.startswith(f"{folder}=")),
            clock=self.bench.ex.task_clock,
            who=self.bench.ex.pool.who,
        )

    def _reused(self, day: Day, current: PartitionVersion, digest: str) -> Candidate:
        return self._candidate(day, current, current.files, REUSED, digest)

    def _candidate(
        self,
        day: Day,
        current: PartitionVersion | None,
        files: tuple[LakeFile, ...],
        outcome: str,
        digest: str,
        *,
        took_ms: int = 0,
        begun: Begun | None = None,
    ) -> Candidate:
        n_rows, n_bytes = sum([file.rows for file in files]), sum([file.bytes for file in files])
        return Candidate(
            day,
            self.definition.layer,
            PartitionVersion(self.logic_version, files, n_rows, n_bytes, digest, outcome=outcome),
            previous_rows=current.rows if current else None,
            base=self.published.position,
            duration_ms=took_ms,
            begun=begun,
        )

    def _finish(self, built: Sequence[Built], digests: Mapping[Day, str], took_ms: int) -> None:
        """Record a window in one save: its files are in the lake, durable. A crash before: no event names them."""
        candidates, strange = [], []
        for one in built:
            digest, current = digests[one.day], self.published.get(self.definition.name, one.day)
            took_each = took_ms // len(built)
            candidate = self._candidate(
                one.day, current, one.files, one.outcome, digest, took_ms=took_each, begun=one.begun
            )
            candidates.append(candidate)
            if candidate.version.is_written:
                strange += differing(
                    self.bench.ex,
                    self.definition,
                    self.published,
                    one.day,
                    digest,
                    candidate.version,
                    before=self._before,
                )
        self._record(candidates, strange)

    def _before(self) -> dict[Day, list[PartitionVersion]]:
        """All that was built of these days before; it is asked once, and only when something comes out otherwise."""
        if self._known is None:
            position, name = self.published.position, self.definition.name
            self._known = self.bench.ex.scope.catalogs.built(position, name, self.days)
        return self._known

    def _record(self, built: Sequence[Candidate], strange: Iterable[ContentsDiffer] = ()) -> None:
        # A crash before this save: the window is built again. After it: whoever resumes finds its candidates.
        self.driven.run.rebuild_partitions(self.definition.name, built, by=self.bench.ex.scope.by)
        for found in strange:  # in the same save: no candidate of other content is ever there without it
            self.driven.run.tell_contents(found, by=self.bench.ex.scope.by)
        self.driven.append()
        for one in built:
            self.seen.put(self.definition.name, one.day, one.version)
        self.done += len(built)
        self.bench.ex.progress(self.definition.name, self.done, self.total)
        self.bench.ex.progress(self.driven.id, *self.driven.run.progress())
