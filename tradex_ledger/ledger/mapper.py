"""Domain events as the library's stored events, on their way in: see `event.py` for the way back.

What goes in is the canonical JSON of `by`, `data` and `v`; the store adds time, position and ledger and hashes the
whole.
"""

from __future__ import annotations

from typing import cast

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent

from tradex_ledger.domain.base import ENVELOPE, Event
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.ledger.event import event_of
from tradex_ledger.ledger.log import CanonicalEvent


class EntryMapper(Mapper[str]):
    """Domain events as entries."""

    def __init__(self) -> None:
        super().__init__(transcoder=JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """The event's facts as canonical JSON. Raises: `NotCanonicalError` for a fact that the ledger cannot hold."""
        event = cast(Event, domain_event)
        data = {**vars(event)}
        for name in ENVELOPE:
            data.pop(name, None)
        state = canonical({"by": event.by, "data": data, "v": getattr(event, "class_version", 1)})
        return CanonicalEvent(event.originator_id, event.originator_version, event.TOPIC, state)

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """The event that an entry is: see `event.event_of`."""
        stream, version = str(stored_event.originator_id), stored_event.originator_version
        return event_of(stored_event.state, stream, version, stored_event.topic)
