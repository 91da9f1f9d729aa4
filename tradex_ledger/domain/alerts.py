"""Which alerts were delivered: one stream, so that two senders cannot both say they did. No I/O here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tradex_ledger.domain.base import Aggregate, CreatedEvent, Event
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.reason import check_reason

STREAM = "alerts"


class AlertLog(Aggregate):
    """The position up to which alerts were handed to all of their receivers, and to each of several.

    What is told of one run is told in one message, so that some positions beyond that are told, too (`beyond`).
    """

    TOPIC: ClassVar[str] = "alerts"

    def __init__(self) -> None:
        self.delivered_position: int = 0
        self.beyond: list[int] = []
        self.reached: dict[str, int] = {}
        self.reached_beyond: dict[str, list[int]] = {}

    class Opened(CreatedEvent):
        """Alerts are delivered from here on; what happened before is old news."""

        TOPIC: ClassVar[str] = "alerts.opened"
        position: int

        def apply(self, aggregate: AlertLog) -> None:
            aggregate.delivered_position = self.position

    class Delivered(Event):
        """The alerts up to the event at that position, and some beyond it, reached their receivers."""

        TOPIC: ClassVar[str] = "alerts.delivered"
        SUPERSEDES: ClassVar[bool] = True
        class_version = 2
        position: int
        receivers: int
        beyond: list[int]

        @staticmethod
        def upcast_v1_v2(data: Facts) -> None:
            data |= {"beyond": []}

        def apply(self, aggregate: AlertLog) -> None:
            aggregate.delivered_position = self.position
            aggregate.beyond = list(self.beyond)

    class ReceiverReached(Event):
        """The alerts up to the event at that position, and some beyond it, reached one of several receivers."""

        TOPIC: ClassVar[str] = "alerts.receiver_reached"
        class_version = 2
        position: int
        receiver: str
        beyond: list[int]

        @staticmethod
        def upcast_v1_v2(data: Facts) -> None:
            data |= {"beyond": []}

        def apply(self, aggregate: AlertLog) -> None:
            aggregate.reached[self.receiver] = self.position
            aggregate.reached_beyond[self.receiver] = list(self.beyond)

    class Acknowledged(Event):
        """A person said that some alerts are known, and why: they are not sent any more. `until` is a time."""

        TOPIC: ClassVar[str] = "alerts.acknowledged"
        alerts: list[int]
        reason: str
        until: str | None

    @classmethod
    def open(cls, position: int, *, by: str) -> AlertLog:
        """Begin, after a position."""
        return cls._create(cls.Opened, id=STREAM, position=position, by=by)

    def has_reached(self, receiver: str, position: int) -> bool:
        """Whether a receiver was told of the event at that position."""
        by_all = position <= self.delivered_position or position in self.beyond
        return by_all or position <= self.reached.get(receiver, 0) or position in self.reached_beyond.get(receiver, ())

    def reach(self, receiver: str, position: int, *, by: str, beyond: Sequence[int] = ()) -> None:
        """Record that one of several receivers was told, so that it is not told again while another is down."""
        up_to = max(self.delivered_position, self.reached.get(receiver, 0))
        known = self.reached_beyond.get(receiver, [])
        if (told := _further((up_to, known), position, beyond)) is not None:
            self.trigger_event(self.ReceiverReached, position=told[0], receiver=receiver, beyond=told[1], by=by)

    def deliver(self, position: int, *, receivers: int, by: str, beyond: Sequence[int] = ()) -> None:
        """Record a delivery: of all up to a position, and of some beyond it."""
        if (told := _further((self.delivered_position, self.beyond), position, beyond)) is not None:
            self.trigger_event(self.Delivered, position=told[0], receivers=receivers, beyond=told[1], by=by)

    def acknowledge(self, alerts: Sequence[int], *, reason: str, until: str | None, by: str, policy: Policy) -> None:
        """Put on record that alerts, by the positions of their events, are known. It takes who may send them."""
        policy.check_may("deliver", by)
        self.trigger_event(self.Acknowledged, alerts=sorted({*alerts}), reason=check_reason(reason), until=until, by=by)


def _further(known: tuple[int, list[int]], position: int, beyond: Sequence[int]) -> tuple[int, list[int]] | None:
    """How far something was told, where that is further than it was known to be."""
    up_to = max(known[0], position)
    told = (up_to, sorted(one for one in {*known[1], *beyond} if one > up_to))
    return None if told == known else told
