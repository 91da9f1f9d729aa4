"""Files of the lake as tasks are given them: where they are, and what their event says of them. No ledger here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tradex_ledger.domain.day import Day
from tradex_ledger.lake.storage import Stamp, check_file, check_same
from tradex_ledger.lake.verified import Named
from tradex_ledger.sources.source import Again


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of a dataset, with its day (an ordinal), as the events describe it.

    `again`: how it is read again, where an older reader made it; it may hold rows of other days, too.
    """

    day: Day
    path: Path
    name: str
    bytes: int
    sha256: str
    again: Again | None = None

    def holds(self, first: int, last: int) -> bool:
        """Whether it may hold rows of first..last (ordinals)."""
        if self.again is None:
            return first <= self.day <= last
        return first - self.again.days_before <= self.day <= last + self.again.days_after

    def check(self) -> Stamp:
        """Raise `LakeFileError` unless it is as its event says; it is hashed, whatever a cache knows."""
        return check_file(self.path, self.name, size=self.bytes, sha256=self.sha256)

    def check_same(self, stamp: Stamp) -> None:
        """Raise `LakeFileError` when it is not the file any more that was checked."""
        check_same(self.path, self.name, stamp)

    def named(self) -> Named:
        """As its event names it."""
        return Named(self.name, self.bytes, self.sha256)


@contextmanager
def checked(files: Iterable[InputFile]) -> Iterator[None]:
    """Files that are as their events say, before they are read and after: DuckDB opens them by their names."""
    stamps = [(file, file.check()) for file in files]
    yield
    for file, stamp in stamps:
        file.check_same(stamp)


def paths_today(files: Iterable[InputFile], first: int, last: int, again: Path) -> list[str]:
    """Where the rows of the files are, as today's reader reads them: those of first..last (ordinals) that an older one
    left go to `again`, if there are any."""
    given = list(files)
    paths = [str(file.path) for file in given if file.again is None]
    old = [(file.path, file.day) for file in given if file.again is not None]
    how = next((file.again for file in given if file.again is not None), None)  # of one dataset, they have one reader
    if how is not None and how.rows(old, first, last, again):
        paths.append(str(again))
    return paths
