"""Segments: ranges of events that are full and so never change, as Parquet files: a cache.

They are derived. Delete them, and the next command that reads makes them again; one that does not fit the ledger, or
is not as this user wrote it, is not used. What a segment is bound to stands in its name: the leaves of its events as
the Merkle tree has them (each is the digest of a whole entry) and the recipe that made its columns, not the version of
any library; and a tag over these and its own bytes under the user's key (`keyed.py`), since anybody can work out a
digest. Without a key there are none.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.keyed import Caches, is_sealed, open_regular, seal
from tradex_ledger.ledger.merkle import leaf_hash
from tradex_ledger.ledger.select import Store

_LABEL = "segment"
_FOLDER = "segments"
_TILE_EVENTS = 256
SEGMENT_EVENTS = 64 * _TILE_EVENTS
KEPT_OF_OTHERS = 2


class BrokenTileError(BrokenLedgerError):
    """The tiles over some events are not over these events."""

    code = "broken-tile"

    def __init__(self, first: int, last: int) -> None:
        super().__init__(
            f"the tree over the positions {first} to {last} is not that of the events there",
            mend="put back the last good copy of the ledger",
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A full range of events: where its file may lie, the position that it begins at, and what it is bound to."""

    caches: Caches
    first: int
    binding: str
    leaves: bytes

    def check(self, entries: list[str]) -> None:
        """Raise `BrokenTileError` unless these are the entries that its tiles are over."""
        if b"".join(leaf_hash(entry.encode()) for entry in entries) != self.leaves:
            raise BrokenTileError(self.first, self.first + len(entries) - 1)

    def path(self) -> Path | None:
        """Its file; None when there is none that is as this user wrote it."""
        folder = self.caches.path(_FOLDER)
        for path in folder.glob(f"{self._name()}*.parquet") if folder else ():
            with suppress(OSError, ValueError):  # it is gone, cannot be read, or has the name of before
                if is_sealed(self._bound(path), bytes.fromhex(path.stem.removeprefix(self._name())), _LABEL):
                    return path
        return None

    def write(self, connection: duckdb.DuckDBPyConnection, table: str) -> Path | None:
        """Make its file from a table that holds its events; None where that cannot be done: it is only a cache."""
        if seal(b"", _LABEL) is None or (folder := self.caches.made(_FOLDER)) is None:
            return None
        half_made = folder / f".{self.first}-{os.getpid()}"
        try:
            half_made.unlink(missing_ok=True)  # what somebody laid there is not written through
            quoted = str(half_made).replace("'", "''")
            connection.execute(f"copy {table} to '{quoted}' (format parquet, compression zstd)")
            for useless in self._useless(folder):
                useless.unlink(missing_ok=True)
            tag = seal(self._bound(half_made), _LABEL)
            assert tag is not None  # a key that was there stays for as long as the process lives
            # A crash before this leaves a file that nobody looks for; after it, a segment.
            return half_made.rename(folder / f"{self._name()}{tag.hex()}.parquet")
        except (OSError, duckdb.IOException):
            with suppress(OSError):
                half_made.unlink(missing_ok=True)
            return None

    def _name(self) -> str:
        return f"{self.first:012}-{self.binding}-"

    def _bound(self, path: Path) -> bytes:
        """What a tag in a name is over: the range, what it is bound to, and the bytes."""
        with open_regular(path) as file:
            return f"{self._name()}{hashlib.file_digest(file, 'sha256').hexdigest()}".encode()

    def _useless(self, folder: Path) -> list[Path]:
        """What stands for the range and nobody needs: what is broken, and what is of another ledger or release.

        Of those the newest stay: another host may have that release, and would make them again for ever.
        """
        same, others = [], []
        for path in folder.glob(f"{self.first:012}-*"):
            if path.name.startswith(self._name()):
                same.append(path)
            else:
                others.append((path.stat().st_mtime_ns, path))
        return [*same, *(path for _, path in sorted(others)[:-KEPT_OF_OTHERS])]


def segment_at(store: Store, first: int, events: int, recipe: str) -> Segment | None:
    """The segment of so many events (whole tiles) that begins at a position; None as long as it is not full.

    `recipe` is all that the columns of its file follow from.
    """
    if store.caches.path() is None:
        return None
    begin, tiles = (first - 1) // _TILE_EVENTS, events // _TILE_EVENTS
    found = store.tiles(begin, begin + tiles, first + events - 1)
    if len(found) < tiles:
        return None
    leaves = b"".join(found)
    return Segment(store.caches, first, hashlib.sha256(leaves + recipe.encode()).hexdigest(), leaves)
