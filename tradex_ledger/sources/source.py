"""The port of a source: what a place is, what a reader is, and where a reader puts what it reads.

Two values that know nothing of each other: a `Place` lists what was delivered, a `Reader` makes rows of one delivered
file. A reader is part of the logic of the datasets that it fills, so a definition names it; a place is a setting. Both
are small and picklable, and go to worker processes as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from tradex_ledger.domain.day import Day

if TYPE_CHECKING:
    import pyarrow as pa

STAMPED = ("run_id", "ingested_at", "source", "file", "line")
"""The columns of Bronze that no reader fills: the run that appended the row, and where it was delivered."""


class SourceFile(NamedTuple):
    """A delivered file: where it is, its name relative to the folder (always with `/`), its size."""

    path: Path
    name: str
    bytes: int


class PassedOver(NamedTuple):
    """Something at the source that is not read, and why."""

    name: str
    why: str


class Listing(NamedTuple):
    """What there is at the source, both by name: what is read, and what is passed over."""

    files: list[SourceFile]
    passed_over: list[PassedOver]


Cell: TypeAlias = bool | int | float | str | Decimal | datetime | None
"""A value of a row: times as UTC microseconds and days as days since 1970-01-01, or what Arrow reads them as."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What the definition of a dataset of rows states: its columns (name, DuckDB type), its partition, its key."""

    columns: tuple[tuple[str, str], ...]
    partition: str
    key: tuple[str, ...]

    @property
    def read(self) -> tuple[tuple[str, str], ...]:
        """The columns that are the reader's to fill."""
        return tuple((name, kind) for name, kind in self.columns if name not in STAMPED)


class Row(NamedTuple):
    """A row as it was read: its values in the order of the reader's schema, its moment (UTC microseconds since 1970)
    and the day of that (since 1970-01-01), about how many bytes it takes, and the fields that could not be read, each
    by what was wrong with it.
    """

    values: tuple[Cell, ...]
    moment: int
    day: int
    bytes: int
    odd: tuple[str, ...] = ()


class Rejected(NamedTuple):
    """What is no usable row, why, and its time where that could still be read (and may be true).

    `kind` is `control` for a message about the delivery, `early` for what was not delivered in its own time.
    """

    reason: str
    raw: str
    created_at: int | None
    event_date: int | None
    kind: str = ""


class NothingInside(Exception):
    """Why nothing (more) of a file is read, though its name ends as if it should be."""


class Sink(Protocol):
    """Where a reader puts what one file holds, in the order of the file. Lines count from 1, and so do the items of one
    line (or document); `item` is None where a line holds one thing."""

    @property
    def delivered_us(self) -> int:
        """When all of it had been delivered, at the latest (UTC microseconds since 1970)."""
        ...

    def keep(self, row: Row, line: int, item: int | None) -> None:
        """A row. Whether the run asked for its day is the sink's business."""
        ...

    def reject(self, rejected: Rejected, raw: bytes, line: int) -> None:
        """What is no row; `raw` are its bytes as they were delivered."""
        ...

    def early(self, count: int) -> None:
        """So many of what was rejected may be read otherwise later: the file is read again then."""
        ...


class Digest(Protocol):
    """A digest that takes in bytes, such as `hashlib.sha256()`."""

    def update(self, data: bytes, /) -> None: ...


OldFile = tuple[Path, Day]
"""A file of Bronze that an older version of a reader made, and its day (an ordinal)."""


class Again(Protocol):
    """How today's version of a reader reads what older ones left in Bronze, so that nothing is delivered again."""

    @property
    def version(self) -> int:
        """The version of the reader."""
        ...

    @property
    def days_before(self) -> int:
        """A row may lie in the file of a day so many days before the day that today's reader gives it."""
        ...

    @property
    def days_after(self) -> int:
        """And so many after it."""
        ...

    def rows(self, files: Sequence[OldFile], first: Day, last: Day, out: Path) -> int:
        """Write the rows of first..last (ordinals) to `out`, if there are any, in Bronze's columns; how many."""
        ...

    def rejected(self, paths: Sequence[Path], first: Day, last: Day, out: Path) -> int:
        """Write what of rejected lines is a row of first..last (ordinals) now to `out`, as if staged; how many."""
        ...

    def keys(self, path: Path, column: str) -> list[str]:
        """The values of a key column that only today's reader gives to rows of a file."""
        ...


class Reader(Protocol):
    """Makes rows of a delivered file. All of it is pure, but for the file that it reads."""

    @property
    def version(self) -> int:
        """Goes up whenever the same bytes would be read as other rows: it is part of Bronze's logic version."""
        ...

    @property
    def noun(self) -> str:
        """What one of its rows is called where people are told of it, such as `post`; more of them get an s."""
        ...

    @property
    def suffixes(self) -> tuple[str, ...]:
        """How the name of a file ends that is read, in lower case, packings included."""
        ...

    @property
    def first_day(self) -> int:
        """The first day (an ordinal) that can be true: an older one in a row is a slip, and opens no range."""
        ...

    @property
    def may_be_none(self) -> bool:
        """Whether no row at all is nothing strange; else an incremental run that finds none does not move the state."""
        ...

    @property
    def one(self) -> tuple[str, ...]:
        """The columns of the key by which a thing keeps the day of its first row, whatever day comes later; none: the
        whole key."""
        ...

    @property
    def again(self) -> Again | None:
        """How rows of older versions are read again; None: they stay as they were read."""
        ...

    def problem(self, stated: Stated) -> str | None:
        """Why the columns that a definition states cannot be filled, as what its definition "…"; None: they can."""
        ...

    def counts(self, stated: Stated) -> tuple[str, ...]:
        """The columns that are no part of what a row is: another value in them alone is told, and not kept."""
        ...

    def schema(self, stated: Stated) -> pa.Schema:
        """The columns of the rows that `read` keeps."""
        ...

    def read(self, path: Path, stated: Stated, into: Sink, digest: Digest | None = None) -> None:
        """All that a file holds; at the end, `digest` (when given) has taken in all its bytes.

        Raises:
            FileUnreadable: after the last row that could be read whole.
            NothingInside: when nothing (more) of it is read; what was put into the sink stays.
        """
        ...


class Place(Protocol):
    """Where a source delivers to. Nothing is opened here."""

    def describe(self) -> str:
        """The place as it is written in the workspace and in the ledger."""
        ...

    def is_meant(self, described: str) -> bool:
        """Whether a description, however it was written, means this very place."""
        ...

    def look(self, suffixes: tuple[str, ...]) -> Listing:
        """What has been delivered so far under such names, and what is passed over. Raises: `EnvironmentFault`."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Some delivered files and how they are read: all that a worker needs."""

    reader: Reader
    stated: Stated
    files: tuple[SourceFile, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A place and the reader of what lies there: what fills one dataset of Bronze, and those beside it."""

    name: str
    place: Place
    reader: Reader

    def look(self) -> Listing:
        """What has been delivered so far, and what is passed over. Raises: `EnvironmentFault`."""
        return self.place.look(self.reader.suffixes)

    def batches(self, files: Sequence[SourceFile], stated: Stated, n_bytes: int) -> list[Batch]:
        """Neighbouring files in batches of about `n_bytes` each; a file is never split.

        They follow from the files alone, so that a run that is taken up again meets the same ones.
        """
        total = sum(file.bytes for file in files)
        n_groups = max(1, round(total / max(1, n_bytes)))
        gathered: dict[int, list[SourceFile]] = {}
        before = 0
        for file in files:
            middle = before + file.bytes / 2
            gathered.setdefault(int(middle * n_groups / max(1, total)), []).append(file)
            before += file.bytes
        return [Batch(self.reader, stated, tuple(group)) for group in gathered.values()]
