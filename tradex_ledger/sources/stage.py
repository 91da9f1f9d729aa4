"""Delivered files to Parquet files: posts, rejected lines, and rejected lines without a day. It needs no ledger."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from tradex_ledger.sources import LATER
from tradex_ledger.sources.elements import Record
from tradex_ledger.sources.parquet_rows import ParquetRows
from tradex_ledger.sources.records import NoPostsInside, read_records
from tradex_ledger.sources.x_posts.posts import Post, Rejected, iter_line
from tradex_ledger.sources.x_posts.time import DAY_US, EPOCH_ORDINAL, FIRST_POST_US

POSTS_SCHEMA = pa.schema(
    [
        ("payload", pa.string()),
        ("post_id", pa.string()),
        ("author_id", pa.string()),
        ("created_at", pa.timestamp("us")),
        ("event_date", pa.date32()),
        ("text", pa.string()),
        ("lang", pa.string()),
        ("is_retweet", pa.bool_()),
        ("likes", pa.int64()),
        ("retweets", pa.int64()),
        ("revision", pa.string()),
        ("revised_at", pa.timestamp("us")),
        ("is_whole", pa.bool_()),
        ("source", pa.string()),
        ("line", pa.int64()),
        ("item", pa.int64()),
    ]
)
_LINE = [("file", pa.string()), ("line", pa.int64()), ("reason", pa.string()), ("raw", pa.string())]
REJECTED_SCHEMA = pa.schema([("event_date", pa.date32()), *_LINE, ("raw_sha256", pa.string())])
UNDATED_SCHEMA = pa.schema([("ingested_date", pa.date32()), *_LINE, ("raw_sha256", pa.string())])

_DAY_IN_NAME = re.compile(r"(?<![0-9])[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])")


REJECTED_MAX = 10_000
"""So many lines that are no posts are kept of a file, and one more for each post in it; the others are counted."""
REJECTED_BYTES_MAX = 64 << 20
"""And of the kept ones together no more than so many bytes: the line that would go beyond is the first that is not."""

BEYOND = "so much of it is no posts that the rest of that was counted and not kept"


class FileCounts(NamedTuple):
    """What a delivered file holds, whatever the range: posts and rejected lines by day, as days since 1970-01-01.

    `sha256` is the digest (hex) of the bytes that were read. `undated` are rejected lines that no day belongs to,
    `controls` those rejected that are messages of a stream, `odd` the fields that could not be read, by what was
    wrong; `passed_over` says why nothing of it, or not all, was read. `beyond` are rejected lines that were too many to
    be kept: they are not among the `rejected` and `undated`.
    """

    name: str
    sha256: str
    lines: int
    posts: dict[int, int]
    rejected: dict[int, int]
    undated: int = 0
    controls: int = 0
    early: int = 0
    odd: dict[str, int] = {}  # noqa: RUF012 — a NamedTuple's default, never changed
    passed_over: str | None = None
    beyond: int = 0


class StageCounts(NamedTuple):
    """What a task read: `lines` = `posts` + `outside` + `rejected` + `beyond`; blank lines count nowhere.

    A line that holds several posts (a page, a list) counts as so many. `outside` are posts and rejected lines that
    lie outside the range; the days are those of the kept posts. `undated` are among the rejected.
    """

    files: int
    lines: int
    posts: int
    outside: int
    rejected: int
    undated: int
    first_day: date | None
    last_day: date | None
    by_file: tuple[FileCounts, ...] = ()
    beyond: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is kept, in microseconds since 1970 (UTC): posts created in [first, until), None for no bound.

    Rejected lines are kept from `rejected_first` on. `delivered` is when all of it had been delivered; lines that no
    day belongs to are kept under its day.
    """

    first_us: int | None
    until_us: int | None
    rejected_first_us: int | None
    delivered_us: int


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the rows of each kind go; a file is made only where there is one."""

    posts: Path
    rejected: Path
    undated: Path


def stage(
    files: Sequence[tuple[Path, str]], wanted: Wanted, outputs: Outputs, *, batch_rows: int = 20_000
) -> StageCounts:
    """Keep the posts of these files (path, relative name) that are wanted.

    A rejected line is of the day of its own time, else of the day in its file's name, if those may be true (between
    the platform's first day and the delivery); a line without any is undated, and always kept. Where nothing is kept,
    no file is written. Same input, same bytes.

    Raises:
        FileUnreadable: a delivered file is broken; no output is left behind.
    """
    staging = _Staging(wanted, outputs, batch_rows)
    try:
        for path, name in files:
            staging.read(path, name)
        for rows in staging.rows:
            rows.close()
    except BaseException:
        for rows in staging.rows:
            rows.discard()
        raise
    return staging.counts(len(files))


class _Staging:
    """A task under way: what was kept so far, and what was read of each file."""

    def __init__(self, wanted: Wanted, outputs: Outputs, batch_rows: int) -> None:
        self._first = -(2**63) if wanted.first_us is None else wanted.first_us
        self._until = 2**63 if wanted.until_us is None else wanted.until_us
        self._rejected_first = -(2**63) if wanted.rejected_first_us is None else wanted.rejected_first_us
        self._delivered = wanted.delivered_us
        self._posts = ParquetRows(outputs.posts, POSTS_SCHEMA, batch_rows)
        self._rejected = ParquetRows(outputs.rejected, REJECTED_SCHEMA, batch_rows)
        self._undated = ParquetRows(outputs.undated, UNDATED_SCHEMA, batch_rows)
        self.rows = (self._posts, self._rejected, self._undated)
        self._days: set[int] = set()
        self._n_posts = self._n_rejected = 0
        self._by_file: list[FileCounts] = []

    def read(self, path: Path, name: str) -> None:
        """Take in one file."""
        day = _day_in_name(name)
        is_to_come = day is not None and day * DAY_US > self._delivered
        seen = _Seen(f"files:{name}", name, None if is_to_come else day, is_to_come)
        digest, passed_over = hashlib.sha256(), None
        try:
            for record in read_records(path, digest):
                if record.raw and not record.raw.isspace():
                    self._record(record, seen)
        except NoPostsInside as inside:
            passed_over = str(inside)
        self._by_file.append(seen.counts(digest.hexdigest(), passed_over))

    def _record(self, record: Record, seen: _Seen) -> None:
        # One by one: a line of a few kilobytes may hold a million elements.
        items = iter_line(record.raw, self._delivered)
        first = tuple(itertools.islice(items, 2))
        is_several, has_rejected = len(first) > 1, False
        for post in itertools.chain(first, items):
            seen.lines += 1
            seen.items += 1
            item = seen.items if record.item is not None or is_several else None
            if isinstance(post, Rejected):
                has_rejected = True
                self._reject(post, post.raw.encode() if is_several else record.raw, record.line, seen)
                continue
            seen.n_posts += 1
            seen.posts[post.event_date] += 1
            seen.odd.update(post.odd)
            if self._first <= post.created_at < self._until:
                self._keep(post, record.line, item, seen.source)
        if has_rejected:
            # What is not of its own time yet may be a post, or of a day, the next time.
            again = iter_line(record.raw, self._delivered) if is_several else first
            both = zip(again, iter_line(record.raw), strict=True)
            seen.early += sum(one != other for one, other in both)
        if record.item is None:
            seen.items = 0  # elements are counted within their line, or within their document

    def _keep(self, post: Post, line: int, item: int | None, source: str) -> None:
        self._posts.append((*post[:-1], source, line, item), len(post.payload))
        self._days.add(post.event_date)
        self._n_posts += 1

    def _reject(self, post: Rejected, raw: bytes, number: int, seen: _Seen) -> None:
        seen.controls += post.kind == "control"
        seen.odd.update([LATER] if post.kind == "early" else [])
        if not seen.may_keep(len(raw)):
            seen.beyond += 1
            return
        line = (seen.name, number, post.reason, post.raw, hashlib.sha256(raw).hexdigest())
        day = seen.day if post.event_date is None else post.event_date
        seen.early += post.event_date is None and seen.day_to_come
        if day is None:
            seen.undated += 1
            self._undated.append((self._delivered // DAY_US, *line), len(post.raw))
            self._n_rejected += 1
            return
        seen.rejected[day] += 1
        # A line is asked by its own moment, a day by its start: of ranges side by side exactly one keeps it.
        moment = day * DAY_US if post.created_at is None else post.created_at
        if self._rejected_first <= moment < self._until:
            self._rejected.append((day, *line), len(post.raw))
            self._n_rejected += 1

    def counts(self, n_files: int) -> StageCounts:
        """What was read and kept."""
        n_lines = sum(file.lines for file in self._by_file)
        n_beyond = sum(file.beyond for file in self._by_file)
        outside = n_lines - self._n_posts - self._n_rejected - n_beyond
        n_undated = sum(file.undated for file in self._by_file)
        first, last = (min(self._days), max(self._days)) if self._days else (None, None)
        days = _date(first), _date(last)
        kept = self._n_posts, outside, self._n_rejected
        return StageCounts(n_files, n_lines, *kept, n_undated, *days, tuple(self._by_file), n_beyond)


@dataclass
class _Seen:
    """What was met in one file so far; `day` is the one in its name, unless that one is still to come."""

    source: str
    name: str
    day: int | None
    day_to_come: bool
    lines: int = 0
    items: int = 0
    undated: int = 0
    controls: int = 0
    early: int = 0
    beyond: int = 0
    n_posts: int = 0
    kept: int = 0
    kept_bytes: int = 0
    posts: Counter[int] = field(default_factory=Counter)
    rejected: Counter[int] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)

    def may_keep(self, n_bytes: int) -> bool:
        """Whether one more rejected line is kept; what follows the first that is not, is not either, but for posts."""
        if self.kept >= REJECTED_MAX + self.n_posts or self.kept_bytes + n_bytes > REJECTED_BYTES_MAX:
            return False
        self.kept += 1
        self.kept_bytes += n_bytes
        return True

    def counts(self, sha256: str, passed_over: str | None) -> FileCounts:
        return FileCounts(
            self.name,
            sha256,
            self.lines,
            dict(self.posts),
            dict(self.rejected),
            self.undated,
            self.controls,
            self.early,
            dict(sorted(self.odd.items())),
            passed_over or (BEYOND if self.beyond else None),
            self.beyond,
        )


def _date(day: int | None) -> date | None:
    return None if day is None else date.fromordinal(day + EPOCH_ORDINAL)


def _day_in_name(name: str) -> int | None:
    """The first day that a file's name holds (else its folders' names), as days since 1970-01-01, if it may be true."""
    found = _DAY_IN_NAME.search(name.rpartition("/")[2]) or _DAY_IN_NAME.search(name)
    if found is None:
        return None
    try:
        day = date.fromisoformat(found[0]).toordinal() - EPOCH_ORDINAL
    except ValueError:
        return None
    return day if day * DAY_US >= FIRST_POST_US else None
