"""A look at the source: what there was, what was passed over, what is late. No I/O here.

Each look is a stream of its own with one event: whoever looks disturbs nobody, and what was seen is on record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import add
from typing import ClassVar, NamedTuple

from tradex_ledger.domain.base import Aggregate, CreatedEvent
from tradex_ledger.domain.day import Day, iso
from tradex_ledger.domain.extraction import Extraction
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.not_read import NotRead


class Counts(NamedTuple):
    """What is in delivered files: how many there are, their lines, and how many of those are what.

    As events name them: there, rows are called `posts` after the first of all sources. `outside` are those that nobody
    asked for, `undated` are among the `rejected`, `beyond` lie behind what is kept of a line.
    """

    files: int = 0
    lines: int = 0
    posts: int = 0
    outside: int = 0
    rejected: int = 0
    undated: int = 0
    controls: int = 0
    beyond: int = 0

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(*map(add, self, other))


class Taken(NamedTuple):
    """What became of the rows of a source: how many were appended, had been there, were moved to another day, withheld,
    counted otherwise than before, or recovered from what had been rejected; and how many files were passed over."""

    appended: int = 0
    rejected_appended: int = 0
    duplicates: int = 0
    moved: int = 0
    withheld: int = 0
    recounted: int = 0
    recovered: int = 0
    passed_over: int = 0

    def plus(self, other: Taken) -> Taken:
        """Both together."""
        return Taken(*map(add, self, other))


@dataclass(frozen=True, slots=True)
class Extracted:
    """What an extraction came to: what it read, what became of it, and the `odd` things that rows have, by kind.

    Of the duplicates only what was not counted as read is in `taken`.
    """

    counts: Counts
    taken: Taken
    odd: Mapping[str, int]

    def to_event(self) -> Facts:
        """As events carry it."""
        duplicates = self.counts.posts + self.taken.duplicates
        odd = dict(sorted(self.odd.items()))
        return {**self.counts._asdict(), **self.taken._asdict(), "odd": odd, "duplicates": duplicates}


@dataclass(frozen=True, slots=True)
class Found:
    """What there was at a source: the counts, bytes of all files, what is odd, the newest day, what was not read."""

    counts: Counts
    bytes: int
    odd: Mapping[str, int]
    newest: Day | None
    passed_over: list[NotRead]

    def to_event(self) -> Facts:
        """As events carry it, but for what was not read."""
        newest = None if self.newest is None else iso(self.newest)
        return {
            **self.counts._asdict(),
            "bytes": self.bytes,
            "odd": dict(sorted(self.odd.items())),
            "newest": newest,
        }


@dataclass(frozen=True, slots=True)
class LateFound:
    """What runs have passed by and Bronze does not have: rows by day of a dataset, and lines that are none, with how
    many delivered files hold those."""

    dataset: str
    rows: Mapping[Day, int]
    rejected: int
    rejected_files: int

    def to_event(self) -> Facts:
        """As events carry it."""
        return {
            "dataset": self.dataset,
            "posts": sum(self.rows.values()),
            "days": len(self.rows),
            "first": iso(min(self.rows)) if self.rows else None,
            "last": iso(max(self.rows)) if self.rows else None,
            "by_day": [{"day": iso(day), "rows": rows} for day, rows in sorted(self.rows.items())],
            "rejected": self.rejected,
            "rejected_files": self.rejected_files,
        }


class Look(Aggregate):
    """One look at the source, by a run or by somebody who asks what is late."""

    TOPIC: ClassVar[str] = "source"

    def __init__(self) -> None:
        self.found: Facts = {}
        self.passed_over: list[Facts] = []

    class Looked(CreatedEvent):
        """Somebody looked at the source."""

        TOPIC: ClassVar[str] = "source.looked"
        pipeline: str
        source: str
        run: str | None
        cursor_from: str | None
        cursor_to: str | None
        found: Facts
        passed_over: list[Facts]
        late: Facts | None
        class_version = 3

        @staticmethod
        def upcast_v1_v2(data: Facts) -> None:
            found: Facts = data["found"]
            found.update(beyond=0)

        @staticmethod
        def upcast_v2_v3(data: Facts) -> None:
            if (late := data["late"]) is not None:
                late.update(dataset=None, by_day=None)

        def apply(self, aggregate: Look) -> None:
            aggregate.found = self.found
            aggregate.passed_over = self.passed_over

    @classmethod
    def record(
        cls,
        look_id: str,
        asked: Extraction,
        found: Found,
        *,
        pipeline: str,
        run: str | None,
        late: LateFound | None,
        by: str,
    ) -> Look:
        """Put on record what was found where something was asked of a source."""
        return cls._create(
            cls.Looked,
            id=look_id,
            pipeline=pipeline,
            source=asked.source,
            run=run,
            cursor_from=asked.cursor_from,
            cursor_to=asked.cursor_to,
            found=found.to_event(),
            passed_over=[one.to_event() for one in found.passed_over],
            late=late and late.to_event(),
            by=by,
        )
