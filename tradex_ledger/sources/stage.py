"""Delivered files to two Parquet files, posts and rejected lines: a pure task, it needs no ledger."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from tradex_ledger.sources.files import read_lines
from tradex_ledger.sources.x_posts import DAY_US, Rejected, parse_post

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
        ("source", pa.string()),
        ("line", pa.int64()),
    ]
)
REJECTED_SCHEMA = pa.schema(
    [
        ("event_date", pa.date32()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("reason", pa.string()),
        ("raw", pa.string()),
        ("raw_sha256", pa.string()),
    ]
)

# The day of a rejected line that names none: 1970-01-01.
DAY_UNKNOWN = 0

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_BATCH_BYTES_MAX = 8 << 20
_DAY_IN_NAME = re.compile(r"(?<![0-9])[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])")
# Few values repeated often; the others are (nearly) unique, a dictionary only costs time there.
_REPEATED = ["author_id", "event_date", "lang", "source", "file", "reason"]
_LONG = {"payload", "text", "raw"}


class FileCounts(NamedTuple):
    """What a delivered file holds, whatever the range: posts and rejected lines by day, as days since 1970-01-01.

    `sha256` is the digest (hex) of the bytes that were read.
    """

    name: str
    sha256: str
    lines: int
    posts: dict[int, int]
    rejected: dict[int, int]


class StageCounts(NamedTuple):
    """What a task read: `lines` = `posts` + `outside` + `rejected`; blank lines count nowhere.

    `outside` are posts and rejected lines that lie outside the range; the days are those of the kept posts.
    """

    files: int
    lines: int
    posts: int
    outside: int
    rejected: int
    first_day: date | None
    last_day: date | None
    by_file: tuple[FileCounts, ...] = ()


class _ParquetRows:
    """Rows written in batches to a file that exists only if there is a row."""

    def __init__(self, path: Path, schema: Any, batch_rows: int) -> None:
        self._path, self._schema, self._batch_rows = path, schema, batch_rows
        self._rows: list[tuple[Any, ...]] = []
        self._bytes = 0
        self._writer: Any = None

    def append(self, row: tuple[Any, ...], n_bytes: int) -> None:
        self._rows.append(row)
        self._bytes += n_bytes
        # By bytes too: 20,000 usual posts are 60 MB, 20,000 long ones would be gigabytes.
        if len(self._rows) >= self._batch_rows or self._bytes >= _BATCH_BYTES_MAX:
            self._flush()

    def close(self) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def discard(self) -> None:
        """Leave no half-written file behind."""
        if self._writer is not None:
            self._writer.close()
            self._path.unlink(missing_ok=True)

    def _flush(self) -> None:
        if not self._rows:
            return
        columns = zip(*self._rows, strict=True)
        types = self._schema.types
        arrays = [pa.array(values, type=kind) for values, kind in zip(columns, types, strict=True)]
        if self._writer is None:
            self._writer = self._open()
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
        self._rows, self._bytes = [], 0

    def _open(self) -> Any:
        names = self._schema.names
        return pq.ParquetWriter(
            self._path,
            self._schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[name for name in names if name in _REPEATED],
            write_statistics=[name for name in names if name not in _LONG],
        )


def stage(
    files: Sequence[tuple[Path, str]],
    first_us: int | None,
    until_us: int | None,
    out_posts: Path,
    out_rejected: Path,
    *,
    batch_rows: int = 20_000,
) -> StageCounts:
    """Keep the posts of these files (path, relative name) that were created in [first, until).

    A rejected line is kept if its own time lies in the range or, without one, the day in its file's name; a
    line without any day always is. Where nothing is kept, no file is written. Same input, same bytes.

    Raises:
        FileUnreadable: a delivered file is broken; neither output is left behind.
    """
    first = -(2**63) if first_us is None else first_us
    until = 2**63 if until_us is None else until_us
    posts = _ParquetRows(out_posts, POSTS_SCHEMA, batch_rows)
    rejected = _ParquetRows(out_rejected, REJECTED_SCHEMA, batch_rows)
    try:
        counts = _read(files, first, until, posts, rejected)
        posts.close()
        rejected.close()
    except BaseException:
        posts.discard()
        rejected.discard()
        raise
    return counts


def _read(
    files: Sequence[tuple[Path, str]], first: int, until: int, posts: _ParquetRows, rejected: _ParquetRows
) -> StageCounts:
    n_posts = n_rejected = 0
    days: set[int] = set()
    by_file: list[FileCounts] = []
    for path, name in files:
        source, day_of_file = f"files:{name}", _day_in_name(name)
        digest, n_lines = hashlib.sha256(), 0
        found: Counter[int] = Counter()
        unusable: Counter[int] = Counter()
        for number, line in read_lines(path, digest):
            if not line or line.isspace():
                continue
            n_lines += 1
            post = parse_post(line)
            if isinstance(post, Rejected):
                row = _rejected_row(post, line, name, number, day_of_file)
                unusable[row[0]] += 1
                if _within(post, row[0], first, until):
                    rejected.append(row, len(line))
                    n_rejected += 1
                continue
            found[post.event_date] += 1
            if first <= post.created_at < until:
                posts.append((*post, source, number), len(line))
                days.add(post.event_date)
                n_posts += 1
        by_file.append(FileCounts(name, digest.hexdigest(), n_lines, dict(found), dict(unusable)))
    n_lines = sum(file.lines for file in by_file)
    outside = n_lines - n_posts - n_rejected
    return StageCounts(len(files), n_lines, n_posts, outside, n_rejected, *_bounds(days), tuple(by_file))


def _rejected_row(
    line: Rejected, raw: bytes, name: str, number: int, day_of_file: int
) -> tuple[int, str, int, str, str, str]:
    day = day_of_file if line.event_date is None else line.event_date
    return day, name, number, line.reason, line.raw, hashlib.sha256(raw).hexdigest()


def _within(line: Rejected, day: int, first: int, until: int) -> bool:
    if day == DAY_UNKNOWN:
        return True
    # A line is asked by its own moment, a day by its start: of ranges side by side exactly one keeps it.
    return first <= (day * DAY_US if line.created_at is None else line.created_at) < until


def _day_in_name(name: str) -> int:
    """The first day that a file's name holds (else its folders' names), as days since 1970-01-01."""
    found = _DAY_IN_NAME.search(name.rpartition("/")[2]) or _DAY_IN_NAME.search(name)
    if found is None:
        return DAY_UNKNOWN
    try:
        return date.fromisoformat(found[0]).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        return DAY_UNKNOWN


def _bounds(days: Iterable[int]) -> tuple[date | None, date | None]:
    ordered = sorted(days)
    if not ordered:
        return None, None
    return date.fromordinal(ordered[0] + _EPOCH_ORDINAL), date.fromordinal(ordered[-1] + _EPOCH_ORDINAL)
