"""Segments: ranges of events that are full and so never change, as Parquet files: a cache.

They are derived. Delete them, and the next command that reads makes them again; one that does not fit the ledger, or
is not as this user wrote it, is not used. What a segment is bound to stands in its name: the leaves of its events as
the Merkle tree has them (each is the digest of a whole entry) and the recipe that made its columns, not the version
of any library; and a tag over these and its own bytes under the user's key (`keyed.py`), since anybody can work out a
digest. Without a key there are none.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.keyed import Caches, is_sealed, open_regular, seal
from tradex_ledger.ledger.merkle import TILE_WIDTH, leaf_hash
from tradex_ledger.ledger.select import Store
from tradex_ledger.paths import sql_text

_LABEL = "segment"
_FOLDER = "segments"
_PIECES_FOLDER = "pieces"
EVENTS = 64 * TILE_WIDTH
"""The events of a segment, a power of two: whole tiles, so that few hashes tell what it is bound to."""
PIECES = 8
"""Parts of the segment that is not full yet, each a file once it is full: to type an event costs ten times what it does
to read it typed."""
KEPT_OF_OTHERS = 2
_DIGITS = 12
_GROUP = 2_048
"""Rows of a file that are read, or passed over, together: DuckDB's smallest."""
SMALL = "compression zstd, compression_level 1"
"""Of the levels the one that takes the least time; entries and digests come out smaller by it than by the usual one."""
QUICK = "compression lz4_raw, parquet_version v2"
"""A third larger, and written in two thirds of the time."""


class BrokenTileError(BrokenLedgerError):
    """The tiles over some events are not over these events."""

    code = "broken-tile"

    def __init__(self, first: int, last: int) -> None:
        super().__init__(
            f"the tree over the positions {first} to {last} is not that of the events there",
            mend="put back the last good copy of the ledger",
        )


def written(
    connection: duckdb.DuckDBPyConnection, statement: str, folder: Path, name: str, label: str, form: str = SMALL
) -> Path | None:
    """Lay what a statement finds into a folder as `{name}{tag}.parquet`; None where that cannot be done.

    A crash before its last step leaves a file that nobody looks for; after it, a cache.
    """
    half_made = folder / f".{name}{os.getpid()}"
    try:
        half_made.unlink(missing_ok=True)  # what somebody laid there is not written through
        to = f"{sql_text(str(half_made))} (format parquet, {form}, row_group_size {_GROUP})"
        connection.execute(f"copy ({statement}) to {to}")
        tag = seal(_bound(half_made, name), label)
        return half_made.rename(folder / f"{name}{tag.hex()}.parquet") if tag is not None else None
    except (OSError, duckdb.IOException):
        return None
    finally:
        with suppress(OSError):  # it has its name, or nobody wants it: no room, or Ctrl-C
            half_made.unlink(missing_ok=True)


def is_as_written(path: Path, name: str, label: str) -> bool:
    """Whether `{name}{tag}.parquet` is as this user wrote it. Raises: `OSError`, `ValueError`."""
    return is_sealed(_bound(path, name), bytes.fromhex(path.stem.removeprefix(name)), label)


def _bound(path: Path, name: str) -> bytes:
    """What a tag in a name is over: what the file is bound to, and its bytes."""
    with open_regular(path) as file:
        return f"{name}{hashlib.file_digest(file, 'sha256').hexdigest()}".encode()


@dataclass(frozen=True, slots=True)
class Segment:
    """A full range of events: where its file may lie, the positions of its first and last, and what it is bound to."""

    caches: Caches
    first: int
    last: int
    binding: str
    leaves: bytes
    folder: str = _FOLDER

    def check(self, entries: list[str]) -> None:
        """Raise `BrokenTileError` unless these are the entries that the tree is over."""
        if b"".join(leaf_hash(entry.encode()) for entry in entries) != self.leaves:
            raise BrokenTileError(self.first, self.last)

    def path(self, there: Iterable[Path]) -> Path | None:
        """Its file, among those that are there for its range; None when there is none that is as this user wrote it."""
        for path in there:
            with suppress(OSError, ValueError):  # it is gone, cannot be read, or has the name of before
                if path.name.startswith(self._name()) and is_as_written(path, self._name(), _LABEL):
                    return path
        return None

    def write(self, connection: duckdb.DuckDBPyConnection, table: str) -> Path | None:
        """Make its file from a table that holds its events; None where that cannot be done: it is only a cache."""
        if seal(b"", _LABEL) is None or (folder := self.caches.made(self.folder)) is None:
            return None
        useless = self._useless(folder)
        # By topic: of a group of rows without a topic that is asked for, DuckDB reads nothing but its bounds.
        path = written(connection, f"from {table} order by topic, position", folder, self._name(), _LABEL)
        if path is not None:
            for other in useless:
                if other != path:
                    with suppress(OSError):
                        other.unlink(missing_ok=True)
        return path

    def _name(self) -> str:
        return f"{self.first:0{_DIGITS}}-{self.binding}-"

    def _useless(self, folder: Path) -> list[Path]:
        """What stands for the range and nobody needs: what is broken, and what is of another ledger or release.

        Of those the newest stay: another host may have that release, and would make them again for ever.
        """
        same, others = [], []
        for path in folder.glob(f"{self.first:0{_DIGITS}}-*"):
            if path.name.startswith(self._name()):
                same.append(path)
            else:
                others.append((path.stat().st_mtime_ns, path))
        return [*same, *(path for _, path in sorted(others)[:-KEPT_OF_OTHERS])]


class Segments:
    """The segments of a ledger; `recipe` is all that the columns of their files follow from."""

    def __init__(self, store: Store, recipe: str) -> None:
        self._caches, self._recipe = store.caches, recipe
        self._end = store.position() if store.caches.path() is not None else 0
        self._size = self._end // EVENTS * EVENTS
        self.store = store
        self._there: dict[str, dict[int, list[Path]]] = {}

    def firsts(self, first: int, last: int) -> range:
        """The first positions of the segments with events of a range, which begins where a segment does."""
        return range(first, min(last, self._size) + 1, EVENTS)

    def at(self, first: int) -> Segment | None:
        """The segment that begins at a position; None where it is not full, or there is no tree over it."""
        if first + EVENTS - 1 > self._size:
            return None
        return self._of(first, first + EVENTS - 1, _FOLDER)

    def pieces(self, first: int, last: int) -> Iterator[Segment]:
        """The parts, one after the other, that lie in a range, which begins where the last, not full segment does."""
        events = max(EVENTS // PIECES, 1)
        for begin in range(first, min(last, self._end) - events + 2, events) if first == self._size + 1 else ():
            if (piece := self._of(begin, begin + events - 1, _PIECES_FOLDER)) is None:
                return
            yield piece

    def clean(self) -> None:
        """Remove the parts of segments that are full."""
        for first in [first for first in self._listed(_PIECES_FOLDER) if first <= self._size]:
            for path in self._listed(_PIECES_FOLDER).pop(first):
                with suppress(OSError):
                    path.unlink(missing_ok=True)

    def there(self, segment: Segment) -> list[Path]:
        """The files that stand where a segment begins; nothing is known of them yet."""
        return self._listed(segment.folder).get(segment.first, [])

    def _of(self, first: int, last: int, folder: str) -> Segment | None:
        leaves = self.store.leaves(first, last)
        if leaves is None:
            return None
        binding = hashlib.sha256(leaves + self._recipe.encode()).hexdigest()
        return Segment(self._caches, first, last, binding, leaves, folder)

    def _listed(self, name: str) -> dict[int, list[Path]]:
        if name not in self._there:
            found: dict[int, list[Path]] = {}
            folder = self._caches.path(name)
            with suppress(OSError):
                for path in folder.iterdir() if folder else ():
                    number, _, rest = path.name.partition("-")
                    if rest.endswith(".parquet") and len(number) == _DIGITS and number.isdecimal():
                        found.setdefault(int(number), []).append(path)
            self._there[name] = found
        return self._there[name]
