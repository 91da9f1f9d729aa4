"""*Given events, when command, then events or refused*: how the rules of an aggregate are told.

    given(Backfill, requested(), planned()).when(lambda b: b.approve(DIGEST, by="ben")).then(approved())
    given(Backfill, requested()).when(lambda b: b.approve(DIGEST, by="ben")).refused(WrongStateError)

Given events go through the bytes that the ledger would store, so a story is also a replay.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import pytest
from eventsourcing.persistence import EventStore, StoredEvent
from sqlalchemy import Engine

from tradex_ledger.clock import utc_now
from tradex_ledger.domain.base import ENVELOPE, Aggregate, CreatedEvent, Event
from tradex_ledger.errors import TradexError
from tradex_ledger.ledger.entry import state_of
from tradex_ledger.ledger.log import rows_of
from tradex_ledger.ledger.mapper import EntryMapper
from tradex_ledger.ledger.recorder import Recorder

A = TypeVar("A", bound=Aggregate)
AT = "2026-01-10T12:00:00.000000Z"


@dataclass(frozen=True)
class Fact:
    """An event without its place in a stream: what happened, and who did it."""

    kind: type[Event]
    by: str
    data: dict[str, Any] = field(default_factory=dict)


def fact_of(event: Any) -> Fact:
    """What an event says, apart from its place in the stream."""
    data = {name: value for name, value in vars(event).items() if name not in ENVELOPE}
    return Fact(type(event), event.by, data)


def stored(stream: str, version: int, fact: Fact) -> StoredEvent:
    """The event as a ledger hands it back."""
    made: dict[str, Any] = dict(
        originator_id=stream, originator_version=version, timestamp=None, by=fact.by, **fact.data
    )
    if issubclass(fact.kind, CreatedEvent):
        made["originator_topic"] = fact.kind.TOPIC.partition(".")[0]
    written = EntryMapper().to_stored_event(fact.kind(**made))
    (row,) = rows_of("test", version, AT, [written])
    return StoredEvent(stream, version, written.topic, state_of(row[-1].encode()))


def replay(stream: str, facts: tuple[Fact, ...]) -> Any:
    """The aggregate that the facts lead to."""
    aggregate: Any = None
    for version, fact in enumerate(facts, start=1):
        event: Any = EntryMapper().to_domain_event(stored(stream, version, fact))
        aggregate = event.mutate(aggregate)
    return aggregate


def whole(engine: Engine, stream: str) -> Any:
    """The aggregate that all the events of a stream in a ledger lead to, replayed by the library's own means."""
    aggregate: Any = None
    for event in EventStore(EntryMapper(), Recorder(engine, utc_now)).get(stream):
        aggregate = cast(Event, event).mutate(aggregate)
    return aggregate


def state(aggregate: Aggregate) -> dict[str, Any]:
    """What events have assigned to an aggregate."""
    return {name: copy.deepcopy(value) for name, value in vars(aggregate).items() if not name.startswith("_")}


def undated(aggregate: Aggregate) -> dict[str, Any]:
    """The same without times: the store gives them, so what was not saved yet has none."""
    return {name: value for name, value in state(aggregate).items() if not name.endswith("_at")}


@dataclass
class Story(Generic[A]):
    """An aggregate with a past; a command can be put to it, once."""

    stream: str
    past: tuple[Fact, ...]
    aggregate: Any
    command: Callable[[Any], object] | None = None

    def when(self, command: Callable[[A], object]) -> Story[A]:
        self.command = command
        return self

    def then(self, *facts: Fact) -> A:
        """The command led to exactly these events; replaying them gives the aggregate that the command left."""
        assert self.command is not None
        returned = self.command(self.aggregate)
        aggregate = self.aggregate if self.past else returned
        assert isinstance(aggregate, Aggregate)
        assert [fact_of(event) for event in aggregate.collect_events()] == list(facts)
        assert undated(replay(aggregate.id, (*self.past, *facts))) == undated(aggregate)
        return aggregate  # type: ignore[return-value]  # A is the class of the stream that was given

    def refused(self, error: type[Exception], match: str | None = None) -> Any:
        """The command raised that error, and left neither an event nor a trace. Returns the error."""
        assert self.command is not None
        before = state(self.aggregate) if self.past else None
        with pytest.raises(error, match=match) as caught:
            self.command(self.aggregate)
        assert type(caught.value) is error
        if before is not None:
            assert list(self.aggregate.collect_events()) == []
            assert state(self.aggregate) == before
        if isinstance(caught.value, TradexError):
            assert caught.value.message
            assert caught.value.code not in ("", "error")
        return caught.value


def given(cls: type[A], *facts: Fact, stream: str = "bf-1") -> Story[A]:
    """A past. Without events there is no aggregate yet: the command is given None, and makes one."""
    aggregate = replay(stream, facts)
    assert aggregate is None or isinstance(aggregate, cls)
    return Story(stream, facts, aggregate)
