"""The reader of posts, as the port wants it. What reads is imported when it reads: who only asks for the version waits
for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from tradex_ledger.domain.day import Day, day_of
from tradex_ledger.sources.source import Again, Digest, OldFile, Rejected, Row, Sink, Stated
from tradex_ledger.sources.x_posts import NOUN

if TYPE_CHECKING:
    import pyarrow as pa

    from tradex_ledger.sources.x_posts.elements import Record
    from tradex_ledger.sources.x_posts.posts import Post

VERSION = 2
"""Goes up whenever the same line would be read as other columns."""
_FORMATS = (".jsonl", ".ndjson", ".json", ".js")
_PACKED = ("", ".gz", ".bz2", ".zst")
FIRST_DAY = day_of("2006-03-21")
EDIT_DAYS = 1
"""A version of a post may lie so many days after the day that today's reader gives it: an edit after midnight, which
an older reader did not know for one."""
MADE_UP_DAYS = 30
"""And so many days before it: an edit whose first id an older reader took for the time of that day."""
_COLUMNS = (
    *("payload", "post_id", "author_id", "created_at", "event_date", "text", "lang"),
    *("is_retweet", "likes", "retweets", "revision", "revised_at", "is_whole"),
)


@dataclass(frozen=True, slots=True)
class XPosts:
    """Posts of the X platform, one delivered version a row. All versions of a post are one thing, with one day."""

    version: int = VERSION
    noun: str = NOUN
    suffixes: tuple[str, ...] = tuple(f"{kind}{packed}" for kind in _FORMATS for packed in _PACKED)
    first_day: int = FIRST_DAY
    may_be_none: bool = False
    one: tuple[str, ...] = ("post_id",)

    @property
    def again(self) -> Again:
        return PostsAgain(self.version)

    def problem(self, stated: Stated) -> str | None:
        """Whether there are columns of which a post has nothing."""
        odd = [name for name, _ in stated.read if name not in _COLUMNS]
        if odd:
            return f"states columns that no post has: {', '.join(odd)}"
        return None if stated.partition == "event_date" else "must have the partition event_date, the day of a post"

    def counts(self, stated: Stated) -> tuple[str, ...]:
        """How a post was doing when it was delivered is no part of what it says."""
        return tuple(name for name, _ in stated.read if name in ("likes", "retweets"))

    def schema(self, stated: Stated) -> pa.Schema:  # noqa: ARG002 — all that a post has, whatever is stated of it
        from tradex_ledger.sources.x_posts.schema import POSTS_SCHEMA

        return POSTS_SCHEMA

    def read(self, path: Path, stated: Stated, into: Sink, digest: Digest | None = None) -> None:  # noqa: ARG002
        """The posts of a file: one a line, or in a page, a list, a part of the archive."""
        from tradex_ledger.sources.x_posts.records import read_records

        items = 0
        for record in read_records(path, digest):
            if record.raw and not record.raw.isspace():
                items = _record(record, items, into)


@dataclass(frozen=True, slots=True)
class PostsAgain:
    """Bronze keeps each post as it was delivered (`payload`, `raw`): that is read again."""

    version: int
    days_before: int = MADE_UP_DAYS
    days_after: int = EDIT_DAYS

    def rows(self, files: Sequence[OldFile], first: Day, last: Day, out: Path) -> int:
        from tradex_ledger.sources.x_posts.reread import reread_posts

        return reread_posts(files, first, last, out).rows

    def rejected(self, paths: Sequence[Path], first: Day, last: Day, out: Path) -> int:
        from tradex_ledger.sources.x_posts.reread import recover_posts

        return recover_posts(paths, first, last, out)

    def keys(self, path: Path, column: str) -> list[str]:
        from tradex_ledger.sources.x_posts.reread import ids_today

        return ids_today(path) if column == "post_id" else []


def row_of(post: Post) -> Row:
    """A post as the port has rows."""
    return Row(post[:-1], post.created_at, post.event_date, len(post.payload), post.odd)


def _record(record: Record, items: int, into: Sink) -> int:
    """Put one record into the sink; `items` counts those of its line or document before. Returns the next count."""
    from tradex_ledger.sources.x_posts.posts import iter_line

    # One by one: a line of a few kilobytes may hold a million elements.
    found = iter_line(record.raw, into.delivered_us)
    first = tuple(islice(found, 2))
    is_several, has_rejected = len(first) > 1, False
    for post in chain(first, found):
        items += 1
        if isinstance(post, Rejected):
            has_rejected = True
            into.reject(post, post.raw.encode() if is_several else record.raw, record.line)
        else:
            into.keep(row_of(post), record.line, items if record.item is not None or is_several else None)
    if has_rejected:
        # What is not of its own time yet may be a post, or of a day, the next time.
        again = iter_line(record.raw, into.delivered_us) if is_several else first
        into.early(sum(one != other for one, other in zip(again, iter_line(record.raw), strict=True)))
    # Elements are counted within their line, or within their document.
    return items if record.item is not None else 0
