"""Delivered files to Parquet files: rows, rejected lines, and rejected lines without a day. It needs no ledger."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tradex_ledger.domain.day import date_of, day_of, from_epoch, to_epoch
from tradex_ledger.offered import Late
from tradex_ledger.sources import LATER
from tradex_ledger.sources.moments import DAY_US
from tradex_ledger.sources.parquet_rows import ParquetRows
from tradex_ledger.sources.source import Batch, NothingInside, Rejected, Row, SourceFile

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = Late("pyarrow")

PLACE = [("__source", "string"), ("__line", "int64"), ("__item", "int64")]
"""The columns of staged rows that say where a row was delivered: `files:` and the file's name, its line, its item."""
_LINE = [("file", "string"), ("line", "int64"), ("reason", "string"), ("raw", "string")]

_DAY_IN_NAME = re.compile(r"(?<![0-9])[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])")


REJECTED_MAX = 10_000
"""So many rejected lines are kept of a file, and one more for each row in it; the others are counted."""
REJECTED_BYTES_MAX = 64 << 20
"""And of the kept ones together no more than so many bytes: the line that would go beyond is the first that is not."""

BEYOND = "so much of it is no {noun}s that the rest of that was counted and not kept"


class FileCounts(NamedTuple):
    """What a delivered file holds, whatever the range: rows and rejected lines by day, as days since 1970-01-01.

    `sha256` is the digest (hex) of the bytes that were read. `undated` are rejected lines that no day belongs to,
    `controls` those rejected that are messages about the delivery, `odd` the fields that could not be read, by what was
    wrong; `passed_over` says why nothing of it, or not all, was read. `beyond` are rejected lines that were too many to
    be kept: they are not among the `rejected` and `undated`.
    """

    name: str
    sha256: str
    lines: int
    rows: dict[int, int]
    rejected: dict[int, int]
    undated: int = 0
    controls: int = 0
    early: int = 0
    odd: dict[str, int] = {}  # noqa: RUF012 — a NamedTuple's default, never changed
    passed_over: str | None = None
    beyond: int = 0


class StageCounts(NamedTuple):
    """What a task read: `lines` = `rows` + `outside` + `rejected` + `beyond`; blank lines count nowhere.

    A line that holds several rows (a page, a list) counts as so many. `outside` are rows and rejected lines that
    lie outside the range; the days are those of the kept rows. `undated` are among the rejected.
    """

    files: int
    lines: int
    rows: int
    outside: int
    rejected: int
    undated: int
    first_day: date | None
    last_day: date | None
    by_file: tuple[FileCounts, ...] = ()
    beyond: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is kept, in microseconds since 1970 (UTC): rows of moments in [first, until), None for no bound.

    Rejected lines are kept from `rejected_first` on. `delivered` is when all of it had been delivered; lines that no
    day belongs to are kept under its day.
    """

    first_us: int | None
    until_us: int | None
    rejected_first_us: int | None
    delivered_us: int


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the rows of each kind go; a file is made only where there is one.

    The last two are what the day of a rejected line is called there.
    """

    rows: Path
    rejected: Path
    undated: Path
    rejected_day: str = "event_date"
    undated_day: str = "ingested_date"


def stage(batch: Batch, wanted: Wanted, outputs: Outputs, *, batch_rows: int = 20_000) -> StageCounts:
    """Keep the rows of a batch that are wanted.

    A rejected line is of the day of its own time, else of the day in its file's name, if those may be true (between
    the reader's first day and the delivery); a line without any is undated, and always kept. Where nothing is kept, no
    file is written. Same input, same bytes.

    Raises:
        FileUnreadable: a delivered file is broken; no output is left behind.
    """
    staging = _Staging(batch, wanted, outputs, batch_rows)
    try:
        for file in batch.files:
            staging.read(file)
        for rows in staging.kinds:
            rows.close()
    except BaseException:
        for rows in staging.kinds:
            rows.discard()
        raise
    return staging.counts(len(batch.files))


class _Staging:
    """A task under way: what was kept so far, and what was read of each file."""

    def __init__(self, batch: Batch, wanted: Wanted, outputs: Outputs, batch_rows: int) -> None:
        self._batch, self.noun = batch, batch.reader.noun
        self.first = -(2**63) if wanted.first_us is None else wanted.first_us
        self.until = 2**63 if wanted.until_us is None else wanted.until_us
        self.rejected_first = -(2**63) if wanted.rejected_first_us is None else wanted.rejected_first_us
        self.delivered = wanted.delivered_us
        schema = pa.schema([*batch.reader.schema(batch.stated), *PLACE])
        self.rows = ParquetRows(outputs.rows, schema, batch_rows)
        self.rejected = ParquetRows(outputs.rejected, line_schema(outputs.rejected_day), batch_rows)
        self.undated = ParquetRows(outputs.undated, line_schema(outputs.undated_day), batch_rows)
        self.kinds = (self.rows, self.rejected, self.undated)
        self.days: set[int] = set()
        self.n_rows = self.n_rejected = 0
        self._by_file: list[FileCounts] = []

    def read(self, file: SourceFile) -> None:
        """Take in one file."""
        day = _day_in_name(file.name, self._batch.reader.first_day)
        is_to_come = day is not None and day * DAY_US > self.delivered
        seen = _Seen(self, f"files:{file.name}", file.name, None if is_to_come else day, is_to_come)
        digest, passed_over = hashlib.sha256(), None
        try:
            self._batch.reader.read(file.path, self._batch.stated, seen, digest)
        except NothingInside as inside:
            passed_over = str(inside)
        self._by_file.append(seen.counts(digest.hexdigest(), passed_over))

    def counts(self, n_files: int) -> StageCounts:
        """What was read and kept."""
        n_lines = sum(file.lines for file in self._by_file)
        n_beyond = sum(file.beyond for file in self._by_file)
        outside = n_lines - self.n_rows - self.n_rejected - n_beyond
        n_undated = sum(file.undated for file in self._by_file)
        first, last = (min(self.days), max(self.days)) if self.days else (None, None)
        days = _date(first), _date(last)
        kept = self.n_rows, outside, self.n_rejected
        return StageCounts(n_files, n_lines, *kept, n_undated, *days, tuple(self._by_file), n_beyond)


def line_schema(day: str) -> pa.Schema:
    """The columns of staged lines that are no rows, `day` what their day is called."""
    return pa.schema([(day, pa.date32()), *_LINE, ("raw_sha256", pa.string())])


@dataclass
class _Seen:
    """The sink of one file, with what was met so far; `day` is the one in its name, unless that is still to come."""

    staging: _Staging
    source: str
    name: str
    day: int | None
    day_to_come: bool
    lines: int = 0
    undated: int = 0
    controls: int = 0
    n_early: int = 0
    beyond: int = 0
    n_rows: int = 0
    kept: int = 0
    kept_bytes: int = 0
    rows: Counter[int] = field(default_factory=Counter)
    rejected: Counter[int] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)

    @property
    def delivered_us(self) -> int:
        return self.staging.delivered

    def keep(self, row: Row, line: int, item: int | None) -> None:
        self.lines += 1
        self.n_rows += 1
        self.rows[row.day] += 1
        self.odd.update(row.odd)
        staging = self.staging
        if staging.first <= row.moment < staging.until:
            staging.rows.append((*row.values, self.source, line, item), row.bytes)
            staging.days.add(row.day)
            staging.n_rows += 1

    def reject(self, rejected: Rejected, raw: bytes, line: int) -> None:
        self.lines += 1
        self.controls += rejected.kind == "control"
        self.odd.update([LATER] if rejected.kind == "early" else [])
        if not self._may_keep(len(raw)):
            self.beyond += 1
            return
        staging, n_bytes = self.staging, len(rejected.raw)
        told = (self.name, line, rejected.reason, rejected.raw, hashlib.sha256(raw).hexdigest())
        day = self.day if rejected.event_date is None else rejected.event_date
        self.n_early += rejected.event_date is None and self.day_to_come
        if day is None:
            self.undated += 1
            staging.undated.append((staging.delivered // DAY_US, *told), n_bytes)
            staging.n_rejected += 1
            return
        self.rejected[day] += 1
        # A line is asked by its own moment, a day by its start: of ranges side by side exactly one keeps it.
        moment = day * DAY_US if rejected.created_at is None else rejected.created_at
        if staging.rejected_first <= moment < staging.until:
            staging.rejected.append((day, *told), n_bytes)
            staging.n_rejected += 1

    def early(self, count: int) -> None:
        self.n_early += count

    def _may_keep(self, n_bytes: int) -> bool:
        """Whether one more rejected line is kept; what follows the first that is not, is not either, but for rows."""
        if self.kept >= REJECTED_MAX + self.n_rows or self.kept_bytes + n_bytes > REJECTED_BYTES_MAX:
            return False
        self.kept += 1
        self.kept_bytes += n_bytes
        return True

    def counts(self, sha256: str, passed_over: str | None) -> FileCounts:
        return FileCounts(
            self.name,
            sha256,
            self.lines,
            dict(self.rows),
            dict(self.rejected),
            self.undated,
            self.controls,
            self.n_early,
            dict(sorted(self.odd.items())),
            passed_over or (BEYOND.format(noun=self.staging.noun) if self.beyond else None),
            self.beyond,
        )


def _date(day: int | None) -> date | None:
    return None if day is None else date_of(from_epoch(day))


def _day_in_name(name: str, first_day: int) -> int | None:
    """The first day that a file's name holds (else its folders' names), as days since 1970-01-01, if it may be true."""
    found = _DAY_IN_NAME.search(name.rpartition("/")[2]) or _DAY_IN_NAME.search(name)
    if found is None:
        return None
    try:
        day = to_epoch(day_of(found[0]))
    except ValueError:
        return None
    return day if from_epoch(day) >= first_day else None
