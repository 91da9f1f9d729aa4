"""The source, read into staged files: in parallel by groups of delivered files, in the order of their names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from tradex_ledger.datasets.intake import Intake
from tradex_ledger.domain.source import Counts
from tradex_ledger.driving.bronze import StageTask, stage_files
from tradex_ledger.driving.delivered import Asked, Delivered, Known
from tradex_ledger.driving.execution import Bench
from tradex_ledger.sources.moments import DAY_US
from tradex_ledger.sources.source import PassedOver, SourceFile
from tradex_ledger.sources.stage import FileCounts, Outputs, StageCounts, Wanted


@dataclass
class Staged:
    """What an extraction found: the counts, the staged files, and what was read of each delivered file.

    Of delivered files that were not read, because Bronze has all their rows, only the rows by day (since 1970) are
    here.
    """

    counts: Counts = field(default_factory=Counts)
    odd: Counter[str] = field(default_factory=Counter)
    rows: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    undated: list[str] = field(default_factory=list)
    held_rows: Counter[int] = field(default_factory=Counter)
    held_rejected: Counter[int] = field(default_factory=Counter)
    held_recounted: int = 0
    held: list[FileCounts] = field(default_factory=list)
    read: list[FileCounts] = field(default_factory=list)
    delivered_day: int = 0

    def hold(self, known: Known, asked: Asked) -> None:
        """Count a file as if it had been read."""
        rows, rejected, counts = known.rows(asked), known.rejected(asked), known.counts
        self.held_rows.update(rows)
        self.held_rejected.update(rejected)
        self.held_recounted += known.recounts(asked)
        self.held.append(counts)
        self.count(1, counts.lines, rows.total(), rejected.total() + counts.undated, counts.beyond)
        self._count_file(counts)

    def take_in(self, counts: StageCounts) -> None:
        """Count what a task read."""
        self.count(counts.files, counts.lines, counts.rows, counts.rejected, counts.beyond)
        self.read += counts.by_file
        for file in counts.by_file:
            self._count_file(file)

    def count(self, files: int, lines: int, rows: int, rejected: int, beyond: int) -> None:
        """Add to the counts."""
        outside = lines - rows - rejected - beyond
        more = Counts(files=files, lines=lines, posts=rows, outside=outside, rejected=rejected, beyond=beyond)
        self.counts = self.counts.plus(more)

    def _count_file(self, counts: FileCounts) -> None:
        self.counts = self.counts.plus(Counts(undated=counts.undated, controls=counts.controls))
        self.odd.update(counts.odd)

    def passed_over(self) -> list[PassedOver]:
        """The files of which nothing, or not all, was taken once they were opened."""
        return [PassedOver(file.name, file.passed_over) for file in (*self.held, *self.read) if file.passed_over]

    def days(self, asked: Asked | None) -> set[int]:
        """The days (since 1970) of the rows that were asked for; none where the range is not one of whole days."""
        files = (*self.held, *self.read) if asked else ()
        return {day for file in files for day in file.rows if asked and asked.rows[0] <= day < asked.rows[1]}

    def newest_day(self) -> int | None:
        """The newest day (since 1970) of a row, in the range or not. What is dated ahead says nothing of today."""
        found = (day for file in (*self.held, *self.read) for day in file.rows)
        return max((day for day in found if day <= self.delivered_day + 1), default=None)


def stage_all(
    bench: Bench, intake: Intake, listed: list[SourceFile], wanted: Wanted, delivered: Delivered, asked: Asked | None
) -> Staged:
    """Read what has to be read of the delivered files of one source."""
    ex = bench.ex
    files, held = delivered.split(listed, asked)
    batches = ex.scope.sources[intake.source].batches(
        files, intake.stated(bench.columns), ex.scope.policy.batch_mb << 20
    )
    tasks = [StageTask(batch, wanted, _outputs(bench.staging, intake, number)) for number, batch in enumerate(batches)]
    staged = Staged(delivered_day=wanted.delivered_us // DAY_US)
    for known in held:
        assert asked is not None
        staged.hold(known, asked)
    # By the counts, not by which files there are: who takes the run over wipes them, and that is no empty source.
    kept: set[Path] = set()
    for task, counts in ex.here.run(stage_files, tasks):
        staged.take_in(counts)
        kept |= _made(task.outputs, counts)
        ex.progress(f"read {len(listed)} files", staged.counts.files, len(listed))
    staged.rows = [str(task.outputs.rows) for task in tasks if task.outputs.rows in kept]
    staged.rejected = [str(task.outputs.rejected) for task in tasks if task.outputs.rejected in kept]
    staged.undated = [str(task.outputs.undated) for task in tasks if task.outputs.undated in kept]
    return staged


def _outputs(staging: Path, intake: Intake, number: int) -> Outputs:
    rows, rejected, undated = (
        staging / f"{intake.source}-{kind}-{number:05}.parquet" for kind in ("rows", "rejected", "undated")
    )
    outputs = Outputs(rows, rejected, undated)
    if intake.rejected:
        outputs = replace(outputs, rejected_day=intake.rejected.partition)
    return replace(outputs, undated_day=intake.undated.partition) if intake.undated else outputs


def _made(outputs: Outputs, counts: StageCounts) -> set[Path]:
    """The files that a task made: one of each kind of row that there was."""
    kinds = (
        (outputs.rows, counts.rows),
        (outputs.rejected, counts.rejected - counts.undated),
        (outputs.undated, counts.undated),
    )
    return {path for path, count in kinds if count}
