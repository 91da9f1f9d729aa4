"""What is known of delivered files that were read before: what is in them, and for which days Bronze has it all.

A cache; delete it, and the files are read again. It is believed by the user that made it, under the tag of their key
(`keyed.py`): who wrote into it could make a run leave rows out. A file is known by its name and the SHA-256 of its
bytes. What is said of Bronze stays true, since Bronze only grows until files of it are declared lost; it is bound to
the ledger by a digest of its past at that time, to the lost files, to the version of the reader, and to the definitions
that dedup follows from. A file that is not known for all the days asked for is read; for one that is, its counts by day
stand in for its lines, so that the same events are recorded.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import orjson

from tradex_ledger.datasets.fingerprint import fingerprint
from tradex_ledger.datasets.intake import Intake
from tradex_ledger.domain.day import Day, to_epoch
from tradex_ledger.keyed import read_sealed, write_sealed
from tradex_ledger.lake.storage import sha256_of
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.planning.scope import Scope
from tradex_ledger.sources.source import SourceFile
from tradex_ledger.sources.stage import FileCounts

# Goes up when what is remembered, or how it is written, means something else.
_FORMAT = 5
_LABEL = "delivered"

Days = tuple[int, int]  # from the first to the second, excluded; days since 1970-01-01


@dataclass(frozen=True, slots=True)
class Asked:
    """The days that an extraction asks for: of rows, and of rejected lines (which incremental runs take late)."""

    rows: Days
    rejected: Days


@dataclass(frozen=True, slots=True)
class Known:
    """A file that was read, and the ranges of days of which Bronze has all its rows, and all its rejected lines.

    `recounted` are the rows that were dropped, by day, though they had other counts than those that Bronze has.
    """

    counts: FileCounts
    held: tuple[Days, ...] = ()
    held_rejected: tuple[Days, ...] = ()
    recounted: dict[int, int] = field(default_factory=dict)

    def is_held(self, asked: Asked) -> bool:
        """Whether Bronze has all of it that lies in those days. What came too early may be a row the next time."""
        return not self.counts.early and _holds(self.held, asked.rows) and _holds(self.held_rejected, asked.rejected)

    def rows(self, asked: Asked) -> Counter[int]:
        """Its rows of those days, by day."""
        return _within(self.counts.rows, asked.rows)

    def rejected(self, asked: Asked) -> Counter[int]:
        """Its rejected lines of those days, by day; those without a day are not among them."""
        return _within(self.counts.rejected, asked.rejected)

    def recounts(self, asked: Asked) -> int:
        """Its rows of those days that were dropped with other counts."""
        return _within(self.recounted, asked.rows).total()


def _holds(held: Iterable[Days], days: Days) -> bool:
    return any(first <= days[0] and days[1] <= until for first, until in held)


def _within(by_day: dict[int, int], days: Days) -> Counter[int]:
    return Counter({day: n for day, n in by_day.items() if days[0] <= day < days[1]})


@dataclass
class Delivered:
    """What is known of the files of one extraction. Without `path` nothing is, and nothing is kept."""

    path: Path | None
    binding: str = ""
    known: dict[str, Known] = field(default_factory=dict)

    def split(self, files: Iterable[SourceFile], asked: Asked | None) -> tuple[list[SourceFile], list[Known]]:
        """The files that have to be read, and what is known of the others. Files that are gone are forgotten."""
        unread, held = [], []
        listed = list(files)
        self.known = {file.name: self.known[file.name] for file in listed if file.name in self.known}
        for file in listed:
            known = self.known.get(file.name)
            if known and asked and known.is_held(asked) and _is_still(file.path, known.counts.sha256):
                held.append(known)
            else:
                unread.append(file)
        return unread, held

    def keep(
        self, ledger: Ledger, read: list[FileCounts], asked: Asked | None, recounted: Counter[tuple[str, Day]]
    ) -> None:
        """Remember what was read, once all of it that lies in those days is in Bronze; `recounted` as `Appended` has
        it."""
        if self.path is None or asked is None or not read:
            return
        fresh: dict[str, dict[int, int]] = {}
        for (name, day), n in recounted.items():
            fresh.setdefault(name, {})[to_epoch(day)] = n
        for counts in read:
            before = self.known.get(counts.name)
            known = before if before and before.counts == counts else Known(counts)
            self.known[counts.name] = replace(
                known,
                held=_joined([*known.held, asked.rows]),
                held_rejected=_joined([*known.held_rejected, asked.rejected]),
                recounted={**known.recounted, **fresh.get(counts.name, {})},
            )
        self._write(ledger)

    def _write(self, ledger: Ledger) -> None:
        assert self.path is not None
        position = ledger.position()
        past = ledger.store.past(position)
        if past is None:
            return  # it is only a cache
        files = [tuple(_entry(known)) for known in self.known.values()]
        document = _Document(self.binding, position, past.hex(), files)
        write_sealed(self.path, orjson.dumps(document), _LABEL)


def open_delivered(scope: Scope, intake: Intake) -> Delivered:
    """What the cache knows of a source, as far as it fits this ledger, these definitions and this reader."""
    folder = scope.ledger.store.caches.made()
    name = "delivered" if len(scope.intakes) == 1 else f"delivered-{intake.source}"
    delivered = Delivered(folder and folder / name, _binding(scope, intake))
    body = delivered.path and read_sealed(delivered.path, _LABEL)
    if not body:
        return delivered
    document = _Document(**orjson.loads(body))
    if document.binding != delivered.binding or document.position > scope.ledger.position():
        return delivered
    past = scope.ledger.store.past(document.position)
    if past is not None and document.root == past.hex():
        entries = map(_Entry._make, document.files)
        delivered.known = {entry.name: _known(entry) for entry in entries}
    return delivered


@dataclass(frozen=True, slots=True)
class _Document:
    """The cache as it is written: what it belongs to, and an `_Entry` a file, as a list.

    `root` is the digest (hex) of the ledger's past: see `Store.past`.
    """

    binding: str
    position: int
    root: str
    files: Sequence[Sequence[object]]


class _Entry(NamedTuple):
    """A file in the cache: as `FileCounts` and `Known` have it, what is by day as pairs."""

    name: str
    sha256: str
    lines: int
    rows: Sequence[tuple[int, int]]
    rejected: Sequence[tuple[int, int]]
    recounted: Sequence[tuple[int, int]]
    undated: int
    controls: int
    early: int
    odd: dict[str, int]
    passed_over: str | None
    beyond: int
    held: Sequence[Days]
    held_rejected: Sequence[Days]


def _entry(known: Known) -> _Entry:
    counts = known.counts
    rows, rejected, recounted = (sorted(days.items()) for days in (counts.rows, counts.rejected, known.recounted))
    return _Entry(
        counts.name,
        counts.sha256,
        counts.lines,
        rows,
        rejected,
        recounted,
        *counts[5:],
        known.held,
        known.held_rejected,
    )


def _known(entry: _Entry) -> Known:
    rows, rejected = dict(entry.rows), dict(entry.rejected)
    counts = FileCounts(entry.name, entry.sha256, entry.lines, rows, rejected, *entry[6:12])
    return Known(counts, _ranges(entry.held), _ranges(entry.held_rejected), dict(entry.recounted))


def _ranges(stored: Iterable[Days]) -> tuple[Days, ...]:
    return tuple((first, until) for first, until in stored)


def _binding(scope: Scope, intake: Intake) -> str:
    """All that reading a file and finding its rows in Bronze follow from, beside the file and Bronze."""
    digest = hashlib.sha256(f"{_FORMAT}\n".encode())
    for definition in sorted(intake.datasets, key=lambda d: d.name):
        digest.update(f"{definition.name} {fingerprint(definition)}\n".encode())  # the reader is part of it
        # What Bronze has lost it has no more: every file may hold rows of it, and is read again.
        for path in scope.lock(definition.name).lost:
            digest.update(f"lost {path}\n".encode())
    return digest.hexdigest()


def _is_still(path: Path, sha256: str) -> bool:
    try:
        return sha256_of(path) == sha256
    except OSError:
        return False  # who reads it says why


def _joined(ranges: list[Days]) -> tuple[Days, ...]:
    """The same days as few ranges, in order."""
    found: list[Days] = []
    for first, until in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((first, until))
    return tuple(found)
