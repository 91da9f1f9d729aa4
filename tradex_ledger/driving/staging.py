"""The source, read into staged files: in parallel by groups of delivered files, in the order of their names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tradex_ledger.driving.bronze import StageTask, stage_files
from tradex_ledger.driving.delivered import Asked, Delivered, Known
from tradex_ledger.planning.context import Execution
from tradex_ledger.sources.files import PassedOver, SourceFile
from tradex_ledger.sources.stage import FileCounts, Outputs, StageCounts, Wanted

COUNTED = ("files", "lines", "posts", "outside", "rejected", "undated", "controls", "beyond")


@dataclass
class Staged:
    """What an extraction found: the counts, the staged files, and what was read of each delivered file.

    Of delivered files that were not read, because Bronze has all their rows, only the rows by day (since 1970) are
    here.
    """

    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(COUNTED, 0)))
    odd: Counter[str] = field(default_factory=Counter)
    posts: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    undated: list[str] = field(default_factory=list)
    held_posts: Counter[int] = field(default_factory=Counter)
    held_rejected: Counter[int] = field(default_factory=Counter)
    held_recounted: int = 0
    held: list[FileCounts] = field(default_factory=list)
    read: list[FileCounts] = field(default_factory=list)

    def hold(self, known: Known, asked: Asked) -> None:
        """Count a file as if it had been read."""
        posts, rejected, counts = known.posts(asked), known.rejected(asked), known.counts
        self.held_posts += posts
        self.held_rejected += rejected
        self.held_recounted += known.recounts(asked)
        self.held.append(counts)
        self.count(1, counts.lines, posts.total(), rejected.total() + counts.undated, counts.beyond)
        self._count_file(counts)

    def take_in(self, counts: StageCounts) -> None:
        """Count what a task read."""
        self.count(counts.files, counts.lines, counts.posts, counts.rejected, counts.beyond)
        self.read += counts.by_file
        for file in counts.by_file:
            self._count_file(file)

    def count(self, files: int, lines: int, posts: int, rejected: int, beyond: int) -> None:
        """Add to the counts."""
        outside = lines - posts - rejected - beyond
        self.counts.update(files=files, lines=lines, posts=posts, outside=outside, rejected=rejected, beyond=beyond)

    def _count_file(self, counts: FileCounts) -> None:
        self.counts.update(undated=counts.undated, controls=counts.controls)
        self.odd.update(counts.odd)

    def passed_over(self) -> list[PassedOver]:
        """The files of which nothing, or not all, was taken once they were opened."""
        return [PassedOver(file.name, file.passed_over) for file in (*self.held, *self.read) if file.passed_over]

    def days(self, asked: Asked | None) -> set[int]:
        """The days (since 1970) of the posts that were asked for; none where the range is not one of whole days."""
        files = (*self.held, *self.read) if asked else ()
        return {day for file in files for day in file.posts if asked and asked.posts[0] <= day < asked.posts[1]}

    def newest_day(self) -> int | None:
        """The newest day (since 1970) of a post, in the range or not."""
        return max((day for file in (*self.held, *self.read) for day in file.posts), default=None)


def stage_all(
    ex: Execution, listed: list[SourceFile], wanted: Wanted, delivered: Delivered, asked: Asked | None
) -> Staged:
    """Read what has to be read of the delivered files."""
    files, held = delivered.split(listed, asked)
    tasks = [
        StageTask(tuple((file.path, file.name) for file in group), wanted, _outputs(ex.staging, number))
        for number, group in enumerate(ex.source.groups(files, ex.policy.batch_mb << 20))
    ]
    staged = Staged()
    for known in held:
        assert asked is not None
        staged.hold(known, asked)
    # By the counts, not by which files there are: who takes the run over wipes them, and that is no empty source.
    kept: set[Path] = set()
    for task, counts in ex.pool.run(stage_files, tasks):
        staged.take_in(counts)
        kept |= _made(task.outputs, counts)
        ex.progress(f"read {len(listed)} files", staged.counts["files"], len(listed))
    staged.posts = [str(task.outputs.posts) for task in tasks if task.outputs.posts in kept]
    staged.rejected = [str(task.outputs.rejected) for task in tasks if task.outputs.rejected in kept]
    staged.undated = [str(task.outputs.undated) for task in tasks if task.outputs.undated in kept]
    return staged


def _outputs(folder: Path, number: int) -> Outputs:
    return Outputs(*(folder / f"{kind}-{number:05}.parquet" for kind in ("posts", "rejected", "undated")))


def _made(outputs: Outputs, counts: StageCounts) -> set[Path]:
    """The files that a task made: one of each kind of row that there was."""
    kinds = (
        (outputs.posts, counts.posts),
        (outputs.rejected, counts.rejected - counts.undated),
        (outputs.undated, counts.undated),
    )
    return {path for path, count in kinds if count}
