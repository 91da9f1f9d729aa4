"""The log inside one transaction: appending events and reading the tree over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from eventsourcing.persistence import StoredEvent
from sqlalchemy import Connection, bindparam, insert, select

from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.ledger import merkle
from tradex_ledger.ledger.dialects import EventRow, dialect_of
from tradex_ledger.ledger.entry import compose, format_time
from tradex_ledger.ledger.tables import events, tiles

# Built once: each append runs them.
_LAST = select(events.c.position, events.c.at).order_by(events.c.position.desc()).limit(1)
_LEAVES = (
    select(events.c.leaf)
    .where(events.c.position.between(bindparam("first"), bindparam("last")))
    .order_by(events.c.position)
)
_TILE = select(tiles.c.hashes).where(tiles.c.level == bindparam("level"), tiles.c.tile == bindparam("tile"))
_INSERT_TILES = insert(tiles)


class MissingTileError(BrokenLedgerError):
    """A tile that the size of the ledger calls for is not there."""

    code = "missing-tile"

    def __init__(self, level: int, tile: int) -> None:
        super().__init__(
            f"tile {tile} of level {level} is missing from the ledger", mend="put back the last good copy of the ledger"
        )


class CanonicalEvent(StoredEvent):
    """A stored event whose state `canonical` has just made of `by`, `data` and `v`.

    Only a mapper that does so may make one: the recorder takes its word and checks no second time.
    """


class Head(NamedTuple):
    """Where the log ends: its last position, 0 if it is empty, and the time of that event."""

    position: int
    at: str


def head(connection: Connection) -> Head:
    """The end of the log."""
    row = connection.execute(_LAST).first()
    return Head(0, "") if row is None else Head(*row)


def stored_tree(connection: Connection, size: int) -> merkle.Tree:
    """The tree over the first `size` events; to be used while the transaction is open."""
    return merkle.Tree(size, _tile_reader(connection), _leaf_reader(connection))


def append(
    connection: Connection, ledger: str, clock: Callable[[], datetime], stored_events: Sequence[StoredEvent]
) -> list[int]:
    """Appends events after the last one and returns their positions.

    The transaction holds the append lock, so no other position can come in between. A crash before
    its commit leaves nothing behind: neither events, nor tiles, nor a gap in the positions.
    """
    if not stored_events:
        return []
    last = head(connection)
    # One time for the save, and never before the last event, whatever the clock says.
    at = max(format_time(clock()), last.at)
    rows: list[EventRow] = []
    leaves: list[bytes] = []
    for position, stored in enumerate(stored_events, last.position + 1):
        stream, version, topic = str(stored.originator_id), stored.originator_version, stored.topic
        checked = isinstance(stored, CanonicalEvent)
        entry = compose(ledger, position, at, stream, version, topic, state=stored.state, checked=checked)
        leaf = merkle.leaf_hash(entry)
        leaves.append(leaf)
        rows.append((position, stream, version, topic, at, leaf, entry.decode()))
    dialect_of(connection.engine.url).insert_events(connection, rows)
    _grow_tree(connection, last.position, leaves)
    return list(range(last.position + 1, last.position + 1 + len(rows)))


def _grow_tree(connection: Connection, old_size: int, leaves: Sequence[bytes]) -> None:
    full = merkle.new_tiles(old_size, leaves, _tile_reader(connection), _leaf_reader(connection))
    if full:
        rows = [{"level": level, "tile": tile, "hashes": hashes} for level, tile, hashes in full]
        connection.execute(_INSERT_TILES, rows)


def _tile_reader(connection: Connection) -> merkle.ReadTile:
    def read_tile(level: int, tile: int) -> bytes:
        hashes: bytes | None = connection.execute(_TILE, {"level": level, "tile": tile}).scalar()
        if hashes is None:
            raise MissingTileError(level, tile)
        return hashes

    return read_tile


def _leaf_reader(connection: Connection) -> merkle.ReadLeaves:
    def read_leaves(first: int, end: int) -> Sequence[bytes]:
        # Leaves count from 0, positions from 1.
        return [leaf for (leaf,) in connection.execute(_LEAVES, {"first": first + 1, "last": end})]

    return read_leaves
