"""A page that a run fetched from a source that is called. No I/O here."""

from __future__ import annotations

from dataclasses import dataclass

from tradex_ledger.domain.day import Cursor
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.spending import Spent


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A page of what was created in [`cursor_from`, `cursor_to`), by its `number` from 1.

    It was asked for with `cursor` (None: the first), and `next` asks for what follows (None: nothing does). It is kept
    in `file`, whose bytes have that digest (SHA-256, hex).
    """

    source: str
    cursor_from: Cursor
    cursor_to: Cursor
    number: int
    cursor: str | None
    next: str | None
    file: str
    bytes: int
    sha256: str
    spent: Spent

    def to_event(self) -> Facts:
        """As events carry it."""
        return {
            "source": self.source,
            "cursor_from": self.cursor_from,
            "cursor_to": self.cursor_to,
            "page": self.number,
            "cursor": self.cursor,
            "next": self.next,
            "file": self.file,
            "bytes": self.bytes,
            "sha256": self.sha256,
            **self.spent.to_event(),
        }


def span_name(source: str, cursor_from: str, cursor_to: str) -> str:
    """What the pages of a span are known by within a run."""
    return f"{source} {cursor_from} {cursor_to}"


@dataclass(frozen=True, slots=True)
class Known:
    """What a run knows of a page that it has fetched: the cursor it was asked for with, its digest, the next cursor."""

    cursor: str | None
    sha256: str
    next: str | None
