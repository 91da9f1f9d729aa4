"""A window built once more, from the text and the inputs of then, and held against the files that are on record.

It is a pure task, like the building itself. It writes into a folder that it is given, which is no part of any lake, and
leaves nothing behind. What it comes to is a value: a file that is not as it was is an answer here, and no error.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tradex_ledger.datasets.definition import DefinitionError
from tradex_ledger.datasets.too_long import TookTooLongError
from tradex_ledger.domain.day import Day, later
from tradex_ledger.domain.partition import PartitionVersion
from tradex_ledger.driving import window
from tradex_ledger.driving.compare import Counted, counted
from tradex_ledger.driving.window import WindowTask
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import LakeFileError, StagedFile, translate

IDENTICAL, EQUAL, DIFFERS, NOT_JUDGED = VERDICTS = ("identical", "equal", "differs", "not judged")
"""What comes of it: the very bytes that are on record; their rows, in other bytes; others; or nobody can tell."""


@dataclass(frozen=True, slots=True)
class Again:
    """What came of a day. `why`: what stands in the way, or is not as it was; `file` is the one that is meant.

    `rows` and `sha256` (hex; None: it has no rows) are of what was built again, None where nothing was.
    """

    day: Day
    verdict: str
    why: str | None = None
    file: str | None = None
    rows: int | None = None
    sha256: str | None = None
    counted: Counted | None = None
    gone: bool = False
    """Whether the file that is meant is an input, or one on record, that is not there as it was written."""


@dataclass(frozen=True, slots=True)
class ReproduceTask:
    """Build a window again below a folder, and hold each of its days against the version that is on record; `positions`
    are those of the versions' events."""

    window: WindowTask
    lake: Lake
    recorded: Mapping[Day, PartitionVersion]
    positions: Mapping[Day, int]

    def __str__(self) -> str:
        """What it builds."""
        return str(self.window)


def reproduce(task: ReproduceTask) -> list[Again]:
    """A `ReproduceTask`, in a worker process: one answer for each of its days.

    Raises: `EnvironmentFault` for what is the matter with this machine.
    """
    try:
        with room(task.window.folder) as folder:
            built = {file.day: file for file in window.build_window(replace(task.window, folder=folder))}
            return [_held_against(task, day, built.get(day)) for day in task.window.days]
    except (LakeFileError, DefinitionError, TookTooLongError) as error:
        if len(task.window.days) > 1:  # the others may be as they were
            return [answer for day in task.window.days for answer in reproduce(_alone(task, day))]
        return [_not_built(task.window.days[0], error)]
    except OSError as error:
        raise translate(error, f"building {task} again") from error


@contextmanager
def room(parent: Path) -> Iterator[Path]:
    """A folder that nobody else has; gone afterwards."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _alone(task: ReproduceTask, day: Day) -> ReproduceTask:
    """The same for one day, which is given no file that it does not read."""
    own = tuple(
        replace(
            given,
            files=tuple(
                file for file in given.files if file.holds(later(day, given.read.first), later(day, given.read.last))
            ),
        )
        for given in task.window.inputs
    )
    return replace(task, window=replace(task.window, days=(day,), inputs=own))


def _not_built(day: Day, error: LakeFileError | DefinitionError | TookTooLongError) -> Again:
    if isinstance(error, LakeFileError):
        return Again(day, NOT_JUDGED, f"its input {error.path} {problem_of(error)}", error.path, gone=True)
    if isinstance(error, TookTooLongError):
        return Again(day, NOT_JUDGED, error.message)
    return Again(day, DIFFERS, f"it cannot be built again: {error.message}")


def problem_of(error: LakeFileError) -> str:
    """What is wrong with a file, without its name."""
    return error.message.removeprefix(f"the lake file {error.path} ")


def _held_against(task: ReproduceTask, day: Day, built: StagedFile | None) -> Again:
    """What was built of a day, against what is on record, and that against its bytes in the lake."""
    recorded = task.recorded[day]
    is_same = (built.sha256 if built else "") == recorded.content
    rows, sha256 = (built.rows, built.sha256) if built else (0, None)
    try:
        paths = [task.lake.fetch(file) for file in recorded.files]
    except LakeFileError as error:
        again = "the bytes on record" if is_same else "other bytes than those on record"
        why = f"its file {error.path} {problem_of(error)}; built again it has {again}"
        return Again(day, DIFFERS, why, error.path, rows, sha256, gone=True)
    if is_same:
        return Again(day, IDENTICAL, rows=rows, sha256=sha256)
    found = counted(paths, [built.path] if built else [], task.window.key)
    verdict = DIFFERS if found.sample else EQUAL
    return Again(day, verdict, None, None, rows, sha256, found if found.sample else None)
