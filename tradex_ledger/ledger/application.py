"""The ledger: load aggregates, save their events, all of a save or nothing.

What is read is read through the `Store`; the library and the engine that save are loaded by the first who saves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tradex_ledger import slow
from tradex_ledger.clock import seat
from tradex_ledger.domain.alerts import AlertLog
from tradex_ledger.domain.approver_keys import ApproverKeys
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.base import Aggregate
from tradex_ledger.domain.clocks import ClockNote
from tradex_ledger.domain.counted import SourceCount
from tradex_ledger.domain.dataset import Dataset
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.lake import LakeLog
from tradex_ledger.domain.pipeline_state import PipelineState
from tradex_ledger.domain.policy_record import PolicyRecord
from tradex_ledger.domain.quarantine import Quarantine
from tradex_ledger.domain.retraction import Retraction
from tradex_ledger.domain.seal import Seal
from tradex_ledger.domain.source import Look
from tradex_ledger.errors import ConflictError
from tradex_ledger.ledger.ask import events_of, of_stream
from tradex_ledger.ledger.living import living
from tradex_ledger.ledger.loading import load
from tradex_ledger.ledger.named import RUNS, NoSuchStreamError, find_run
from tradex_ledger.ledger.select import Store, open_store, read

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tradex_ledger.ledger.leases import Leases
    from tradex_ledger.ledger.writer import Writer

A = TypeVar("A", bound=Aggregate)

KINDS: tuple[type[Aggregate], ...] = (
    Backfill, IncrementalRun, Dataset, PipelineState, AlertLog, Look, PolicyRecord, ClockNote, LakeLog,
    SourceCount, Retraction, Quarantine, Seal, ApproverKeys,
)  # fmt: skip
"""The kinds of streams; named here so that every process knows them."""


class WriterConflictError(ConflictError):
    """Another writer appended to a stream first; nothing of this save was stored."""

    def __init__(self, streams: list[str]) -> None:
        super().__init__(
            f"somebody else wrote to {', '.join(streams)} first; nothing was changed",
            mend="look at what happened and try again: tradex audit log",
        )
        self.streams = streams


class Ledger:
    """All streams of one workspace: `store` is what it is read by, `open_engine` what it is written through.

    With `reading` nothing can be written. `on_saved` is told of each save, once it is durable: the topics of its
    events, and the position after it.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        open_engine: Callable[[], Engine],
        *,
        reading: bool = False,
    ) -> None:
        self.store = store
        self.clock = clock
        self.reading = reading
        self.on_saved: Callable[[frozenset[str], int], None] | None = None
        self._open_engine = open_engine

    @cached_property
    def engine(self) -> Engine:
        """The database that holds it, for who writes. Raises `StoreFault` where that cannot be."""
        return self._open_engine()

    @cached_property
    def _writer(self) -> Writer:
        from tradex_ledger.ledger.writer import Writer

        return Writer(self.engine, self.clock)

    @property
    def leases(self) -> Leases:
        """What its drivers hold."""
        from tradex_ledger.ledger.leases import Leases

        return Leases(self.engine)

    def close(self) -> None:
        """End the connections to the database, if there are any."""
        if "_writer" in vars(self):
            self._writer.close()
        if "engine" in vars(self):
            self.engine.dispose()

    def driven(self) -> set[str]:
        """What a process that lives has in its hands: the names of leases, which are ids of runs and of streams."""
        names, news = living(self.store, seat())
        if news and not self.reading:
            self.leases.watch(news)
        return names

    def get(self, cls: type[A], stream: str, noun: str = "run", *, upto: int | None = None) -> A:
        """Load an aggregate, to look at it as of a position if one is given. Raises `NoSuchStreamError` when there is
        none, or one of another class; `BrokenLedgerError` when the events of the stream are not sound.
        """
        found = load(self.store, stream, upto)
        if not isinstance(found, cls):
            raise NoSuchStreamError(stream, noun)
        return found

    def append(self, *aggregates: Aggregate, unmoved: Iterable[Aggregate] = ()) -> int:
        """Save the pending events of all the aggregates at once. Returns the position after the save.

        `unmoved` are others that the decision stands on: they get no event.

        Raises: `WriterConflictError`, with nothing stored, when any of the streams has moved.
        """
        from eventsourcing.persistence import IntegrityError

        read = {a.id: a.version for a in unmoved}
        streams = [*(a.id for a in aggregates), *read]
        told = [(a.id, Counter([event.TOPIC for event in a.pending_events])) for a in aggregates]
        topics = frozenset(topic for _, counts in told for topic in counts)
        try:
            recordings = self._writer.save(*aggregates, unmoved=read)
        except IntegrityError:
            raise WriterConflictError(streams) from None
        position = recordings[-1].notification.id if recordings else self.position()
        for stream, topic, count in ((stream, *one) for stream, counts in told for one in counts.items()):
            slow.detail(f"on record: {f'{count} ' if count > 1 else ''}{topic} of {stream}, by position {position}")
        if topics and self.on_saved is not None:
            self.on_saved(topics, position)
        return position

    def track(self, follower: str, position: int) -> None:
        """Put down, durably, how far a follower has come; it stands beside the events, and is none.

        Raises: `WriterConflictError` when it had come as far already: another process was at it.
        """
        from eventsourcing.persistence import IntegrityError, Tracking

        try:
            self._writer.recorder.insert_tracking(Tracking(follower, position))  # type: ignore[attr-defined]  # ours is of every kind
        except IntegrityError:
            raise WriterConflictError([follower]) from None

    @property
    def id(self) -> str:
        """The identity that every entry carries."""
        return self.store.ledger

    def position(self) -> int:
        """The position of the newest event; 0 in an empty ledger."""
        return self.store.position()

    def version_of(self, stream: str) -> int:
        """The version of a stream's newest event; 0 when there is none."""
        found = of_stream(self.store, stream, limit=1)
        return found[0].version if found else 0

    def streams_of(self, *first_topics: str, upto: int | None = None) -> list[str]:
        """The streams that begin with one of these topics, by a position if one is given, oldest first."""
        if upto is not None:
            return [told.stream for told in events_of(self.store, first_topics, upto=upto)]
        return [str(stream) for (stream,) in self.store.select(read("streams_begun"), topics=first_topics)]

    def find_run(self, prefix: str, *, kinds: tuple[str, ...] = RUNS) -> str:
        """The run that a prefix names: see `named.find_run`."""
        return find_run(self.store, prefix, kinds=kinds)


def open_ledger(
    url: str,
    clock: Callable[[], datetime],
    workspace: Path | None = None,
    *,
    reading: bool = False,
    records: bool = True,
) -> Ledger:
    """The ledger at a URL; with `reading` nothing can be written. `workspace` is the folder that has its caches.

    Who `records` learns at once where it cannot be written; for others it is opened for that when there is need.
    Raises: `NoLedgerError`, `FormatTooNewError`, `UnknownDatabaseError`, `StoreFault`.
    """

    def engine() -> Engine:
        from tradex_ledger.ledger.store import complete_store, open_engine

        opened = open_engine(url, reading=reading)
        if not reading:
            complete_store(opened)
        return opened

    if reading or not records:
        return Ledger(open_store(url, workspace), clock, engine, reading=reading)
    return ledger_in(engine(), clock, workspace)


def ledger_in(engine: Engine, clock: Callable[[], datetime], workspace: Path | None = None) -> Ledger:
    """The ledger in a database that is open for writing; what one of an older release lacks is made.

    Raises: `NoLedgerError`, `FormatTooNewError`, `StoreFault`.
    """
    from tradex_ledger.ledger.store import complete_store, database

    complete_store(engine)
    ledger = Ledger(database(engine, workspace), clock, lambda: engine)
    assert ledger.engine is engine  # it is open: whoever closes the ledger closes it
    return ledger
