"""Domain events as the library's stored events, on their way in: see `event.py` for the way back.

What goes in is the event itself: only the store knows time and position, so it is there that the entry is made.
"""

from __future__ import annotations

from typing import cast

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent

from tradex_ledger.domain.base import Event
from tradex_ledger.ledger.event import event_of
from tradex_ledger.ledger.log import Happened


class EntryMapper(Mapper[str]):
    """Domain events as entries."""

    def __init__(self) -> None:
        super().__init__(transcoder=JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """The event as it is: the recorder writes it down, once."""
        return Happened(cast(Event, domain_event))

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """The event that an entry is: see `event.event_of`."""
        stream, version = str(stored_event.originator_id), stored_event.originator_version
        return event_of(stored_event.state, stream, version, stored_event.topic)
