"""What happens to the lake as a whole."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, ClassVar

from tradex_ledger.domain.base import CreatedEvent, Event
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.waiting import EpochPlan, MovePlan

if TYPE_CHECKING:
    from tradex_ledger.domain.lake import LakeLog

MOVED = "lake.ledger_moved"
"""Where it is the last event, the ledger goes on elsewhere."""


class Opened(CreatedEvent):
    """From here on it is told what was done to the lake as a whole."""

    TOPIC: ClassVar[str] = "lake.opened"
    position: int


class Collected(Event):
    """Files that no event names were given up: what crashes had left behind."""

    TOPIC: ClassVar[str] = "lake.collected"
    files: list[Facts]
    bytes: int
    reason: str


class EpochPlanned(Event):
    """A ledger that was put back from a copy is to go on, without what it had on record after that copy."""

    TOPIC: ClassVar[str] = "lake.epoch_planned"
    epoch: int
    base: int
    lost_epoch: int
    lost_position: int
    reason: str
    digest: str

    def apply(self, aggregate: LakeLog) -> None:
        aggregate.epoch_plan = EpochPlan(**{field.name: getattr(self, field.name) for field in fields(EpochPlan)})


class EpochBegun(Event):
    """Somebody else allowed that: what the lost head had on record is given up, and a new epoch begins."""

    TOPIC: ClassVar[str] = "lake.epoch_begun"
    epoch: int
    base: int
    lost_epoch: int
    lost_position: int
    reason: str
    digest: str
    planned_by: str

    def apply(self, aggregate: LakeLog) -> None:
        aggregate.epoch = self.epoch
        aggregate.epoch_plan = aggregate.move_plan = aggregate.moved_by = None


class LedgerMovePlanned(Event):
    """Somebody asks that the ledger goes on in another database, in a new epoch."""

    TOPIC: ClassVar[str] = "lake.ledger_move_planned"
    to: str
    epoch: int
    reason: str
    digest: str

    def apply(self, aggregate: LakeLog) -> None:
        aggregate.move_plan = MovePlan(self.to, self.epoch, self.reason, self.digest, self.by)


class LedgerMoved(Event):
    """Somebody else allowed that: the last event in this database. The next one, in the other, begins the epoch."""

    TOPIC: ClassVar[str] = MOVED
    to: str
    epoch: int
    reason: str
    digest: str
    planned_by: str

    def apply(self, aggregate: LakeLog) -> None:
        aggregate.moved_by = self.by
