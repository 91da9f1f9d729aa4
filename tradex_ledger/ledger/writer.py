"""What saves events: the library's application, on our recorder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from eventsourcing.application import Application
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    Mapper,
    ProcessRecorder,
)
from sqlalchemy import Engine

from tradex_ledger.ledger.mapper import EntryMapper
from tradex_ledger.ledger.recorder import Recorder


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


class Writer(Application[str]):
    """Saves the pending events of aggregates in an engine's database."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._made = Recorder(engine, clock)
        super().__init__()

    def construct_factory(self, env: Any) -> InfrastructureFactory:
        del env
        return _Factory(self._made)

    def construct_mapper(self) -> Mapper[str]:
        return EntryMapper()
