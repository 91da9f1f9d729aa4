"""What every aggregate and every event here has in common.

A public method of an aggregate *decides*: it checks and raises. An event's `apply` only *assigns*: it is run
again at each replay. The domain has no clock: an event's time is `at`, given by the store when it is
appended; until then an event carries `UNSAVED`.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from datetime import UTC, datetime
from typing import Any, ClassVar, Never, Self

from tradex_ledger.domain.facts import Facts
from tradex_ledger.errors import RefusedError

UNSAVED = datetime(1, 1, 1, tzinfo=UTC)
"""The time of an event that no store has dated yet."""

EVENTS: dict[str, type[Event]] = {}
"""Every event there is, by its topic. A topic in a ledger is looked up here and nowhere else: it is data, and must
never make the program import a module (as the library's `resolve_topic` does)."""

AGGREGATES: dict[str, type[Aggregate]] = {}
"""Every kind of stream there is, by the word that its topics begin with."""

ENVELOPE = ("originator_id", "originator_version", "originator_topic", "timestamp", "by")
"""What every event has beside its own facts."""


class Event:
    """Something that happened: who did it (`by`), to which stream, and its own facts. It never changes."""

    def __init_subclass__(cls) -> None:
        said = {name: kind for base in cls.__mro__ for name, kind in vars(base).get("__annotations__", {}).items()}
        cls.NAMES = frozenset(name for name, kind in said.items() if "ClassVar" not in str(kind))
        cls.FACTS = cls.NAMES.difference(ENVELOPE)
        if "." in getattr(cls, "TOPIC", ""):
            EVENTS[cls.TOPIC] = cls

    TOPIC: ClassVar[str]
    class_version: ClassVar[int] = 1
    """How often, from 1, what an event of the topic says has changed: older ones are upcast."""
    SUPERSEDES: ClassVar[bool] = False
    """Whether the newest event of the topic assigns all that the earlier ones of it did in its stream."""
    NAMES: ClassVar[frozenset[str]]
    """All that an event of the class is made of, and"""
    FACTS: ClassVar[frozenset[str]]
    """what of it is its own."""
    originator_id: str
    originator_version: int
    timestamp: datetime
    by: str

    def __init__(self, **facts: Any) -> None:
        """An event of these facts. Raises `TypeError` unless they are just those that its class declares."""
        if facts.keys() != self.NAMES:
            raise TypeError(f"{type(self).__name__} lacks, or has too many: {sorted(facts.keys() ^ self.NAMES)}")
        vars(self).update(facts)

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"{type(self).__name__}.{name} is what happened, and does not change")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def own_facts(self) -> Facts:
        """What it says beside the envelope, by name: a new dictionary of the very values."""
        own = vars(self).copy()
        for name in ENVELOPE:
            own.pop(name, None)
        return own

    @classmethod
    def changes_state(cls) -> bool:
        """Whether it assigns anything; one that does not is a lock, or only told."""
        return cls.apply is not Event.apply

    def apply(self, aggregate: Any) -> None:
        """Assign what follows from it to its stream: nothing, unless a class says otherwise."""

    def mutate(self, aggregate: Aggregate | None) -> Aggregate:
        """The stream with this event, which follows on those before. Raises `ValueError`."""
        if aggregate is None or (self.originator_id, self.originator_version) != (aggregate.id, aggregate.version + 1):
            raise ValueError(f"{self!r} does not follow on {aggregate!r}")
        self.apply(aggregate)
        aggregate.version = self.originator_version
        return aggregate


class CreatedEvent(Event):
    """The first event of a stream."""

    originator_topic: str

    def mutate(self, aggregate: Aggregate | None) -> Aggregate:
        """The stream that begins with this event. Raises `ValueError` where one has begun."""
        if aggregate is not None:
            raise ValueError(f"{self!r} begins a stream that has begun")
        begun = AGGREGATES[self.originator_topic].begun(self.originator_id, self.originator_version)
        self.apply(begun)
        return begun


class Aggregate:
    """A stream with rules. Its public attributes are plain values, which events assign.

    It has what the `eventsourcing` library asks of an aggregate (`id`, `version`, `collect_events`), and loads nothing
    of it: who only reads does not pay for what saves.
    """

    TOPIC: ClassVar[str]
    _id: str
    _version: int
    _pending: list[Event]

    def __init_subclass__(cls) -> None:
        if "TOPIC" in vars(cls):
            AGGREGATES[cls.TOPIC] = cls

    @classmethod
    def begun(cls, stream: str, version: int) -> Self:
        """A stream of which nothing is known yet but its name."""
        made = cls()
        made._id, made.version, made._pending = stream, version, []
        return made

    @classmethod
    def _create(cls, event: type[CreatedEvent], *, id: str, **facts: Any) -> Self:
        first = event(originator_id=id, originator_version=1, originator_topic=cls.TOPIC, timestamp=UNSAVED, **facts)
        begun = first.mutate(None)
        assert isinstance(begun, cls)
        begun._pending.append(first)
        return begun

    @property
    def id(self) -> str:
        """The stream's name."""
        return self._id

    @property
    def version(self) -> int:
        """The version of its newest event."""
        return self._version

    @version.setter
    def version(self, version: int) -> None:
        self._version = version

    @property
    def pending_events(self) -> Sequence[Event]:
        """What was decided, and is not saved yet."""
        return self._pending

    def trigger_event(self, event: type[Event], **facts: Any) -> None:
        """What a command has decided happens: it is assigned, and waits to be saved."""
        happened = event(originator_id=self.id, originator_version=self.version + 1, timestamp=UNSAVED, **facts)
        happened.mutate(self)
        self._pending.append(happened)

    def for_trial(self) -> Self:
        """Another of the same, to try a decision on that assigns plain values; nothing of that is saved."""
        other = copy(self)
        other._pending = []
        return other

    def collect_events(self) -> Sequence[Event]:
        """What is pending, and is not any more: whoever takes it saves it."""
        taken, self._pending = self._pending, []
        return taken


class WrongStateError(RefusedError):
    """The run is not in a state in which that can be done."""

    code = "wrong-state"

    def __init__(self, run_id: str, status: str, action: str, mend: str = "") -> None:
        super().__init__(
            f"{run_id} is {status}: it cannot be {action}",
            mend=mend or f"see what happened to it: tradex audit history {run_id}",
        )
