"""What is sealed of a ledger, as documents: its keys, its heads, and where they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tradex_ledger.errors import BrokenLedgerError, TradexError
from tradex_ledger.ledger.rows import time_at
from tradex_ledger.sealing.heads import Head, counts, newest_in, verified
from tradex_ledger.sealing.lines import Lines, lines_of
from tradex_ledger.sealing.places import Place, places_of

if TYPE_CHECKING:
    from tradex_ledger.config import Config
    from tradex_ledger.ledger.select import Store
    from tradex_ledger.sealing.cosigned import Cosigned
    from tradex_ledger.sealing.cut import Cut


@dataclass(frozen=True, slots=True)
class KeysDocument:
    """The keys that sign heads, as others are given them; the one of this workspace, and where its secret lies."""

    keys: list[str]
    own: str | None
    file: str


@dataclass(frozen=True, slots=True)
class ReachedDocument:
    """A place outside: how many heads of the workspace it had not, and why it has not the newest."""

    place: str
    missed: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class CutDocument:
    """The newest head: of how many events, their root (hex), whether it was signed just now, and its note."""

    origin: str
    size: int
    root: str
    is_new: bool
    file: str
    places: list[ReachedDocument]
    note: str

    @staticmethod
    def of(made: Cut) -> CutDocument:
        """Of a head that was cut."""
        head = made.checkpoint
        places = [ReachedDocument(one.place, one.missed, one.problem) for one in made.places]
        return CutDocument(head.origin, head.size, head.root.hex(), made.is_new, str(made.file), places, made.note)


@dataclass(frozen=True, slots=True)
class AskedDocument:
    """What a witness is asked: in which file, from how many events, for a head of how many."""

    file: str
    known: int
    size: int


@dataclass(frozen=True, slots=True)
class CosignedDocument:
    """A head that witnesses have cosigned: of how many events, their root (hex), by whom."""

    size: int
    root: str
    by: list[str]

    @staticmethod
    def of(found: Cosigned) -> CosignedDocument:
        """Of what was taken in."""
        return CosignedDocument(found.checkpoint.size, found.checkpoint.root.hex(), list(found.by))


@dataclass(frozen=True, slots=True)
class Kept:
    """A head as it is kept in a place: of how many events, until when (UTC, the last event's time)."""

    size: int
    until: str | None
    place: str


@dataclass(frozen=True, slots=True)
class Unreached:
    """A place whose newest head tells nothing of the ledger, and why."""

    place: str
    problem: str

    @staticmethod
    def of(place: str, error: OSError | TradexError) -> Unreached:
        """Of what went wrong there."""
        return Unreached(place, error.message if isinstance(error, TradexError) else error.strerror or str(error))


@dataclass(frozen=True, slots=True)
class SealingDocument:
    """What is sealed: how many events are not; the newest head anywhere, and outside; which places could not tell.

    `outside_age_s` are the seconds since the last event that the newest head outside is of.
    """

    unsealed: int
    newest: Kept | None
    outside: Kept | None
    outside_age_s: int | None
    unreached: list[Unreached]


def sealing(store: Store, config: Config, position: int, now: datetime | None) -> SealingDocument:
    """What is sealed of a ledger as of a position. Who signed is looked at only outside: there somebody relies on it."""
    places = places_of(config.folder, store.ledger, config.checkpoints.sinks)
    heads: list[Head] = []
    unreached: list[Unreached] = []
    for place in places:
        try:
            head = newest_in(place)
        except (OSError, BrokenLedgerError) as error:
            unreached.append(Unreached.of(place.name, error))
            continue
        heads += [head] if head else []
    lines = lines_of(store) if heads else None  # only now: by then the ledger has whatever was signed of it
    found: list[Kept] = []
    outside: list[Kept] = []
    for head in heads:
        assert lines is not None
        try:
            kept = _kept(store, lines, head)
        except BrokenLedgerError as error:
            unreached.append(Unreached.of(head.place.name, error))
            continue
        (outside if head.place.is_outside else found).extend([kept] if kept else [])
    if lines and config.checkpoints.quorum:
        outside += _cosigned(store, lines, places.inside, config, unreached)
    newest = max(found + outside, key=lambda one: one.size, default=None)
    best = max(outside, key=lambda one: one.size, default=None)
    age = (now - datetime.fromisoformat(best.until)).total_seconds() if now and best and best.until else None
    return SealingDocument(
        unsealed=max(position - (newest.size if newest else 0), 0),
        newest=newest,
        outside=best,
        outside_age_s=None if age is None else max(int(age), 0),
        unreached=unreached,
    )


def _kept(store: Store, lines: Lines, head: Head) -> Kept | None:
    """A head as it is kept, where it counts. Raises: `BrokenLedgerError`."""
    if not counts(store, lines, head.checkpoint, head.where):
        return None
    if head.place.is_outside:
        verified(store, lines, head.note, head.where)
    size = head.checkpoint.size
    return Kept(size, time_at(store, size, lines.head), head.place.name)


def _cosigned(store: Store, lines: Lines, inside: Place, config: Config, unreached: list[Unreached]) -> list[Kept]:
    from tradex_ledger.sealing.cosigned import newest_cosigned, witnesses_of

    settings = config.checkpoints
    try:
        known = newest_cosigned(store, lines, inside, witnesses_of(settings.witnesses), settings.quorum)
    except (OSError, TradexError) as error:
        unreached.append(Unreached.of(inside.name, error))
        return []
    if known is None:
        return []
    size = known.checkpoint.size
    return [Kept(size, time_at(store, size, lines.head), f"witness {', '.join(known.by)}")]


@dataclass(frozen=True, slots=True)
class SeenDocument:
    """What a witness knows of a ledger: its newest head (root in hex), and when that was cosigned (UTC)."""

    origin: str
    size: int
    root: str | None
    at: str | None


@dataclass(frozen=True, slots=True)
class WitnessDocument:
    """A witness by its verifier key, and what it knows; the note that it has just cosigned, and in which file."""

    key: str
    logs: list[SeenDocument]
    note: str | None
    file: str | None
