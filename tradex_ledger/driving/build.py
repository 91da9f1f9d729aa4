"""What a worker does for a window: build it, hold each day against what is there, and give what is new its name.

So the driver touches no file: it records what it is told, and workers need no disk in common with it. A task that is
run again, because its worker died, places its files again, under other names: those of before are named by no event,
and `lake gc` finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from tradex_ledger.domain.day import Day, iso
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.partition import IDENTICAL, WRITTEN, Begun
from tradex_ledger.driving import window
from tradex_ledger.driving.window import WindowTask
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import LakeFileError, StagedFile, translate
from tradex_ledger.ledger.entry import format_time


@dataclass(frozen=True, slots=True)
class BuildTask:
    """Build a window into a lake for a `drive`: each day gets a folder below `folder`, and files are named after the
    run.

    `current` are the files that each day has now; a day that has none to be kept is not there. `taken` are
    the names that nobody gets any more. `clock` and `who` are asked where the task runs: what time it is there, and how
    that worker is called.
    """

    window: WindowTask
    lake: Lake
    drive: str
    run_id: str
    folder: str
    current: Mapping[Day, tuple[LakeFile, ...]]
    taken: frozenset[str]
    clock: Callable[[], datetime]
    who: Callable[[], str]

    def __str__(self) -> str:
        """What it builds."""
        return str(self.window)


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a day: `written` or `identical`, and the files that it has now; and who built its window since
    when."""

    day: Day
    outcome: str
    files: tuple[LakeFile, ...]
    begun: Begun


def build(task: BuildTask) -> list[Built]:
    """Build a window; one answer for each of its days. All that is named in it is durable, and nothing stays staged.

    Raises: as `build_window` does.
    """
    begun = Begun(format_time(task.clock()), task.who())
    try:
        with attempt(task.lake, task.drive, task.window) as own:
            return _build(task, own, begun)
    except OSError as error:
        raise translate(error, f"placing {task}") from error


@contextmanager
def attempt(lake: Lake, drive: str, task: WindowTask) -> Iterator[WindowTask]:
    """A window's task with a folder that nobody else has, who may be at the same task; gone afterwards."""
    folder = lake.attempt(drive)
    try:
        yield replace(task, folder=folder)
    finally:
        lake.drop_staging(folder)


def _build(task: BuildTask, own: WindowTask, begun: Begun) -> list[Built]:
    staged = {file.day: file for file in window.build_window(own)}
    kept = {day for day in task.window.days if _is_kept(task, day, staged.get(day))}
    new = {day: file for day, file in staged.items() if day not in kept}
    placed = task.lake.place({f"{task.folder}={iso(day)}": new[day] for day in new}, task.run_id, task.taken)
    files = {day: (file,) for day, file in zip(new, placed, strict=True)}
    return [
        Built(day, IDENTICAL, task.current[day], begun)
        if day in kept
        else Built(day, WRITTEN, files.get(day, ()), begun)
        for day in task.window.days
    ]


def _is_kept(task: BuildTask, day: Day, staged: StagedFile | None) -> bool:
    """Identical bytes are kept once: the current files stay, under their old names, unless they are not what they were.

    A file that was pruned, lost or damaged is so given back by any backfill of its day.
    """
    current = task.current.get(day)
    if current is None or [file.sha256 for file in current] != ([staged.sha256] if staged else []):
        return False
    try:
        for file in current:
            task.lake.fetch(file)
    except LakeFileError:
        return False
    return True
