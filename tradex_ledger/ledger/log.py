"""The log inside one transaction: appending events and reading the tree over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import count, zip_longest
from types import MappingProxyType
from typing import NamedTuple, cast

from eventsourcing.persistence import StoredEvent
from sqlalchemy import Connection

from tradex_ledger.domain.base import Event
from tradex_ledger.domain.clocks import TOLERANCE, ClockNote
from tradex_ledger.domain.lake_events import MOVED
from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.ledger import merkle
from tradex_ledger.ledger.dialects import EventRow, dialect_of
from tradex_ledger.ledger.entry import Said, entries, format_time, said_in
from tradex_ledger.ledger.moved import LedgerMovedError
from tradex_ledger.ledger.rows import Row, check_range, check_row
from tradex_ledger.ledger.select import Found, read
from tradex_ledger.ledger.tree import MissingTileError

PAGE = 1024
"""So many rows are read, or laid down, at once where a whole ledger is gone through."""


class EarlyTileError(BrokenLedgerError):
    """A tile was laid before there were the events that it is over."""

    code = "early-tile"

    def __init__(self, level: int, tile: int, position: int) -> None:
        super().__init__(
            f"tile {tile} of level {level} stands in the ledger, whose {position} events do not fill it yet: "
            "it is no work of tradex-ledger",
            mend="put back the last good copy of the ledger",
        )


class NotAppendedError(BrokenLedgerError):
    """The database took what was saved, and has it not: a trigger in it is no work of tradex-ledger."""

    code = "not-appended"

    def __init__(self, position: int) -> None:
        super().__init__(
            f"the ledger did not keep the event at position {position} that was saved: its database has a trigger that "
            "is no work of tradex-ledger; nothing of this save is recorded",
            mend="look at its triggers (select name, sql from sqlite_master where type = 'trigger') and drop that one",
        )


class Happened(StoredEvent):
    """A domain event on its way into the ledger, which writes it down once, with time, position and ledger."""

    def __init__(self, event: Event) -> None:
        vars(self)["event"] = event  # the class that it is one of is frozen

    event: Event

    @property
    def originator_id(self) -> str:
        return self.event.originator_id

    @property
    def originator_version(self) -> int:
        return self.event.originator_version

    @property
    def topic(self) -> str:
        return self.event.TOPIC

    @property
    def state(self) -> bytes:
        """None of its own: the library hands it on to who asks for what was saved, and nobody does."""
        return b""


class Head(NamedTuple):
    """Where the log ends: its last position, 0 if it is empty, the time and the topic of that event, and its entry."""

    position: int
    at: str
    topic: str = ""
    entry: str = ""


def head(connection: Connection, ledger: str) -> Head:
    """The end of the log. Raises `BrokenLedgerError`: nothing is built on an event or a tile that is not sound."""
    end = Head(0, "")
    for row in _find(connection, read("last")):
        check_row(ledger, cast("Row", row))
        position, _, _, topic, at, _, entry = row
        end = Head(position, at, topic, entry)
    for level, tile in _find(connection, _EARLY_TILE, _full_tiles(end.position)):
        raise EarlyTileError(level, tile, end.position)
    return end


def _find(connection: Connection, statement: str, values: Mapping[str, int] = MappingProxyType({})) -> Found:
    # By the driver's own cursor: a row object a row would cost as much as the rows do, and each append asks some.
    return dialect_of(connection.engine.url).find(connection, statement, dict(values))


_LEVELS = 7  # of 256 ** 7 events, more than the positions that an entry can write
_EARLY_TILE = (
    " union all ".join(f"select level, tile from tiles where level = {n} and tile >= :full{n}" for n in range(_LEVELS))
    + f" union all select level, tile from tiles where level < 0 or level >= {_LEVELS} limit 1"
)


def _full_tiles(size: int) -> dict[str, int]:
    return {f"full{n}": size >> (merkle.TILE_HEIGHT * (n + 1)) for n in range(_LEVELS)}


def append(
    connection: Connection,
    ledger: str,
    clock: Callable[[], datetime],
    stored_events: Sequence[StoredEvent],
    *,
    arrives: bool = False,
) -> list[int]:
    """Appends events after the last one and returns their positions.

    The transaction holds the append lock, so no other position can come in between. A crash before
    its commit leaves nothing behind: neither events, nor tiles, nor a gap in the positions.

    Raises: `BrokenLedgerError` when the end of the log is not sound; `NotAppendedError` when the database took what it
    was given, and has it not; `LedgerMovedError` where the ledger goes on elsewhere, unless this is where it `arrives`.
    """
    if not stored_events:
        return []
    last = head(connection, ledger)
    if last.topic == MOVED and not arrives:
        raise LedgerMovedError(last.entry)
    # One time for the save, and never before the last event, whatever the clock says.
    now = clock()
    at = max(format_time(now), last.at)
    told = _held_back(now, last, stored_events[0])
    saved = (*told, *stored_events)
    first, end = last.position + 1, last.position + 1 + len(saved)
    dialect = dialect_of(connection.engine.url)
    leaves: list[bytes] = []
    rows: list[EventRow] = []

    def written_down() -> Iterator[list[EventRow]]:
        nonlocal rows
        for begin in range(0, len(saved), dialect.at_once):
            rows = rows_of(ledger, first + begin, at, saved[begin : begin + dialect.at_once])
            leaves.extend(row[5] for row in rows)
            yield rows

    dialect.insert_events(connection, written_down())
    if _find(connection, read("last")) != [rows[-1]]:
        raise NotAppendedError(end - 1)
    _grow_tree(connection, ledger, last.position, leaves)
    return list(range(first + len(told), end))


def rows_of(ledger: str, first: int, at: str, stored_events: Sequence[StoredEvent]) -> list[EventRow]:
    """The rows of a save that begins at a position, each made of its entry. Raises: `NotCanonicalError`."""
    said = [_said(stored) for stored in stored_events]
    written = entries(ledger, first, at, said)
    leaves = merkle.leaf_hashes(written)
    return [
        (position, each[0], each[1], each[2], at, leaf, entry.decode())
        for position, each, leaf, entry in zip(count(first), said, leaves, written, strict=False)
    ]


def _said(stored: StoredEvent) -> Said:
    if isinstance(stored, Happened):
        event = stored.event
        facts = event.own_facts()
        return event.originator_id, event.originator_version, event.TOPIC, event.by, facts, event.class_version
    return str(stored.originator_id), stored.originator_version, stored.topic, *said_in(stored.state)


def lay(connection: Connection, ledger: str, rows: Sequence[EventRow]) -> None:
    """Lay down rows that another store has, after the last one, as they are; whoever gives them has checked them.

    Raises: `NotAppendedError` when the database does not give back, byte for byte, what it was given.
    """
    dialect_of(connection.engine.url).insert_events(connection, [rows])
    kept = _find(connection, read("range"), {"first": rows[0][0], "last": rows[-1][0]})
    for row, found in zip_longest(rows, kept):
        if row != found:
            raise NotAppendedError(row[0])
    _grow_tree(connection, ledger, rows[0][0] - 1, [row[5] for row in rows])


def pages(connection: Connection, ledger: str, last: int) -> Iterator[list[EventRow]]:
    """The rows up to a position, in order, each held against its entry. Raises: `BrokenLedgerError`."""
    for first in range(1, last + 1, PAGE):
        upto = min(first + PAGE - 1, last)
        rows = cast("list[Row]", _find(connection, read("range"), {"first": first, "last": upto}))
        yield list(check_range(ledger, rows, first, upto))


def root_of(connection: Connection, ledger: str, size: int) -> bytes:
    """The root over the first events, as the store's own tiles give it. Raises: `BrokenLedgerError`."""
    return merkle.Tree(size, _tile_reader(connection), _leaf_reader(connection, ledger)).root()


def _held_back(now: datetime, last: Head, first: StoredEvent) -> tuple[StoredEvent, ...]:
    """What tells that a save does not bear the time of its writer's clock, when that is more than a common difference.

    It stands first in the save, so that positions end with what was to be saved.
    """
    if not last.at or format_time(now + TOLERANCE) >= last.at:
        return ()
    by = first.event.by if isinstance(first, Happened) else ""
    stream = f"clock-{last.position + 1}"
    note = ClockNote.held_back(stream, clock=format_time(now), last_at=last.at, by=by)
    return tuple(map(Happened, note.collect_events()))


def _grow_tree(connection: Connection, ledger: str, old_size: int, leaves: Sequence[bytes]) -> None:
    full = merkle.new_tiles(old_size, leaves, _tiles_reader(connection), _leaf_reader(connection, ledger))
    if full:
        dialect_of(connection.engine.url).insert_tiles(connection, full)


def _tile_reader(connection: Connection) -> merkle.ReadTile:
    def read_tile(level: int, tile: int) -> bytes:
        for (hashes,) in _find(connection, read("tile"), {"level": level, "tile": tile}):
            return bytes(hashes)
        raise MissingTileError(level, tile)

    return read_tile


def _tiles_reader(connection: Connection) -> merkle.ReadTiles:
    def read_tiles(level: int, first: int, end: int) -> Sequence[bytes]:
        found = sorted(_find(connection, read("tiles_of"), {"level": level, "begin": first, "upto": end}))
        for tile, row in zip_longest(range(first, end), found):
            if row is None or row[0] != tile:
                raise MissingTileError(level, tile)
        return [row[1] for row in found]

    return read_tiles


def _leaf_reader(connection: Connection, ledger: str) -> merkle.ReadLeaves:
    def read_leaves(first: int, end: int) -> Sequence[bytes]:
        # Leaves count from 0, positions from 1. At most those of one tile are asked for: each is made again.
        rows = cast("list[Row]", _find(connection, read("range"), {"first": first + 1, "last": end}))
        return [row[5] for row in check_range(ledger, rows, first + 1, end)]

    return read_leaves
