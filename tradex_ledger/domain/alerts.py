"""Which alerts were delivered: one stream, so that two senders cannot both say they did. No I/O here."""

from __future__ import annotations

from typing import ClassVar

from tradex_ledger.domain.base import Aggregate, CreatedEvent, Event

STREAM = "alerts"


class AlertLog(Aggregate):
    """The position up to which alerts were handed to all of their receivers, and to each of several."""

    TOPIC: ClassVar[str] = "alerts"

    def __init__(self) -> None:
        self.delivered_position: int = 0
        self.reached: dict[str, int] = {}

    class Opened(CreatedEvent):
        """Alerts are delivered from here on; what happened before is old news."""

        TOPIC: ClassVar[str] = "alerts.opened"
        position: int

        def apply(self, aggregate: AlertLog) -> None:
            aggregate.delivered_position = self.position

    class Delivered(Event):
        """The alert of the event at that position reached its receivers."""

        TOPIC: ClassVar[str] = "alerts.delivered"
        SUPERSEDES: ClassVar[bool] = True
        position: int
        receivers: int

        def apply(self, aggregate: AlertLog) -> None:
            aggregate.delivered_position = self.position

    class ReceiverReached(Event):
        """The alert of the event at that position reached one of several receivers."""

        TOPIC: ClassVar[str] = "alerts.receiver_reached"
        position: int
        receiver: str

        def apply(self, aggregate: AlertLog) -> None:
            aggregate.reached[self.receiver] = self.position

    @classmethod
    def open(cls, position: int, *, by: str) -> AlertLog:
        """Begin, after a position."""
        return cls._create(cls.Opened, id=STREAM, position=position, by=by)

    def has_reached(self, receiver: str, position: int) -> bool:
        """Whether a receiver was told of the event at that position."""
        return position <= max(self.delivered_position, self.reached.get(receiver, 0))

    def reach(self, receiver: str, position: int, *, by: str) -> None:
        """Record that one of several receivers was told, so that it is not told again while another is down."""
        if not self.has_reached(receiver, position):
            self.trigger_event(self.ReceiverReached, position=position, receiver=receiver, by=by)

    def deliver(self, position: int, *, receivers: int, by: str) -> None:
        """Record a delivery; alerts go out in the order of their events."""
        if position > self.delivered_position:
            self.trigger_event(self.Delivered, position=position, receivers=receivers, by=by)
