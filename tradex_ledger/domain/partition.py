"""A partition's versions: what a run builds, publishes, and what readers get. No I/O here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from tradex_ledger.domain.day import Cursor, Day, iso
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.lake_file import LakeFile

WRITTEN, IDENTICAL, REUSED = OUTCOMES = ("written", "identical", "reused")
"""How a run came by a version: its files are new, are those that were there, or were not even built again."""


def inputs_digest(dataset: str, logic_version: int, day: str, inputs: Iterable[str]) -> str:
    """SHA-256 (hex) of all that a partition's content follows from: its logic version, and its inputs, a line each.

    The recipe stands in `schema/events/run.partition_rebuilt.v3.json`.
    """
    return hashlib.sha256("\n".join([f"{dataset} v{logic_version} {day}", *inputs]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class PartitionVersion:
    """What a partition holds: its files, their rows and bytes, and the digest of the inputs it was built from.

    Of Bronze, `logic_version` and `inputs` are None: batches of several versions make it up. `run_id` is the run that
    built it and `outcome` how, where that is known.
    """

    logic_version: int | None
    files: tuple[LakeFile, ...]
    rows: int
    bytes: int
    inputs: str | None
    run_id: str = ""
    outcome: str = ""
    # What is in it, as one text: the digests of its files. Made once: every partition that reads it asks.
    content: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        files = self.files
        content = files[0].sha256 if len(files) == 1 else ",".join(file.sha256 for file in files)
        object.__setattr__(self, "content", content)

    @property
    def is_written(self) -> bool:
        """Whether readers would see something else by it."""
        return self.outcome == WRITTEN

    def to_event(self) -> Facts:
        """As events carry it."""
        return {
            "logic_version": self.logic_version,
            "files": [file.to_event() for file in self.files],
            "rows": self.rows,
            "bytes": self.bytes,
            "outcome": self.outcome,
            "inputs": self.inputs,
        }


@dataclass(frozen=True, slots=True)
class Begun:
    """When a worker began to build (UTC, by the clock of its machine), and what that worker is called."""

    at: str
    worker: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version of a day that a run built on the knowledge of position `base`, in `duration_ms`; readers see
    `previous_rows` of it as yet. `begun`: None where nothing was built."""

    day: Day
    layer: str
    version: PartitionVersion
    previous_rows: int | None
    base: int
    duration_ms: int
    begun: Begun | None = None

    def to_event(self) -> Facts:
        """As events carry it, but for the dataset."""
        return {
            "partition": iso(self.day),
            "layer": self.layer,
            **self.version.to_event(),
            "previous_rows": self.previous_rows,
            "base": self.base,
            "duration_ms": self.duration_ms,
            "began_at": self.begun and self.begun.at,
            "worker": self.begun and self.begun.worker,
        }


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that became part of a day of Bronze: in one file, `dropped` having been there already; `cursor` is the time
    (UTC, excluded) up to which the window they came in reaches."""

    day: Day
    logic_version: int
    file: LakeFile
    dropped: int
    cursor: Cursor

    def to_event(self) -> Facts:
        """As events carry it, but for the dataset."""
        return {
            "partition": iso(self.day),
            "layer": "bronze",
            "logic_version": self.logic_version,
            "files": [self.file.to_event()],
            "rows": self.file.rows,
            "bytes": self.file.bytes,
            "dropped": self.dropped,
            "cursor": self.cursor,
        }


@dataclass(frozen=True, slots=True)
class Sums:
    """What some versions come to: how many partitions, their rows and bytes, and how many there are of each outcome."""

    partitions: int
    rows: int
    bytes: int
    written: int
    identical: int
    reused: int

    @staticmethod
    def of(versions: Iterable[PartitionVersion]) -> Sums:
        """The sums of some versions."""
        known = list(versions)
        counts = {outcome: sum(version.outcome == outcome for version in known) for outcome in OUTCOMES}
        return Sums(len(known), sum(v.rows for v in known), sum(v.bytes for v in known), **counts)

    def to_event(self) -> dict[str, int]:
        """As events carry it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Publication(Sums):
    """What a run publishes of a dataset, and the newest logic version among it."""

    logic_version: int

    @staticmethod
    def of(versions: Iterable[PartitionVersion]) -> Publication:
        """Of the candidates of a dataset."""
        known = list(versions)
        return Publication(
            **asdict(Sums.of(known)), logic_version=max((v.logic_version or 0 for v in known), default=0)
        )


@dataclass(frozen=True, slots=True)
class Totals(Sums):
    """What a whole run comes to: its candidates, and the rows and bytes that it appended to Bronze."""

    appended_rows: int
    appended_bytes: int
