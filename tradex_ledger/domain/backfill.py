"""A backfill: an explicit run over existing history (N1). No I/O here, no clock: days come in as values."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from tradex_ledger.domain.base import CreatedEvent, Event, WrongStateError
from tradex_ledger.domain.plan import Estimate, Plan, Window, plan_digest
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.run import LAYERS, Run
from tradex_ledger.errors import RefusedError, UsageError

KINDS = ("temporal", "dataset", "logical", "forced")
PRIORITIES = ("low", "normal", "high", "urgent")
REQUEST_FIELDS = (
    "kind",
    "dataset",
    "first",
    "last",
    "layers",
    "mode",
    "override_state",
    "state_use",
    "cursor",
    "reason",
    "ticket",
    "priority",
    "review",
    "allow_overlap",
    "group",
)


class RangeError(UsageError):
    """The range of days cannot be backfilled."""

    code = "range"


class StateOverrideRefusedError(RefusedError):
    """The state is protected: only a forced backfill may override it (N8, N13, N20, N21)."""

    code = "state-protected"

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"a {kind} backfill cannot override the pipeline state",
            mend="declare --no-override-state; only a forced backfill may move the state",
        )


class PlanMismatchError(RefusedError):
    """An approval is bound to one plan."""

    code = "plan-mismatch"

    def __init__(self, run_id: str, known: str | None, given: str) -> None:
        super().__init__(
            f"{run_id} has the plan {(known or 'none')[:12]}, not {given[:12]}",
            mend=f"look at the plan as it is now: tradex backfill show {run_id}",
        )


def check_range(first: date, last: date, *, today: date) -> None:
    """Raise `RangeError` unless first..last (both included) is a range of past days. `today` is UTC."""
    if last < first:
        raise RangeError(
            f"the range {first}..{last} is reversed: it ends before it starts",
            mend=f"did you mean --from {last} --to {first}?",
        )
    if last > today:
        raise RangeError(
            f"the range {first}..{last} reaches into the future: today is {today} (UTC)",
            mend=f"end it on a past day, for example --to {today}",
        )


class Backfill(Run):
    """The life cycle: requested, planned, approved or rejected, driven, then completed, failed or cancelled."""

    TOPIC: ClassVar[str] = "backfill"

    def __init__(self) -> None:
        super().__init__()
        self.request: dict[str, Any] = {}
        self.plan: Plan | None = None
        self.requested_by: str = ""

    # -- events

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
            aggregate.request = {name: getattr(self, name) for name in REQUEST_FIELDS}
            aggregate.layers = list(self.layers)
            aggregate.requested_by = self.by

    class Planned(Event):
        """The partitions to rebuild were worked out, from the events up to the base position (N9, N33)."""

        TOPIC: ClassVar[str] = "backfill.planned"
        base: int
        windows: list[Window]
        definitions: dict[str, dict[str, Any]]
        estimate: Estimate
        policy_digest: str
        digest: str

        def apply(self, aggregate: Backfill) -> None:
            aggregate.plan = {
                "base": self.base,
                "windows": self.windows,
                "definitions": self.definitions,
                "estimate": self.estimate,
                "policy_digest": self.policy_digest,
                "digest": self.digest,
            }
            aggregate.windows = list(self.windows)
            aggregate.status = "PLANNED"

    class Approved(Event):
        """A person (or a rule of the policy) allowed this very plan (N13)."""

        TOPIC: ClassVar[str] = "backfill.approved"
        plan_digest: str
        rule: str | None
        signature: str | None
        checkpoint: str | None

        def apply(self, aggregate: Backfill) -> None:
            aggregate.status = "APPROVED"

    class Rejected(Event):
        """A person said no to this plan."""

        TOPIC: ClassVar[str] = "backfill.rejected"
        plan_digest: str
        reason: str
        signature: str | None
        checkpoint: str | None

        def apply(self, aggregate: Backfill) -> None:
            aggregate.status = "REJECTED"

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

    # -- commands

    @classmethod
    def submit(  # noqa: PLR0913 — a request declares everything about itself, by name
        cls,
        run_id: str,
        *,
        kind: str,
        dataset: str,
        first: date,
        last: date,
        layers: list[str],
        override_state: bool,
        reason: str,
        today: date,
        by: str,
        ticket: str | None = None,
        priority: str = "low",
    ) -> Backfill:
        """Request a backfill. `override_state` has no default on purpose (N22).

        Raises: `RangeError`, `PlaceholderReasonError`, `StateOverrideRefusedError`, `UsageError`.
        """
        if kind != "temporal":
            raise UsageError(
                f"{kind!r} is no kind of backfill that can be requested", mend="request a temporal backfill"
            )
        if override_state:
            raise StateOverrideRefusedError(kind)
        if priority not in PRIORITIES:
            raise UsageError(f"unknown priority {priority!r}", mend=f"one of {', '.join(PRIORITIES)}")
        check_range(first, last, today=today)
        return cls._create(
            cls.Requested,
            id=run_id,
            kind=kind,
            dataset=dataset,
            first=first.isoformat(),
            last=last.isoformat(),
            layers=[layer for layer in LAYERS if layer in layers],
            mode="backfill",
            override_state=override_state,
            state_use="ignore",
            cursor=None,
            reason=check_reason(reason),
            ticket=ticket,
            priority=priority,
            review=False,
            allow_overlap=[],
            group=None,
            by=by,
        )

    def record_plan(self, plan: Plan, *, by: str) -> None:
        """Bind the request to a plan, once."""
        if self.status != "REQUESTED":
            raise WrongStateError(self.id, self.status, "planned")
        if not plan["windows"]:
            raise RangeError("there is nothing to rebuild in that range")
        if plan["digest"] != (own := plan_digest(self.request, dict(plan))):
            raise PlanMismatchError(self.id, own, plan["digest"])
        self.trigger_event(self.Planned, **plan, by=by)

    def approve(self, plan_digest: str, *, by: str, rule: str | None = None) -> None:
        """Allow the plan with that digest, and no other."""
        self._check_planned("approved", plan_digest)
        self.trigger_event(self.Approved, plan_digest=plan_digest, rule=rule, signature=None, checkpoint=None, by=by)

    def reject(self, *, reason: str, by: str) -> None:
        """Say no; the request stays on record."""
        digest = self.plan["digest"] if self.plan else ""
        self._check_planned("rejected", digest)
        facts = {"plan_digest": digest, "reason": check_reason(reason), "signature": None, "checkpoint": None}
        self.trigger_event(self.Rejected, **facts, by=by)

    def _check_planned(self, action: str, plan_digest: str) -> None:
        if self.status != "PLANNED" or self.plan is None:
            raise WrongStateError(self.id, self.status, action)
        if plan_digest != self.plan["digest"]:
            raise PlanMismatchError(self.id, self.plan["digest"], plan_digest)

    def check_startable(self) -> None:
        """Approved, or taken up again after a crash or a failure."""
        if self.status not in ("APPROVED", "RUNNING", "FAILED"):
            mend = f"approve it first: tradex backfill approve {self.id}" if self.status == "PLANNED" else ""
            raise WrongStateError(self.id, self.status, "driven", mend)

    def complete(self, *, by: str) -> None:
        """Close after publication, in the same save."""
        self.check_running("completed")
        if not self.published:
            raise WrongStateError(self.id, "unpublished", "completed")
        self.trigger_event(self.Completed, totals=self.closing_totals(), by=by)

    def fail(self, *, reason: str, by: str) -> None:
        """Close a drive that ended with an error."""
        self.check_running("failed")
        self.trigger_event(self.Failed, errors=dict(self.errors), reason=reason, by=by)

    def cancel(self, *, reason: str, by: str) -> None:
        """End it before publication; a driver that is still at work is fenced off by this event."""
        if self.status not in ("PLANNED", "APPROVED", "RUNNING", "FAILED"):
            raise WrongStateError(self.id, self.status, "cancelled")
        self.trigger_event(self.Cancelled, reason=check_reason(reason), by=by)
