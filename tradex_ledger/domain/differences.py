"""How two builds of a partition differ, where they should not: row by row, and what that says of an engine. No I/O."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tradex_ledger.domain.day import Day, day_of, iso
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.partition import PartitionVersion


@dataclass(frozen=True, slots=True)
class RowDifference:
    """Where two builds of a partition differ: a row's key, a column, and both values as texts.

    None: of a whole row, of a whole column, or no such row.
    """

    key: str | None
    column: str | None
    recorded: str | None
    recomputed: str | None

    def to_event(self) -> Facts:
        """As events carry it."""
        return asdict(self)

    def in_words(self, day: Day) -> str:
        """The difference, of a day's partition, in words."""
        place = f"{iso(day)} ({self.key})" if self.key else iso(day)
        before, now = ("nothing" if value is None else value for value in (self.recorded, self.recomputed))
        return f"{place}: {self.column or 'the row'} is now {now}, it was {before}"


@dataclass(frozen=True, slots=True)
class PlacedDifference:
    """A difference, with the day of its partition."""

    day: Day
    found: RowDifference

    def to_event(self) -> Facts:
        """As events carry it."""
        return {"partition": iso(self.day), **self.found.to_event()}

    @staticmethod
    def from_event(facts: Facts) -> PlacedDifference:
        """Of an event's."""
        return _placed(**facts)

    def in_words(self) -> str:
        """The difference in words."""
        return self.found.in_words(self.day)


def _placed(partition: str, **difference: str | None) -> PlacedDifference:
    return PlacedDifference(day_of(partition), RowDifference(**difference))


@dataclass(frozen=True, slots=True)
class EngineVerdict:
    """What is known of an engine under a logic version of a dataset, and in which rows it differed."""

    verdict: str
    differences: tuple[PlacedDifference, ...]

    def to_event(self) -> Facts:
        """As events carry it."""
        return {"verdict": self.verdict, "differences": [one.to_event() for one in self.differences]}


@dataclass(frozen=True, slots=True)
class EngineCheck:
    """What a sample told of an engine: it built these days again, which the engines `compared_with` had built."""

    logic_version: int
    found: EngineVerdict
    compared_with: tuple[str, ...]
    days: tuple[Day, ...]

    def to_event(self) -> Facts:
        """As events carry it, but for the engine."""
        return {
            "logic_version": self.logic_version,
            **self.found.to_event(),
            "compared_with": list(self.compared_with),
            "partitions": [iso(day) for day in self.days],
        }


@dataclass(frozen=True, slots=True)
class ContentsDiffer:
    """A build of a day has other content than an earlier one of the very same inputs; `earlier` and `contents` are the
    digests of the files of both.

    `compared`: whether the rows were; where the earlier files are gone, only their number is known.
    """

    dataset: str
    layer: str
    day: Day
    earlier: PartitionVersion
    contents: tuple[str, ...]
    compared: bool
    differences: tuple[RowDifference, ...]

    def to_event(self) -> Facts:
        """As events carry it."""
        return {
            "dataset": self.dataset,
            "layer": self.layer,
            "logic_version": self.earlier.logic_version,
            "partition": iso(self.day),
            "inputs": self.earlier.inputs,
            "earlier_run": self.earlier.run_id,
            "earlier": [file.sha256 for file in self.earlier.files],
            "contents": list(self.contents),
            "compared": self.compared,
            "differences": [difference.to_event() for difference in self.differences],
        }
