"""The moments of a ledger as a slider shows them: each of a kind, told in words.

A ledger of some years has ten thousand, and a slider shows some hundreds: no more are read than it has room for.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from tradex_ledger.audit.reader import Reader
from tradex_ledger.relations.days import MOMENTS
from tradex_ledger.relations.days import Moment as Recorded

_KINDS = {
    "decided": ("approved", "rejected", "expired", "held", "released", "paused", "resumed"),
    "failed": ("failed", "attempt failed", "cancelled", "reverted", "lost", "erased", "pruned"),
    "published": ("published",),
    "version": ("versioned", "deprecated", "restored", "protected", "unprotected"),
}
_KIND = {moment: kind for kind, moments in _KINDS.items() for moment in moments}


class Moment(NamedTuple):
    """An event at which somebody may want to stop: its kind, and what happened, in words."""

    position: int
    at: datetime
    kind: str
    what: str


def newest(reader: Reader, most: int) -> list[Moment]:
    """The newest moments as of where a reader stands, oldest first."""
    return _told(reversed(reader.read(MOMENTS, f"true order by position desc limit {most:d}")))


def around(reader: Reader, position: int, most: int) -> list[Moment]:
    """So many moments up to a position, and so many behind it, oldest first."""
    before = reader.read(MOMENTS, f"position <= ? order by position desc limit {most:d}", position)
    behind = reader.read(MOMENTS, f"position > ? order by position limit {most:d}", position)
    return _told([*reversed(before), *behind])


def _told(moments: Iterable[Recorded]) -> list[Moment]:
    found = []
    for one in moments:
        subject = one.dataset if one.moment in _KINDS["version"] else one.run_id
        what = " ".join(said for said in (subject or one.dataset, one.moment, f"by {one.by}") if said)
        found.append(Moment(one.position, one.at, _KIND.get(one.moment, "other"), what))
    return found
