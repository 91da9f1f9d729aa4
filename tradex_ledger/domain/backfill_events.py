"""The life of a backfill, event by event; `Backfill` decides, these only tell. No I/O here."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, ClassVar

from tradex_ledger.domain.base import CreatedEvent, Event
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.plan import Judged, Plan
from tradex_ledger.domain.request import RecordedRequest

if TYPE_CHECKING:
    from tradex_ledger.domain.backfill import Backfill


UNSIGNED: Facts = dict.fromkeys(("signature", "key", "nonce", "expires"))
"""What a decision says of its signature that has none."""


class Requested(CreatedEvent):
    """Somebody asked for history to be reprocessed, and said why (N5, N22)."""

    TOPIC: ClassVar[str] = "backfill.requested"
    kind: str
    dataset: str
    first: str
    last: str
    layers: list[str]
    mode: str
    override_state: bool
    state_use: str
    cursor: str | None
    reason: str
    ticket: str | None
    priority: str
    review: bool
    allow_overlap: list[str]
    group: str | None

    def apply(self, aggregate: Backfill) -> None:
        facts = {field.name: getattr(self, field.name) for field in fields(RecordedRequest)}
        aggregate.request = RecordedRequest.from_event(facts)
        aggregate.layers = list(self.layers)
        aggregate.requested_by = self.by
        aggregate.requested_at = self.timestamp.isoformat()


class Planned(Event):
    """The partitions to rebuild were worked out, from the events up to the base position (N9, N33)."""

    TOPIC: ClassVar[str] = "backfill.planned"
    class_version = 3
    base: int
    windows: list[Facts]
    definitions: dict[str, Facts]
    estimate: Facts
    policy_digest: str
    source: str | None
    state_read: str | None
    digest: str

    @staticmethod
    def upcast_v1_v2(data: Facts) -> None:
        data.update(source=None)

    @staticmethod
    def upcast_v2_v3(data: Facts) -> None:
        data.update(state_read=None)

    def apply(self, aggregate: Backfill) -> None:
        facts = {field.name: getattr(self, field.name) for field in fields(Plan)}
        aggregate.plan = Plan.from_event(facts)
        aggregate.windows = list(aggregate.plan.windows)
        aggregate.status = "PLANNED"


class Approved(Event):
    """A person (or a rule of the policy) allowed this very plan (N13), on what was known at position `seen`.

    `hold`: who allowed it wants to look once more before it is published. `comment` is what they said.
    """

    TOPIC: ClassVar[str] = "backfill.approved"
    class_version = 4
    plan_digest: str
    policy_digest: str | None
    rule: str | None
    judged: Facts | None
    seen: int | None
    checkpoint: str | None
    signature: str | None
    key: str | None
    nonce: str | None
    expires: str | None
    comment: str | None
    hold: bool

    @staticmethod
    def upcast_v1_v2(data: Facts) -> None:
        data |= {"policy_digest": None, "judged": None}

    @staticmethod
    def upcast_v2_v3(data: Facts) -> None:
        data |= UNSIGNED | {"seen": None, "checkpoint": None}

    @staticmethod
    def upcast_v3_v4(data: Facts) -> None:
        data |= {"comment": None, "hold": False}

    def apply(self, aggregate: Backfill) -> None:
        aggregate.status = "APPROVED"
        aggregate.approved_by = self.by
        aggregate.approved_rule = self.rule
        aggregate.approved_policy = self.policy_digest
        aggregate.approved_key = None if self.signature is None else self.key
        aggregate.is_to_be_held = self.hold
        aggregate.judged = None if self.judged is None else Judged.from_event(self.judged)
        aggregate.approved_at = self.timestamp.isoformat()


class Rejected(Event):
    """A person said no to this plan, on what was known at position `seen`."""

    TOPIC: ClassVar[str] = "backfill.rejected"
    class_version = 2
    plan_digest: str
    policy_digest: str | None
    reason: str
    seen: int | None
    checkpoint: str | None
    signature: str | None
    key: str | None
    nonce: str | None
    expires: str | None

    @staticmethod
    def upcast_v1_v2(data: Facts) -> None:
        data |= UNSIGNED | {"policy_digest": None, "seen": None, "checkpoint": None}

    def apply(self, aggregate: Backfill) -> None:
        aggregate.status = "REJECTED"


class Expired(Event):
    """Nobody approved the request in time; it can be made again, on today's knowledge."""

    TOPIC: ClassVar[str] = "backfill.expired"
    days: int

    def apply(self, aggregate: Backfill) -> None:
        aggregate.status = "EXPIRED"


class Paused(Event):
    """A person stopped the backfill between two windows; what was built stays."""

    TOPIC: ClassVar[str] = "backfill.paused"
    reason: str

    def apply(self, aggregate: Backfill) -> None:
        aggregate.status = "PAUSED"


class Resumed(Event):
    """A person let a paused backfill go on."""

    TOPIC: ClassVar[str] = "backfill.resumed"

    def apply(self, aggregate: Backfill) -> None:
        aggregate.status = "APPROVED"


class StateOverridden(Event):
    """A forced backfill moved the pipeline state, in the same save as PipelineState.Overridden (N13, N21)."""

    TOPIC: ClassVar[str] = "backfill.state_overridden"
    pipeline: str
    cursor_before: str | None
    cursor: str
    requested_by: str
    approved_by: str
    ticket: str
    plan_digest: str
    policy_digest: str
    host: str

    def apply(self, aggregate: Backfill) -> None:
        aggregate.overridden = True


class Completed(Event):
    """The backfill is done and published: its status is SUCCESS."""

    TOPIC: ClassVar[str] = "backfill.completed"
    totals: dict[str, int]

    def apply(self, aggregate: Backfill) -> None:
        aggregate.status = "SUCCESS"


class Failed(Event):
    """A drive ended with an error; nothing was published; it can be taken up again (N34)."""

    TOPIC: ClassVar[str] = "backfill.failed"
    errors: dict[str, int]
    reason: str

    def apply(self, aggregate: Backfill) -> None:
        aggregate.status = "FAILED"


class Cancelled(Event):
    """A person ended the backfill before it was published; its candidates will never be seen."""

    TOPIC: ClassVar[str] = "backfill.cancelled"
    reason: str

    def apply(self, aggregate: Backfill) -> None:
        aggregate.status = "CANCELLED"


class Reverted(Event):
    """What the backfill published is not current any more; earlier versions are. Bronze stays as it is (N6)."""

    TOPIC: ClassVar[str] = "backfill.reverted"
    reason: str
    datasets: list[str]

    def apply(self, aggregate: Backfill) -> None:
        aggregate.status = "REVERTED"
