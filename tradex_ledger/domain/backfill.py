"""A backfill: an explicit run over existing history (N1). No I/O here, no clock: days and times come in as values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from tradex_ledger.domain import backfill_errors as errors
from tradex_ledger.domain import backfill_events as events
from tradex_ledger.domain.base import WrongStateError
from tradex_ledger.domain.by_rule import NOTHING, Beyond, beyond_plan, outgrown
from tradex_ledger.domain.day import Day
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.instead import wrong_state
from tradex_ledger.domain.life import ACTIVE, DRIVABLE
from tradex_ledger.domain.person import person
from tradex_ledger.domain.pipeline_state import PipelineState
from tradex_ledger.domain.plan import Judged, Plan, count_partitions, judged_of
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.remark import NO_REMARK, Remark
from tradex_ledger.domain.request import RangeError, RecordedRequest, Request, recorded
from tradex_ledger.domain.run import Run
from tradex_ledger.domain.signed import Decided, decided_on, decision_facts
from tradex_ledger.domain.signing import APPROVE, NO_KNOWLEDGE, REJECT, Basis, Signature
from tradex_ledger.errors import RefusedError


class Backfill(Run):
    """Requested, planned, approved or rejected, driven (paused, held), then completed, failed, cancelled, reverted."""

    TOPIC: ClassVar[str] = "backfill"

    Requested = events.Requested
    Planned = events.Planned
    Approved = events.Approved
    Rejected = events.Rejected
    Expired = events.Expired
    Paused = events.Paused
    Resumed = events.Resumed
    StateOverridden = events.StateOverridden
    Completed = events.Completed
    Failed = events.Failed
    Cancelled = events.Cancelled
    Reverted = events.Reverted

    def __init__(self) -> None:
        super().__init__()
        self.request: RecordedRequest
        self.plan: Plan | None = None
        self.requested_by: str = ""
        self.requested_at: str = ""
        self.approved_by: str = ""
        self.approved_at: str = ""
        self.approved_rule: str | None = None
        self.approved_policy: str | None = None
        self.approved_key: str | None = None
        self.judged: Judged | None = None
        self.is_to_be_held: bool = False
        self.overridden: bool = False

    @classmethod
    def submit(
        cls, run_id: str, asked: Request, *, layers: Sequence[str], today: Day, by: str, policy: Policy
    ) -> Backfill:
        """Request a backfill that runs through these layers. Raises: what `recorded` raises, `NotAllowedError`."""
        policy.check_may("request", by)
        if asked.kind == "forced":
            policy.check_may("force", by)
        facts = recorded(asked, layers=layers, today=today).to_event()
        return cls._create(cls.Requested, id=run_id, by=by, **facts)

    def record_plan(self, plan: Plan, *, by: str) -> None:
        """Bind the request to a plan, once."""
        if self.status != "REQUESTED":
            raise WrongStateError(self.id, self.status, "planned")
        if not plan.windows:
            raise RangeError("there is nothing to rebuild in that range")
        if plan.digest != (own := plan.bound_to(self.request.to_event()).digest):
            raise errors.PlanMismatchError(self.id, own, plan.digest)
        self.trigger_event(self.Planned, **plan.to_event(), by=by)

    # -- approval

    def approve(
        self,
        plan_digest: str,
        *,
        by: str,
        policy: Policy,
        now: datetime | None = None,
        on: Basis = NO_KNOWLEDGE,
        said: Remark = NO_REMARK,
    ) -> None:
        """Allow the plan with that digest, and no other, `on` a signature, or on what the approver was shown.

        Raises: `SelfApprovalError`, `UnsignedApprovalError`, `ExpiredRequestError`, `NotAllowedError`,
        `PlanMismatchError`, `WrongStateError`, and what `decided_on` raises.
        """
        policy.check_may("approve", by)
        self._check_planned("approved", plan_digest)
        policy.check_may("request", self.requested_by)
        policy.check_size(count_partitions(self.windows))
        if now is not None and self.is_overdue(now, policy):
            raise errors.ExpiredRequestError(self.id, policy.expire_days)
        self._check_approver(by, policy, signed=isinstance(on, Signature))
        facts = decided_on(on, Decided(self.id, APPROVE, plan_digest, policy.digest, by), now)
        self._allow(policy, None, None, facts | said.to_event(), by)

    def approve_by_rule(self, *, by: str, policy: Policy, group: Sequence[Plan] = (), on: Basis = NO_KNOWLEDGE) -> bool:
        """Approve a plan that the policy lets pass without a person; returns whether it did. Never a forced one.

        `group` are all plans of a request that was split: they pass together, or none does.
        """
        if self.plan is None or self.status != "PLANNED":
            raise WrongStateError(self.id, self.status, "approved")
        judged = judged_of(group or [self.plan])
        rule = policy.rule_for(self.request.kind, judged)
        if rule is None:
            return False
        self._allow(policy, rule, judged, decision_facts(on) | NO_REMARK.to_event(), by)
        return True

    def _allow(self, policy: Policy, rule: str | None, judged: Judged | None, signed: Facts, by: str) -> None:
        signed |= {"policy_digest": policy.digest, "rule": rule, "judged": judged and judged.to_event()}
        self.trigger_event(self.Approved, plan_digest=self.plan.digest if self.plan else "", **signed, by=by)

    def _check_approver(self, by: str, policy: Policy, *, signed: bool) -> None:
        """The one place where it is said whether an approval counts without a signature."""
        self._check_second_person("approve", by, policy)
        if not signed and self.request.kind in policy.signed:
            raise errors.UnsignedApprovalError(self.id, self.request.kind)

    def _check_second_person(self, action: str, by: str, policy: Policy) -> None:
        """Of a forced backfill: somebody who may force, and did not ask for it (N13)."""
        if self.request.kind == "forced":
            policy.check_may("force", by)
            if person(by) == person(self.requested_by):
                raise errors.SelfApprovalError(self.id, by, action)

    @property
    def bound(self) -> Day | None:
        """The first day that is not for it to build, by the state that it read; None: it reads none."""
        return self.plan.bound if self.plan else None

    def check_still_allowed(self, policy: Policy) -> None:
        """Raise `ApprovalOutdatedError` unless the policy of today allows what was requested and approved then."""
        try:
            policy.check_may("request", self.requested_by)
            policy.check_size(self.plan.partitions if self.plan else 0)
            if self.request.kind == "forced":
                policy.check_may("force", self.requested_by)
            if self.approved_rule is None:
                policy.check_may("approve", self.approved_by)
                self._check_approver(self.approved_by, policy, signed=self.approved_key is not None)
            elif self.released_by:
                policy.check_may("approve", self.released_by)
        except RefusedError as error:
            raise errors.ApprovalOutdatedError(self.id, error.message) from error
        if self.why_a_person(policy) is not None:
            why = f"the rule it was approved by ({self.approved_rule}) holds no more"
            raise errors.ApprovalOutdatedError(self.id, why)

    def why_a_person(self, policy: Policy, more: Beyond = NOTHING) -> str | None:
        """Why a rule does not let it go on, with so much `more` than is planned (here, and in the other parts of its
        request); None: it may.

        What a rule approved is no more than what the rule was applied to. Once a person released it, that person
        stands for it.
        """
        if self.approved_rule is None or self.released_by or self.plan is None:
            return None
        judged = self.judged or judged_of([self.plan])
        more = Beyond(count_partitions(self.windows) - self.plan.partitions + more[0], more[1])
        return outgrown(self.approved_rule, self.request.kind, judged, more, policy)

    def grown(self) -> Beyond:
        """What nobody but a rule stands for of what it has beyond its plan."""
        by_rule = self.approved_rule is not None and not self.released_by
        return beyond_plan(self.plan, self.windows, self.candidates) if by_rule and self.plan else NOTHING

    def release(self, *, reason: str, by: str, policy: Policy) -> None:
        """Let what was held be published: it takes who may approve it."""
        if self.status == "HELD":
            self._check_second_person("release", by, policy)
        super().release(reason=reason, by=by, policy=policy)

    def is_overdue(self, now: datetime, policy: Policy) -> bool:
        """Whether nobody has approved the request for longer than the policy lets it wait."""
        return self.status == "PLANNED" and policy.is_overdue(self.requested_at, now)

    def note_sla(self, *, now: datetime, policy: Policy, by: str) -> None:
        """Record, once, that it takes longer from its approval on than the policy allows (N35)."""
        if over := policy.beyond_sla(self.approved_at, now):
            self.exceed_sla(allowed_ms=over[0], elapsed_ms=over[1], by=by)

    def expire(self, *, now: datetime, policy: Policy, by: str) -> None:
        """Close a request that waited too long."""
        if not self.is_overdue(now, policy):
            raise WrongStateError(self.id, self.status, "expired")
        self.trigger_event(self.Expired, days=policy.expire_days, by=by)

    def reject(
        self, *, reason: str, by: str, policy: Policy, now: datetime | None = None, on: Basis = NO_KNOWLEDGE
    ) -> None:
        """Say no; the request stays on record. A signature is not demanded; one that is given has to hold."""
        policy.check_may("approve", by)
        digest = self.plan.digest if self.plan else ""
        self._check_planned("rejected", digest)
        facts = decided_on(on, Decided(self.id, REJECT, digest, policy.digest, by), now)
        facts |= {"plan_digest": digest, "policy_digest": policy.digest, "reason": check_reason(reason)}
        self.trigger_event(self.Rejected, **facts, by=by)

    def _check_planned(self, action: str, plan_digest: str) -> None:
        if self.status != "PLANNED" or self.plan is None:
            raise wrong_state(self.id, self.status, action)
        if plan_digest != self.plan.digest:
            raise errors.PlanMismatchError(self.id, self.plan.digest, plan_digest)

    # -- while it is driven

    def check_startable(self) -> None:
        """Approved, or taken up again after a crash or a failure."""
        if self.status not in DRIVABLE:
            raise WrongStateError(self.id, self.status, "driven", errors.WAY_ON.get(self.status, "").format(id=self.id))

    def pause(self, *, reason: str, by: str, policy: Policy) -> None:
        """Stop between two windows; a driver at work is fenced off by this event."""
        policy.check_may("pause", by)
        if self.status not in DRIVABLE:
            raise wrong_state(self.id, self.status, "paused")
        self.trigger_event(self.Paused, reason=check_reason(reason), by=by)

    def resume(self, *, by: str, policy: Policy) -> None:
        """Let a paused backfill be driven again."""
        policy.check_may("resume", by)
        if self.status != "PAUSED":
            raise wrong_state(self.id, self.status, "resumed")
        self.trigger_event(self.Resumed, by=by)

    def override_state(self, state: PipelineState, *, policy: Policy, host: str, by: str) -> None:
        """Move the pipeline state to the cursor that was requested and approved; both events go into one save.

        Raises: `StateProtectedError` (by the state) unless this is a published forced backfill with an override.
        """
        cursor_before = state.cursor
        state.override(self, by=by)
        self.trigger_event(
            self.StateOverridden,
            pipeline=state.pipeline,
            cursor_before=cursor_before,
            cursor=self.request.cursor,
            requested_by=self.requested_by,
            approved_by=self.approved_by,
            ticket=self.request.ticket,
            plan_digest=self.plan.digest if self.plan else "",
            policy_digest=policy.digest,
            host=host,
            by=by,
        )

    def complete(self, *, by: str) -> None:
        """Close after publication, in the same save."""
        self.check_running("completed")
        if not self.published:
            raise WrongStateError(self.id, "unpublished", "completed")
        if self.request.override_state and not self.overridden:
            raise WrongStateError(self.id, "published without the state it declared", "completed")
        self.trigger_event(self.Completed, totals=self.closing_totals().to_event(), by=by)

    def fail(self, *, reason: str, by: str) -> None:
        """Close a drive that ended with an error."""
        self.check_running("failed")
        self.trigger_event(self.Failed, errors=dict(self.errors), reason=reason, by=by)

    def cancel(self, *, reason: str, by: str, policy: Policy) -> None:
        """End it before publication; a driver that is still at work is fenced off by this event."""
        policy.check_may("cancel", by)
        if self.status not in ACTIVE:
            raise wrong_state(self.id, self.status, "cancelled")
        self.trigger_event(self.Cancelled, reason=check_reason(reason), by=by)

    # -- afterwards

    def revert(self, *, reason: str, by: str, blockers: list[tuple[str, str]], policy: Policy) -> list[str]:
        """Make earlier versions current again. `blockers` are later runs on top: (run id, partition).

        Returns the datasets touched, whose locks go into the same save. Raises: `BuiltUponError`,
        `WrongStateError`, `NotAllowedError`. A state that it moved stays: only a run that says so moves it back.
        """
        policy.check_may("revert", by)
        text = check_reason(reason)
        if self.status != "SUCCESS":
            raise wrong_state(self.id, self.status, "reverted")
        if blockers:
            raise errors.BuiltUponError(self.id, *blockers[0])
        datasets = sorted(self.candidates)
        self.trigger_event(self.Reverted, reason=text, datasets=datasets, by=by)
        return datasets
