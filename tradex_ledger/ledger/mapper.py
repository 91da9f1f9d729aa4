"""Between domain events and the bytes that are stored.

What goes in is the canonical JSON of `by`, `data` and `v`; the store adds time, position and ledger and hashes the
whole. What comes back is that whole entry. Events of an older `v` are upcast; a newer one is refused by name.
"""

from __future__ import annotations

from functools import cache
from typing import cast

import orjson
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent
from eventsourcing.utils import get_topic

from tradex_ledger.domain.base import EVENTS, CreatedEvent, Event
from tradex_ledger.domain.facts import Facts
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.ledger.entry import Entry, canonical, parse_time
from tradex_ledger.ledger.log import CanonicalEvent
from tradex_ledger.ledger.rows import BrokenRowError, position_in

_ENVELOPE = ("originator_id", "originator_version", "originator_topic", "timestamp", "by")


class UnknownEventError(EnvironmentFault):
    """The ledger holds an event that this version of the program does not know."""

    code = "unknown-event"

    def __init__(self, topic: str, version: int) -> None:
        super().__init__(
            f"the ledger holds an event {topic} v{version} that this tradex-ledger does not know",
            mend="install the version of tradex-ledger that wrote it, or a newer one",
        )


class EntryMapper(Mapper[str]):
    """Domain events as entries."""

    def __init__(self) -> None:
        super().__init__(transcoder=JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """The event's facts as canonical JSON. Raises: `NotCanonicalError` for a fact that the ledger cannot hold."""
        event = cast(Event, domain_event)
        cls = type(event)
        data = {name: value for name, value in vars(event).items() if name not in _ENVELOPE}
        version = getattr(cls, "class_version", 1)
        return CanonicalEvent(
            originator_id=event.originator_id,
            originator_version=event.originator_version,
            topic=get_topic(cls),
            state=canonical({"by": event.by, "data": data, "v": version}),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """The event that an entry is, upcast to today's version.

        Raises: `UnknownEventError` for one of a newer program; `BrokenRowError` for an entry that is not written as
        entries are, or has other facts than its class.
        """
        entry = _entry_of(stored_event)
        cls = EVENTS.get(stored_event.topic)
        if cls is None:
            raise UnknownEventError(stored_event.topic, entry.v)
        facts = _upcast(cls, entry.v, entry.data, stored_event.topic)
        if facts.keys() != fields(cls):
            other = sorted(facts.keys() ^ fields(cls))
            raise BrokenRowError(entry.position, f"{stored_event.topic} lacks, or has too many: {', '.join(other)}")
        facts.update(
            originator_id=stored_event.originator_id,
            originator_version=stored_event.originator_version,
            timestamp=parse_time(entry.at),
            by=entry.by,
        )
        if issubclass(cls, CreatedEvent):
            facts.update(originator_topic=stored_event.topic.partition(".")[0])
        event = object.__new__(cls)
        object.__setattr__(event, "__dict__", facts)
        return cast(DomainEventProtocol[str], event)


def _entry_of(stored: StoredEvent) -> Entry:
    """What an entry says, when it is written as entries are: otherwise two readers could read it in two ways."""
    try:
        said = orjson.loads(stored.state)
        entry = Entry(**said)
        if orjson.dumps(said, option=orjson.OPT_SORT_KEYS) == stored.state and type(entry.data) is dict:
            return entry
    except (orjson.JSONDecodeError, TypeError):
        pass
    raise BrokenRowError(
        position_in(stored.state.decode(errors="replace")), "its entry is not in the form that entries are written in"
    )


@cache
def fields(cls: type[Event]) -> frozenset[str]:
    """The names of an event's own facts."""
    said = {name: kind for base in cls.__mro__ for name, kind in vars(base).get("__annotations__", {}).items()}
    return frozenset(n for n, kind in said.items() if "ClassVar" not in str(kind) and n not in _ENVELOPE)


def _upcast(cls: type[Event], version: int, data: Facts, topic: str) -> Facts:
    """Bring an event's data to the newest version, step by step (`upcast_vN_vM` on the event class)."""
    newest = getattr(cls, "class_version", 1)
    if version > newest:
        raise UnknownEventError(topic, version)
    for step in range(version, newest):
        getattr(cls, f"upcast_v{step}_v{step + 1}")(data)
    return data
