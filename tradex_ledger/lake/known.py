"""What a ledger says of itself to whoever holds a lake against it. Light: readers ask at each command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import orjson

from tradex_ledger.lake.markers import NO_LEAF
from tradex_ledger.ledger.rows import COLUMNS, BrokenRowError, Row, check_row, entry_of
from tradex_ledger.ledger.select import Store, select

PUBLISHED = ("run.published", "backfill.reverted", "dataset.files_pruned", "lake.collected", "lake.epoch_begun")
"""After these the lake is not what it was: a ledger that does not know of them must not touch it."""
NAMED = ("run.partition_rebuilt", "run.batch_appended")
"""These name files of the lake."""
GIVEN_UP = ("dataset.files_pruned", "dataset.files_lost")
"""These name files that nobody expects there any more."""
_CHUNK = 2000


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

    def epoch_at(self, position: int) -> int:
        """The epoch in which a position lies."""
        return max((epoch.number for epoch in self.epochs if epoch.position <= position), default=0)


def known_of(store: Store) -> Known:
    """What this ledger says. Raises `BrokenRowError`."""
    ((ledger, head),) = select(store, "select id, (select coalesce(max(position), 0) from events) from ledger")
    rows = select(store, f"select {COLUMNS} from events where topic = 'lake.epoch_begun' order by position")
    epochs = []
    for row in rows:
        entry = entry_of(ledger, cast(Row, row))
        facts = [entry["data"].get(name) for name in ("epoch", "base", "lost_epoch", "lost_position")]
        if not all(isinstance(fact, int) for fact in facts):
            raise BrokenRowError(entry["position"], "what its entry says is not what such an event says")
        number, base, *lost = facts
        epochs.append(Epoch(number, entry["position"], base, (lost[0], lost[1])))
    return Known(str(ledger), int(head), tuple(epochs))


def leaves_at(store: Store, ledger: str, positions: Sequence[int]) -> dict[int, str]:
    """The leaf (hex) of the event at each of some positions, held against its entry; where there is none, nothing."""
    named = {f"at{n}": position for n, position in enumerate(positions)}
    wanted = f"position in ({', '.join(f':{name}' for name in named)})"
    rows = select(store, f"select {COLUMNS} from events where {wanted}", **named) if named else []
    for row in rows:
        check_row(ledger, cast(Row, row))
    return {0: NO_LEAF, **{int(row[0]): bytes(row[5]).hex() for row in rows}}


def last_published(store: Store, upto: int = 1 << 62) -> int:
    """The last position, up to one, after which the lake was not what it was before; 0 when there is none."""
    ((position,),) = select(
        store,
        f"select coalesce(max(position), 0) from events where topic in {_in(PUBLISHED)} and position <= :upto",
        upto=upto,
        **_values(PUBLISHED),
    )
    return int(position)


def _in(topics: Sequence[str]) -> str:
    return f"({', '.join(f':topic{n}' for n in range(len(topics)))})"


def _values(topics: Sequence[str]) -> dict[str, str]:
    return {f"topic{n}": topic for n, topic in enumerate(topics)}


def named_files(store: Store) -> Iterator[tuple[str, int]]:
    """Each file that an event names and none gave up, with its size: the newest first."""
    gone = {path for path, _ in _files(store, GIVEN_UP)}
    yield from (file for file in _files(store, NAMED) if file[0] not in gone)


def _files(store: Store, topics: Sequence[str]) -> Iterator[tuple[str, int]]:
    before = 1 << 62
    while rows := select(
        store,
        f"select position, entry from events where topic in {_in(topics)} and position < :before "
        "order by position desc limit :n",
        before=before,
        n=_CHUNK,
        **_values(topics),
    ):
        for _, entry in rows:
            yield from ((file["path"], file["bytes"]) for file in orjson.loads(entry)["data"]["files"])
        before = rows[-1][0]
