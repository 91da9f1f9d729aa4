"""Segments: ranges of events that are full and so never change, as Parquet files beside the ledger.

They are derived. Delete them, and the next command that reads makes them again; one that does not fit the ledger, or
is not as it was written, is not used. What a segment is bound to stands in its name: the leaves of its events as the
Merkle tree has them (each is the digest of a whole entry), the recipe that made its columns, and its own bytes; not
the version of any library.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.ledger.merkle import leaf_hash
from tradex_ledger.ledger.select import Store, file_of, select

_SUFFIX = "-segments"
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
    """A full range of events: where its file lies, the position that it begins at, and what it is bound to."""

    folder: Path
    first: int
    binding: str
    leaves: bytes

    def check(self, entries: list[str]) -> None:
        """Raise `BrokenTileError` unless these are the entries that its tiles are over."""
        if b"".join(leaf_hash(entry.encode()) for entry in entries) != self.leaves:
            raise BrokenTileError(self.first, self.first + len(entries) - 1)

    def path(self) -> Path | None:
        """Its file; None when there is none that is as it was written."""
        for path in self.folder.glob(f"{self.first:012}-{self.binding}-*.parquet"):
            with suppress(OSError):  # it is gone, or cannot be read: then it is not there
                if path.stem.endswith(_digest(path)):
                    return path
        return None

    def write(self, connection: duckdb.DuckDBPyConnection, table: str) -> Path | None:
        """Make its file from a table that holds its events; None where that cannot be done: it is only a cache.

        It is made only beside a ledger of this user's own: who only reads leaves things as they are.
        """
        if not _is_own(self.folder.with_name(self.folder.name.removesuffix(_SUFFIX))):
            return None
        half_made = self.folder / f".{self.first}-{os.getpid()}"
        try:
            self.folder.mkdir(exist_ok=True)
            quoted = str(half_made).replace("'", "''")
            connection.execute(f"copy {table} to '{quoted}' (format parquet, compression zstd)")
            for useless in self._useless():
                useless.unlink(missing_ok=True)
            # A crash before this leaves a file that nobody looks for; after it, a segment.
            return half_made.rename(self.folder / f"{self.first:012}-{self.binding}-{_digest(half_made)}.parquet")
        except (OSError, duckdb.IOException):
            with suppress(OSError):
                half_made.unlink(missing_ok=True)
            return None

    def _useless(self) -> list[Path]:
        """What stands for the range and nobody needs: what is broken, and what is of another ledger or release.

        Of those the newest stay: another host may have that release, and would make them again for ever.
        """
        same, others = [], []
        for path in self.folder.glob(f"{self.first:012}-*"):
            if path.name.startswith(f"{self.first:012}-{self.binding}-"):
                same.append(path)
            else:
                others.append((path.stat().st_mtime_ns, path))
        return [*same, *(path for _, path in sorted(others)[:-KEPT_OF_OTHERS])]


def segment_at(store: Store, first: int, events: int, recipe: str) -> Segment | None:
    """The segment of so many events (whole tiles) that begins at a position; None as long as it is not full.

    `recipe` is all that the columns of its file follow from. A ledger that is no file keeps no segments.
    """
    file = file_of(store)
    if file is None:
        return None
    begin, tiles = (first - 1) // _TILE_EVENTS, events // _TILE_EVENTS
    found = select(
        store,
        "select hashes from tiles where level = 0 and tile >= :begin and tile < :upto order by tile",
        begin=begin,
        upto=begin + tiles,
    )
    if len(found) < tiles or not select(store, "select 1 from events where position = :last", last=first + events - 1):
        return None  # a tile that was laid ahead of its events is over none
    leaves = b"".join(hashes for (hashes,) in found)
    binding = hashlib.sha256(leaves + recipe.encode()).hexdigest()
    return Segment(file.with_name(f"{file.name}{_SUFFIX}"), first, binding, leaves)


def _is_own(ledger: Path) -> bool:
    try:
        return ledger.stat().st_uid == os.geteuid() and os.access(ledger, os.W_OK) and os.access(ledger.parent, os.W_OK)
    except OSError:
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
