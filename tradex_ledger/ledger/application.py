"""The ledger as an application: load aggregates, save their events, all of a save or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from eventsourcing.application import Application
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    IntegrityError,
    Mapper,
    ProcessRecorder,
)
from sqlalchemy import Engine

from tradex_ledger.domain.alerts import AlertLog
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.base import Aggregate
from tradex_ledger.domain.clocks import ClockNote
from tradex_ledger.domain.dataset import Dataset
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.lake import LakeLog
from tradex_ledger.domain.pipeline_state import PipelineState
from tradex_ledger.domain.policy_record import PolicyRecord
from tradex_ledger.domain.source import Look
from tradex_ledger.errors import ConflictError
from tradex_ledger.ledger.ask import of_stream
from tradex_ledger.ledger.loading import load
from tradex_ledger.ledger.mapper import EntryMapper
from tradex_ledger.ledger.named import RUNS, NoSuchStreamError, find_run
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.select import read
from tradex_ledger.ledger.store import complete_store, database, only_reads

A = TypeVar("A", bound=Aggregate)

KINDS: tuple[type[Aggregate], ...] = (
    Backfill, IncrementalRun, Dataset, PipelineState, AlertLog, Look, PolicyRecord, ClockNote, LakeLog,
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


class _Factory(InfrastructureFactory):
    """Hands the library our recorders; the library's own factories know nothing of them."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__({})
        self._recorder = recorder

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        del purpose
        return self._recorder

    def application_recorder(self) -> ApplicationRecorder:
        return self._recorder

    def tracking_recorder(self, tracking_recorder_class: Any = None) -> Any:
        del tracking_recorder_class
        return self._recorder

    def process_recorder(self) -> ProcessRecorder:
        return self._recorder

    def is_snapshotting_enabled(self) -> bool:
        return False  # an aggregate is what its events say; nothing else is asked (`loading`)


class Ledger(Application[str]):
    """All streams of one workspace, whose folder has its caches; `store` is what it is read by."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime], workspace: Path | None = None) -> None:
        self.engine = engine
        self.clock = clock
        if not only_reads(engine):
            complete_store(engine)
        super().__init__()
        self.store = database(engine, workspace)

    def construct_factory(self, env: Any) -> InfrastructureFactory:
        del env
        return _Factory(Recorder(self.engine, self.clock))

    def construct_mapper(self) -> Mapper[str]:
        return EntryMapper()

    def get(self, cls: type[A], stream: str, noun: str = "run") -> A:
        """Load an aggregate. Raises `NoSuchStreamError` when there is none, or one of another class;
        `BrokenLedgerError` when the events of the stream are not sound.
        """
        found = load(self.store, self.mapper, stream)
        if not isinstance(found, cls):
            raise NoSuchStreamError(stream, noun)
        return found

    def append(self, *aggregates: Aggregate, unmoved: Iterable[Aggregate] = ()) -> int:
        """Save the pending events of all the aggregates at once. Returns the position after the save.

        `unmoved` are others that the decision stands on: they get no event.

        Raises: `WriterConflictError`, with nothing stored, when any of the streams has moved.
        """
        read = {a.id: a.version for a in unmoved}
        streams = [*(a.id for a in aggregates), *read]
        try:
            recordings = self.save(*aggregates, unmoved=read)
        except IntegrityError:
            raise WriterConflictError(streams) from None
        return recordings[-1].notification.id if recordings else self.position()

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

    def streams_of(self, *first_topics: str) -> list[str]:
        """The streams that begin with one of these topics, oldest first."""
        return [str(stream) for (stream,) in self.store.select(read("streams_begun"), topics=first_topics)]

    def find_run(self, prefix: str, *, kinds: tuple[str, ...] = RUNS) -> str:
        """The run that a prefix names: see `named.find_run`."""
        return find_run(self.store, prefix, kinds=kinds)
