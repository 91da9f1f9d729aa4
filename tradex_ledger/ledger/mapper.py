"""Between domain events and the bytes that are stored.

What goes in is the canonical JSON of `by`, `data` and `v`; the store adds time, position and ledger and hashes the
whole. What comes back is that whole entry. Events of an older `v` are upcast; a newer one is refused by name.
"""

from __future__ import annotations

from typing import Any, cast

import orjson
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import EventStore, JSONTranscoder, Mapper, StoredEvent
from eventsourcing.utils import get_topic

from tradex_ledger.domain.base import EVENTS, SNAPSHOT_TOPIC, UNSAVED, CreatedEvent, Event, Snapshot
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.ledger.entry import canonical, parse_time
from tradex_ledger.ledger.log import CanonicalEvent

SNAPSHOT_FORMAT = 4  # counts up whenever an aggregate's attributes change
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
        cls = type(domain_event)
        facts = vars(domain_event)
        data = {name: value for name, value in facts.items() if name not in _ENVELOPE}
        version = getattr(cls, "class_version", 1)
        return CanonicalEvent(
            originator_id=facts["originator_id"],
            originator_version=facts["originator_version"],
            topic=get_topic(cls),
            state=canonical({"by": facts["by"], "data": data, "v": version}),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        entry = orjson.loads(stored_event.state)
        cls = EVENTS.get(stored_event.topic)
        if cls is None:
            raise UnknownEventError(stored_event.topic, entry["v"])
        facts = _upcast(cls, entry["v"], entry["data"], stored_event.topic)
        facts.update(
            originator_id=stored_event.originator_id,
            originator_version=stored_event.originator_version,
            timestamp=parse_time(entry["at"]),
            by=entry["by"],
        )
        if issubclass(cls, CreatedEvent):
            facts["originator_topic"] = stored_event.topic.partition(".")[0]
        event = object.__new__(cls)
        object.__setattr__(event, "__dict__", facts)
        return cast(DomainEventProtocol[str], event)


def _upcast(cls: type[Event], version: int, data: dict[str, Any], topic: str) -> dict[str, Any]:
    """Bring an event's data to the newest version, step by step (`upcast_vN_vM` on the event class)."""
    newest = getattr(cls, "class_version", 1)
    if version > newest:
        raise UnknownEventError(topic, version)
    for step in range(version, newest):
        getattr(cls, f"upcast_v{step}_v{step + 1}")(data)
    return data


class SnapshotMapper(Mapper[str]):
    """Snapshots as JSON; one of another format is passed over, since it can be taken anew."""

    def __init__(self) -> None:
        super().__init__(transcoder=JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        snapshot = cast(Snapshot, domain_event)
        state = {"format": SNAPSHOT_FORMAT, "state": snapshot.state, "topic": snapshot.topic}
        return StoredEvent(
            originator_id=snapshot.originator_id,
            originator_version=snapshot.originator_version,
            topic=SNAPSHOT_TOPIC,
            state=orjson.dumps(state, option=orjson.OPT_SORT_KEYS),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        kept = orjson.loads(stored_event.state)
        return cast(
            DomainEventProtocol[str],
            Snapshot(  # type: ignore[call-arg]
                originator_id=str(stored_event.originator_id),
                originator_version=stored_event.originator_version,
                timestamp=UNSAVED,
                topic=kept["topic"],
                state=kept["state"],
            ),
        )


class SnapshotStore(EventStore[str]):
    """The snapshots of the format that this version writes."""

    def get(self, originator_id: str, **kwargs: Any) -> Any:
        stored = self.recorder.select_events(originator_id, **kwargs)
        usable = (s for s in stored if orjson.loads(s.state).get("format") == SNAPSHOT_FORMAT)
        return map(self.mapper.to_domain_event, usable)
