"""What a ledger says of itself to whoever holds a lake against it. Light: readers ask at each command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.lake_events import MOVED
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.lake.markers import NO_LEAF
from tradex_ledger.ledger import ask
from tradex_ledger.ledger.rows import BrokenRowError, check_row, entry_of
from tradex_ledger.ledger.select import Store

_BEGUN, _PLANNED = "lake.epoch_begun", "lake.epoch_planned"
ERASED = "dataset.files_erased"
"""It names files that others stand in for, without the rows that were erased."""
PUBLISHED = ("run.published", "backfill.reverted", "dataset.files_pruned", ERASED, "lake.collected", _BEGUN)
"""After these the lake is not what it was: a ledger that does not know of them must not touch it."""
NAMED = ("run.partition_rebuilt", "run.batch_appended")
"""These name files of the lake."""
GIVEN_UP = ("dataset.files_pruned", ERASED, "dataset.files_lost")
"""These name files that nobody expects there any more."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch that was begun: at `position`, after the loss of a head that had `base` in common with this ledger."""

    number: int
    position: int
    base: int
    lost: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Known:
    """What a ledger says of itself."""

    ledger: str
    head: int
    epochs: tuple[Epoch, ...]
    waits: bool = False
    """Whether an epoch was asked for that nobody has begun."""
    moved: str = ""
    """The entry by which the ledger ends here, if it was moved."""

    def epoch_at(self, position: int) -> int:
        """The epoch in which a position lies."""
        return max((epoch.number for epoch in self.epochs if epoch.position <= position), default=0)


def known_of(store: Store) -> Known:
    """What this ledger says. Raises `BrokenRowError`."""
    ledger, head = store.ledger, store.position()
    epochs, waits, moved = [], False, ""
    for row in ask.events_of(store, (_BEGUN, _PLANNED, MOVED)):
        entry = entry_of(ledger, row)
        waits = entry.topic == _PLANNED or (waits and entry.topic != _BEGUN)
        moved = row.entry if entry.topic == MOVED and entry.position == head else ""
        if entry.topic != _BEGUN:
            continue
        facts = [entry.data.get(name) for name in ("epoch", "base", "lost_epoch", "lost_position")]
        numbers = [fact for fact in facts if isinstance(fact, int)]
        if len(numbers) < len(facts):
            raise BrokenRowError(entry.position, "what its entry says is not what such an event says")
        number, base, *lost = numbers
        epochs.append(Epoch(number, entry.position, base, (lost[0], lost[1])))
    return Known(ledger, head, tuple(epochs), waits, moved)


def leaves_at(store: Store, ledger: str, positions: Sequence[int]) -> dict[int, str]:
    """The leaf (hex) of the event at each of some positions, held against its entry; where there is none, nothing."""
    rows = ask.at_positions(store, positions)
    for row in rows:
        check_row(ledger, row)
    return {0: NO_LEAF, **{row.position: row.leaf.hex() for row in rows}}


def last_published(store: Store, upto: int = ask.END) -> int:
    """The last position, up to one, after which the lake was not what it was before; 0 when there is none."""
    return ask.last_position(store, PUBLISHED, upto=upto)


def named_files(store: Store) -> Iterator[LakeFile]:
    """Each file that an event names and none gave up: the newest first."""
    gone = {file.path for file in _files(store, GIVEN_UP)}
    yield from (file for file in _files(store, NAMED) if file.path not in gone)


def files_in(facts: Facts) -> list[LakeFile]:
    """The files that an event of `NAMED` or `GIVEN_UP` lists, of its facts."""
    return [LakeFile.of(file) for file in facts["files"]]


def put_in_place(facts: Facts) -> list[str]:
    """The names of the files that an event of `ERASED` put in the places of others."""
    return [LakeFile.of(made).path for file in facts["files"] if (made := file["into"]) is not None]


def _files(store: Store, topics: Sequence[str]) -> Iterator[LakeFile]:
    for row in ask.newest_first(store, topics):
        yield from files_in(row.data)
