"""What every aggregate and every event here has in common.

A public method of an aggregate *decides*: it checks and raises. An event's `apply` only *assigns*: it is run
again at each replay. The domain has no clock: an event's time is `at`, given by the store when it is
appended; until then an event carries `UNSAVED`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from eventsourcing.domain import (
    BaseAggregate,
    CanInitAggregate,
    CanMutateAggregate,
    MetaDomainEvent,
)

from tradex_ledger.errors import RefusedError

UNSAVED = datetime(1, 1, 1, tzinfo=UTC)
"""The time of an event that no store has dated yet."""

EVENTS: dict[str, type[Event]] = {}
"""Every event there is, by its topic. A topic in a ledger is looked up here and nowhere else: it is data, and must
never make the program import a module (as the library's `resolve_topic` does)."""


class Event(CanMutateAggregate[str], metaclass=MetaDomainEvent):
    """Something that happened: who did it (`by`), to which stream, and its own facts."""

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        topic = getattr(cls, "TOPIC", "")
        if "." in topic:
            EVENTS[topic] = cls  # an aggregate derives its nested events once more: the last one is in use

    TOPIC: ClassVar[str]
    SUPERSEDES: ClassVar[bool] = False
    """Whether the newest event of the topic assigns all that the earlier ones of it did in its stream."""
    originator_id: str
    originator_version: int
    timestamp: datetime
    by: str

    @classmethod
    def changes_state(cls) -> bool:
        """Whether it assigns anything; one that does not is a lock, or only told."""
        return cls.apply is not CanMutateAggregate.apply

    @staticmethod
    def create_timestamp() -> datetime:
        return UNSAVED


class CreatedEvent(Event, CanInitAggregate[str]):
    """The first event of a stream."""

    originator_topic: str


class Aggregate(BaseAggregate[str]):
    """A stream with rules. Its public attributes are plain JSON values."""

    Event = Event


class WrongStateError(RefusedError):
    """The run is not in a state in which that can be done."""

    code = "wrong-state"

    def __init__(self, run_id: str, status: str, action: str, mend: str = "") -> None:
        super().__init__(
            f"{run_id} is {status}: it cannot be {action}",
            mend=mend or f"see what happened to it: tradex audit history {run_id}",
        )
