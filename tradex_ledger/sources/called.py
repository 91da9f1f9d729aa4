"""The port of a source that is called: it delivers page by page, for money, and each page is kept as a delivered file.

What is asked for lies in spans of time, what comes of one span in pages; each page says with which cursor the next one
is asked for. A page lies in a folder of its run, and there in one of its span, under its number: from then on it is a
delivered file as any other, and read by the same reader. It appears whole or not at all, and is durable before anybody
is told of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from tradex_ledger.domain.day import Day, iso
from tradex_ledger.domain.spending import Prices
from tradex_ledger.errors import EnvironmentFault, UsageError
from tradex_ledger.paths import sync

if TYPE_CHECKING:
    from tradex_ledger.sources.source import Place

Told = Callable[[str, int, int], None]
"""Hears how far something is that takes a while: what, done, of how many."""

SPAN_DAYS = 31
"""So many days are asked for at once: of so many, one call counts the rows."""


class Span(NamedTuple):
    """Days that are asked for together (ordinals), the first one included, the last one not."""

    first: Day
    until: Day

    @property
    def folder(self) -> str:
        """Where its pages lie. Without dashes: what has no day of its own gets none from the name of its file."""
        return f"{iso(self.first)}_{iso(self.until)}".replace("-", "")


class Page(NamedTuple):
    """An answer as it came, how many rows it is of, the cursor of the next page (None: it was the last), and how many
    calls it took."""

    body: bytes
    rows: int
    next: str | None
    calls: int


class Counted(NamedTuple):
    """How many rows there are, and how many calls it took to know that."""

    rows: int
    calls: int


class Used(NamedTuple):
    """What the source itself says of a day (ordinal): so many rows were delivered, to whomever."""

    day: Day
    rows: int


class CursorRefused(Exception):
    """The source knows a cursor no more that it gave out."""


class Asking(Protocol):
    """A conversation with a source. Each call waits and tries again by itself, and tells so.

    Raises: `EnvironmentFault` for what did not help, `UsageError` for a question that the source does not take.
    """

    def page(self, span: Span, cursor: str | None, most: int, told: Told) -> Page:
        """The page of a cursor (None: the first), of so many rows at most. Raises: `CursorRefused`, too."""
        ...

    def count(self, span: Span, told: Told) -> Counted:
        """How many rows there are. It costs the price of a count, however many."""
        ...

    def used(self, days: int, told: Told) -> list[Used]:
        """What the source counts as delivered, on each of the last days."""
        ...

    def read(self, body: bytes) -> tuple[int, str | None]:
        """Of an answer that was kept, how many rows it is of, and the cursor of the next page."""
        ...


@runtime_checkable
class Called(Protocol):
    """A place that delivers only when it is called."""

    def describe(self) -> str:
        """The place as it is written in the workspace and in the ledger."""
        ...

    @property
    def prices(self) -> Prices:
        """What it takes."""
        ...

    @property
    def kept(self) -> Path:
        """The folder where its pages are kept."""
        ...

    @property
    def page_rows(self) -> tuple[int, int]:
        """The fewest and the most rows that a page can be asked to have."""
        ...

    def asking(self) -> AbstractContextManager[Asking]:
        """Begin to ask. Raises: `UsageError` without what it takes to be let in."""
        ...


def spans(first: Day, until: Day) -> list[Span]:
    """The days from the first to the last (excluded) as spans that are asked for at once."""
    return [Span(Day(day), Day(min(day + SPAN_DAYS, until))) for day in range(first, until, SPAN_DAYS)]


def check_begins(places: Mapping[str, Place]) -> None:
    """Raise `NoBeginningError` where one of some places (by their sources) must be told from which day on."""
    for source, place in places.items():
        if isinstance(place, Called):
            raise NoBeginningError(source)


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a span, as they are kept."""

    folder: Path
    run: str
    span: Span

    def name(self, number: int) -> str:
        """A page relative to the folder, by its number (from 1)."""
        return f"{self.run}/{self.span.folder}/{number:05}.json"

    def read(self, number: int) -> bytes | None:
        """A page, if it is there. Raises: `PageFault`."""
        try:
            return (self.folder / self.name(number)).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PageFault(self.name(number), "read", error) from error

    def keep(self, number: int, body: bytes) -> None:
        """Keep a page: durable on return, and never half. Raises: `PageFault`."""
        path = self.folder / self.name(number)
        try:
            made = [one for one in (path.parent, *path.parent.parents) if not one.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            lay_down(path, body)
            for folder in made:
                sync(folder.parent)
        except OSError as error:
            raise PageFault(self.name(number), "kept", error) from error


def lay_down(path: Path, body: bytes) -> None:
    """A delivered file in a folder that is there: whole or not at all, and durable on return. Raises: `OSError`."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync(path.parent)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


class NoBeginningError(UsageError):
    """A source that is paid by the row is not asked for all that there ever was."""

    code = "no-beginning"

    def __init__(self, source: str) -> None:
        super().__init__(
            f"nothing says from which day on the source {source} is to be asked: all there is could cost a fortune",
            mend="make the workspace anew with a first day: tradex init … --start YYYY-MM-DD",
        )


class CursorRepeatedError(EnvironmentFault):
    """The source goes in a circle: the pages behind a cursor lead back to it, each of them for money."""

    code = "cursor-repeats"

    def __init__(self, source: str, number: int) -> None:
        super().__init__(
            f"{source} gave page {number} with a cursor that it had given before: its pages would never end",
            mend="run again later: that page was not taken, and the same command goes on with it",
        )


class PageFault(EnvironmentFault):
    """A page that was delivered cannot be kept, or not be read again."""

    code = "page-not-kept"

    def __init__(self, name: str, deed: str, error: OSError) -> None:
        super().__init__(
            f"the page {name} cannot be {deed}: {error.strerror or type(error).__name__}",
            mend="make room, let this user write there, then run again: it goes on with this page",
        )
