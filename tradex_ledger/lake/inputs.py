"""Files of the lake as tasks are given them: what their events say of them, and where to get them. No ledger here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tradex_ledger.domain.day import Day
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.lake.port import Files
from tradex_ledger.lake.storage import LakeFileError, Stamp, check_file, check_same
from tradex_ledger.sources.source import Again


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of a dataset of a layer, with its day, and the lake that has it.

    `again`: how it is read again, where an older reader made it; it may hold rows of other days, too.
    """

    day: Day
    file: LakeFile
    lake: Files = field(compare=False)  # of one lake, and none has to be one that can be told apart
    again: Again | None = None
    layer: str = LAYERS[0]

    @property
    def path(self) -> Path:
        """Where it can be opened on this machine; nobody vouches for what is in it, but `check`."""
        return self.lake.near(self.file)

    @property
    def bytes(self) -> int:
        """How many there are in it."""
        return self.file.bytes

    @property
    def sha256(self) -> str:
        """Of its bytes, in hex."""
        return self.file.sha256

    def holds(self, first: int, last: int) -> bool:
        """Whether it may hold rows of first..last (ordinals)."""
        if self.again is None:
            return first <= self.day <= last
        return first - self.again.days_before <= self.day <= last + self.again.days_after

    def check(self) -> Stamp:
        """Raise `LakeFileError` unless it is as its event says; it is hashed, whatever a cache knows."""
        try:
            return check_near(self.lake, self.file)
        except LakeFileError as error:
            raise error.of_layer(self.layer) from None

    def check_same(self, stamp: Stamp) -> None:
        """Raise `LakeFileError` when it is not the file any more that was checked."""
        check_same(self.path, self.file, stamp)


def check_near(lake: Files, file: LakeFile) -> Stamp:
    """As `check_file` does, of what is here of a file; one that is wrong may be so only here, and is brought again."""
    try:
        return check_file(lake.near(file), file)
    except LakeFileError:
        return check_file(lake.fetch(file), file)


@contextmanager
def checked(files: Iterable[InputFile]) -> Iterator[None]:
    """Files of one lake that are as their events say, before they are read and after: DuckDB opens them by their
    names."""
    given = list(files)
    if given:
        try:
            given[0].lake.bring(file.file for file in given)
        except LakeFileError as error:
            raise error.of_layer(next(file.layer for file in given if file.file.path == error.path)) from None
    stamps = [(file, file.check()) for file in given]
    yield
    for file, stamp in stamps:
        file.check_same(stamp)


def paths_today(files: Iterable[InputFile], first: Day, last: Day, again: Path) -> list[str]:
    """Where the rows of the files are, as today's reader reads them: those of first..last (ordinals) that an older one
    left go to `again`, if there are any."""
    given = list(files)
    paths = [str(file.path) for file in given if file.again is None]
    old = [(file.path, file.day) for file in given if file.again is not None]
    how = next((file.again for file in given if file.again is not None), None)  # of one dataset, they have one reader
    if how is not None and how.rows(old, first, last, again):
        paths.append(str(again))
    return paths
