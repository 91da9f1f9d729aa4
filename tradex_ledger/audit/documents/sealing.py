"""What is sealed of a ledger, and where that is kept."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from tradex_ledger.errors import BrokenLedgerError, TradexError
from tradex_ledger.ledger.rows import time_at
from tradex_ledger.sealing.heads import Head, check_signed, counts, newest_in
from tradex_ledger.sealing.lines import Lines, lines_of
from tradex_ledger.sealing.places import Place, places_of

if TYPE_CHECKING:
    from tradex_ledger.config import Config
    from tradex_ledger.ledger.select import Store


class Kept(NamedTuple):
    """A head as it is kept in a place: of how many events, until when (UTC, the last event's time)."""

    size: int
    until: str | None
    place: str


class Unreached(NamedTuple):
    """A place whose newest head tells nothing of the ledger, and why."""

    place: str
    problem: str

    @staticmethod
    def of(place: str, error: OSError | TradexError) -> Unreached:
        """Of what went wrong there."""
        return Unreached(place, error.message if isinstance(error, TradexError) else error.strerror or str(error))


class SealingDocument(NamedTuple):
    """What is sealed: how many events are not; the newest head anywhere, and outside; which places could not tell.

    `outside_age_s` are the seconds since the last event that the newest head outside is of.
    """

    unsealed: int
    newest: Kept | None
    outside: Kept | None
    outside_age_s: int | None
    unreached: list[Unreached]


def sealing(store: Store, config: Config, position: int, now: datetime | None) -> SealingDocument:
    """What is sealed of a ledger as of a position. Who signed is looked at outside: there it is relied on."""
    places = places_of(config.folder, store.ledger, config.checkpoints.sinks)
    heads: list[Head] = []
    unreached: list[Unreached] = []
    for place in places.all:
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
        check_signed(store, lines, head)
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
