"""Bronze read again: the payloads that an older reader left there, as the reader of today reads them. Pure.

Bronze's files are never changed. What is read from them is as if the same lines had been delivered to today's reader,
at the time at which they were delivered then; so nothing has to be delivered again after a parser was mended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tradex_ledger.domain.day import Day, to_epoch
from tradex_ledger.sources.moments import micros
from tradex_ledger.sources.parquet_rows import ParquetRows
from tradex_ledger.sources.source import OldFile
from tradex_ledger.sources.stage import PLACE
from tradex_ledger.sources.x_posts.posts import Post, parse_line
from tradex_ledger.sources.x_posts.reader import EDIT_DAYS, MADE_UP_DAYS
from tradex_ledger.sources.x_posts.schema import POSTS_SCHEMA

_BATCH_ROWS = 20_000
_SYSTEM = [("source", pa.string()), ("run_id", pa.string()), ("ingested_at", pa.timestamp("us"))]
BRONZE_SCHEMA = pa.schema([*POSTS_SCHEMA, *_SYSTEM])
_STAGED_SCHEMA = pa.schema([*POSTS_SCHEMA, *PLACE])


class Reread(NamedTuple):
    """What reading again came to: rows written, rows of other days, and rows that are no usable posts any more."""

    rows: int
    elsewhere: int
    unfit: int


def reread_posts(files: Sequence[OldFile], first: Day, last: Day, out: Path) -> Reread:
    """Read the payloads of Bronze files again; write the posts of first..last (ordinals) to `out`, if there are any.

    The columns are those of `BRONZE_SCHEMA`, the rows in the order of the files. A post of a day for which its file is
    not looked at stays where it is: none is lost.
    """
    rows = ParquetRows(out, BRONZE_SCHEMA, _BATCH_ROWS)
    low, high = to_epoch(first), to_epoch(last)
    kept = elsewhere = unfit = 0
    try:
        for path, ordinal in files:
            day = to_epoch(ordinal)
            if day < low and not _has_edits(path):
                continue
            for payload, source, run_id, ingested_at in _rows(path, ["payload", "source", "run_id", "ingested_at"]):
                for post in parse_line(payload.encode(), micros(ingested_at.replace(tzinfo=UTC))):
                    if not isinstance(post, Post):
                        unfit += 1
                        continue
                    placed = (
                        post
                        if day - EDIT_DAYS <= post.event_date <= day + MADE_UP_DAYS
                        else post._replace(event_date=day)
                    )
                    if low <= placed.event_date <= high:
                        rows.append((*placed[:-1], source, run_id, ingested_at), len(payload))
                        kept += 1
                    else:
                        elsewhere += 1
        rows.close()
    except BaseException:
        rows.discard()
        raise
    return Reread(kept, elsewhere, unfit)


def recover_posts(paths: Sequence[Path], first: Day, last: Day, out: Path) -> int:
    """Read rejected lines of Bronze again; write what is a post now, and of first..last (ordinals), to `out`.

    The columns are those of staged posts. Returns how many.
    """
    rows = ParquetRows(out, _STAGED_SCHEMA, _BATCH_ROWS)
    low, high = to_epoch(first), to_epoch(last)
    kept = 0
    try:
        for path in paths:
            for raw, file, line, ingested_at in _rows(path, ["raw", "file", "line", "ingested_at"]):
                found = parse_line(raw.encode(), micros(ingested_at.replace(tzinfo=UTC)))
                for item, post in enumerate(found, start=1):
                    if isinstance(post, Post) and low <= post.event_date <= high:
                        place = (f"files:{file}", line, item if len(found) > 1 else None)
                        rows.append((*post[:-1], *place), len(post.payload))
                        kept += 1
        rows.close()
    except BaseException:
        rows.discard()
        raise
    return kept


def ids_today(path: Path) -> list[str]:
    """The ids that today's reader gives to the edits among the payloads of a file that an older one made."""
    found = set()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=["payload"]):
            payloads = batch.column("payload")
            for payload in payloads.filter(pc.match_substring(payloads, "edit")).to_pylist():
                found |= {post.post_id for post in parse_line(payload.encode()) if isinstance(post, Post)}
    return sorted(found)


def _has_edits(path: Path) -> bool:
    """Whether there is an edit that its reader knew for one: only such a row may be of a later day."""
    with pq.ParquetFile(path) as file:
        made, revised = file.read(["created_at", "revised_at"]).columns
    return not made.equals(revised)


def _rows(path: Path, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
            yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
