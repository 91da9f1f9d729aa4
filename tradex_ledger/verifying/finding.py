"""What a check finds: a finding names the event or the file, and what could not be judged says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

ALTERED = "altered"
MISSING = "missing"
INSERTED = "inserted"
REORDERED = "reordered"
TRUNCATED = "truncated"
SPLIT_VIEW = "split view"
BAD_SIGNATURE = "bad signature"
TILE_CHANGED = "tile changed"
INDEX_CHANGED = "index changed"
GUARDS_CHANGED = "guards changed"
PLANTED = "planted"
NO_CONTRACT = "against its contract"
FILE_MISSING = "file missing"
FILE_CHANGED = "file changed"
BAD_APPROVAL = "bad approval"
BROKEN_INVARIANT = "broken invariant"
UNREADABLE = "unreadable"

MOST_OF_A_KIND = 100
"""So many findings of a kind are told one by one; of more the number is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be: a kind, where (a position, a range up to `last`, or a file), and what.

    `stands_for` is how many findings it tells of.
    """

    kind: str
    detail: str
    position: int | None = None
    last: int | None = None
    file: str | None = None
    stands_for: int = 1


@dataclass(frozen=True, slots=True)
class Unjudged:
    """What could not be judged, and why."""

    what: str
    why: str


def joined(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings, those of one kind and detail at neighbouring positions as one range."""
    held: Finding | None = None
    for one in findings:
        if held is not None and _follows(held, one):
            held = replace(held, last=one.last or one.position)
            continue
        if held is not None:
            yield held
        held = one
    if held is not None:
        yield held


def _follows(held: Finding, one: Finding) -> bool:
    if held.position is None or one.position is None or held.file or one.file:
        return False
    return (held.kind, held.detail) == (one.kind, one.detail) and one.position == (held.last or held.position) + 1


def few(unjudged: Sequence[Unjudged]) -> list[Unjudged]:
    """The first so many, and how many more there are."""
    more = len(unjudged) - MOST_OF_A_KIND
    return [*unjudged[:MOST_OF_A_KIND], *([Unjudged(f"{more} more", "as those before")] if more > 0 else [])]


def capped(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The first so many of each kind, in the order they came, and then how many more there are."""
    seen: Counter[str] = Counter()
    for one in findings:
        seen[one.kind] += 1
        if seen[one.kind] <= MOST_OF_A_KIND:
            yield one
    for kind, count in seen.items():
        if count > MOST_OF_A_KIND:
            more = count - MOST_OF_A_KIND
            yield Finding(kind, f"{more} more of this kind", stands_for=more)
