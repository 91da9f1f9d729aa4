"""What is kept of the projections, as of some positions: a cache of answers, so that none grows with history.

As of each full segment of events, for each projection whose file says how it is kept (`projected.py`), all its rows,
in a Parquet file: a *generation*. Whoever asks as of a position takes the newest generation not above it, and works
out only what the events since then touch (`view.py`); whoever sees a full segment more makes the next generation the
same way, from the one before. So the same statement over few events is all that there is, from zero or from the middle.

As with segments (`ledger/segments.py`), what a file is bound to stands in its name: the tree over all events up to its
position, and the texts of all that is kept and of what that is written over; with a tag under the user's key over that
and its bytes. A file that is not as it was written, of another ledger or of other texts is passed over, and made again.
"""

from __future__ import annotations

import hashlib
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from pathlib import Path

import duckdb

from tradex_ledger import lifecycle
from tradex_ledger.datasets.statement import opened_beside
from tradex_ledger.keyed import seal
from tradex_ledger.ledger import segments, typed
from tradex_ledger.ledger.segments import QUICK, is_as_written, written
from tradex_ledger.ledger.select import Store
from tradex_ledger.views import projected

COUNTS = "topics"
"""The projection that counts the events of each topic: how many older ones there are is known before any is read."""
_FOLDER = "kept"
_LABEL = "kept"
_DIGITS = 12
_CODE = "1"
"""Of how rows are merged (`view.py`): another number, and nothing that is kept is used any more."""
STEP = 48
"""Segments at once, of many that are to be brought up: so that memory has a bound, and whoever asks as of before one of
them has at most that many to read."""
SPARSE = 16
"""Of old generations each so-many-th stays, for who asks as of before; of newer ones more (`_stays`)."""


@dataclass(frozen=True, slots=True)
class Generation:
    """All that is kept as of a position: the files, by name of the projection."""

    position: int
    files: dict[str, Path]
    binding: str

    def file(self, name: str) -> Path | None:
        """The file of a projection; None when it is not as this user wrote it: then it goes, and is made again."""
        path = self.files[name]
        with suppress(OSError, ValueError):
            if is_as_written(path, _name(self.position, self.binding, name), _LABEL):
                return path
        _remove(path)
        return None


NOTHING = Generation(0, {}, "")
"""What is kept as of the beginning: of each projection no row. So the first generation is made as any other is."""


class Generations:
    """The generations of a ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._there: dict[int, dict[str, list[Path]]] | None = None

    def newest(self, upto: int) -> Generation | None:
        """The newest generation not above a position; None when there is none."""
        if upto < segments.EVENTS or self._store.caches.path() is None:
            return None
        for position in sorted(self._files(), reverse=True):
            found = self._at(position) if position <= upto else None
            if found is not None and found.file(COUNTS) is not None:
                return found
        return None

    def is_due(self, upto: int, found: Generation | None) -> bool:
        """Whether there is a full segment more than that generation was made of, and a place to keep another.

        Not for who asks as of before: what is kept as of later tells that its time is over.
        """
        if any(position > upto and self._at(position) is not None for position in sorted(self._files(), reverse=True)):
            return False
        at = found.position if found is not None else 0
        if self.target(upto) <= at or seal(b"", _LABEL) is None:
            return False
        return self._store.caches.made(_FOLDER) is not None

    def target(self, upto: int) -> int:
        """The last position up to one that there may be a generation of."""
        return upto // segments.EVENTS * segments.EVENTS

    def next(self, upto: int, found: Generation | None) -> int:
        """The position of the generation that is made next."""
        at = found.position // segments.EVENTS if found is not None else 0
        last = self.target(upto) // segments.EVENTS
        near = (last // each * each for each in (8, 1))  # who asks as of before asks of lately
        return min((at // STEP + 1) * STEP, *(number for number in near if number > at)) * segments.EVENTS

    def write(self, connection: duckdb.DuckDBPyConnection, position: int) -> Generation | None:
        """Keep the projections of a connection as of a position; None where that cannot be done: it is only a cache."""
        binding = self._binding(position)
        folder = self._store.caches.made(_FOLDER)
        if folder is None or binding is None:
            return None
        from concurrent.futures import ThreadPoolExecutor  # who only reads does not wait for it

        there, files = self._files().get(position, {}), dict[str, Path]()
        names = iter(projected.all_kept())

        def lay(connection: duckdb.DuckDBPyConnection) -> None:
            """Write one after the other, those that the other thread has not taken; none more where one cannot be."""
            for name in names:
                path = _laid(connection, folder, _name(position, binding, name), name, there.get(name, []))
                if path is None:
                    deque(names, 0)
                else:
                    files[name] = path

        # Two at a time: most of them are small, and one is written by one thread.
        with opened_beside(connection) as second, ThreadPoolExecutor(1) as beside:
            try:
                other = beside.submit(lay, second)
                lay(connection)
                other.result()
            finally:
                deque(names, 0)  # Ctrl-C: the other begins no other
        self._there = None
        if files.keys() != set(projected.all_kept()):
            return None
        self._clean(position)
        return Generation(position, files, binding)

    def _clean(self, newest: int) -> None:
        """Remove old generations but some."""
        places = sorted(position for position in self._files() if position <= newest)
        for position in places:
            if not _stays(position // segments.EVENTS, newest // segments.EVENTS):
                for paths in self._files()[position].values():
                    for path in paths:
                        _remove(path)

    def _at(self, position: int) -> Generation | None:
        """The generation of a position, when it is whole and of this ledger and release."""
        there = self._files()[position]
        if not there.keys() >= set(projected.all_kept()) or (binding := self._binding(position)) is None:
            return None
        files = {}
        for name in projected.all_kept():
            prefix = _name(position, binding, name)
            path = next((path for path in there[name] if path.name.startswith(prefix)), None)
            if path is None:
                return None
            files[name] = path
        return Generation(position, files, binding)

    def _binding(self, position: int) -> str | None:
        """What files as of a position are bound to; None where no segment ends, or the ledger does not reach to."""
        if position % segments.EVENTS:
            return None
        past = self._store.past(position)
        return None if past is None else hashlib.sha256(past + recipe().encode()).hexdigest()

    def _files(self) -> dict[int, dict[str, list[Path]]]:
        """What lies there: by position and name. Nothing is known of it yet."""
        if self._there is None:
            self._there = {}
            folder = self._store.caches.path(_FOLDER)
            with suppress(OSError):
                for path in sorted(folder.iterdir(), key=attrgetter("name")) if folder else ():
                    number, name, *rest = path.name.split("-")
                    if len(rest) == 2 and len(number) == _DIGITS and number.isdecimal():
                        self._there.setdefault(int(number), {}).setdefault(name, []).append(path)
        return self._there


@cache
def recipe() -> str:
    """A digest (hex) of all that kept rows follow from but the events."""
    read = sorted(projected.closure(projected.all_kept()))
    texts = [_CODE, typed.RECIPE, lifecycle.as_values(), *(projected.sql(name) for name in read)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _stays(number: int, newest: int) -> bool:
    """Whether a generation is still of use: the newest four, then each 2nd, 4th, 8th up to each `SPARSE`-th.

    So who asks as of a position that is some segments old works out less than half as many.
    """
    return number % min(SPARSE, 1 << max((newest - number).bit_length() - 2, 0)) == 0


def _laid(
    connection: duckdb.DuckDBPyConnection, folder: Path, prefix: str, name: str, known: list[Path]
) -> Path | None:
    """Write a projection to a file, and remove those that it takes the place of; None where that cannot be done."""
    how = projected.kept(name)
    assert how is not None
    # What is a view over events or runs, or a table, is in order.
    order = f" order by {how.order}" if how.by is projected.By.OVER else ""
    path = written(connection, f'from "{name}"{order}', folder, prefix, _LABEL, QUICK)
    if path is not None:
        for useless in _useless(known, prefix, path):
            _remove(useless)
    return path


def _useless(known: list[Path], prefix: str, fresh: Path) -> list[Path]:
    """What is broken, and what is of other ledgers and releases but the newest: another host may have that release."""
    same = [path for path in known if path.name.startswith(prefix) and path != fresh]
    others = []
    for path in known:
        if not path.name.startswith(prefix):
            with suppress(OSError):
                others.append((path.stat().st_mtime_ns, path))
    return [*same, *(path for _, path in sorted(others)[:-1])]


def _name(position: int, binding: str, name: str) -> str:
    return f"{position:0{_DIGITS}}-{name}-{binding}-"


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
