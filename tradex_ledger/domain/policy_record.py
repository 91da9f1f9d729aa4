"""The policy on record: what a ledger's deeds are judged by, and who changed it. No I/O here.

Rights, approval rules and bounds belong to the ledger, not to a file that everybody may have of their own. A policy
changes by an event. As long as anybody may set it, one person suffices; once persons are named for that, one of them
proposes and another approves: one of them, too, or, where nobody else is named, one who may approve. Who may approve
it may say no to it as well, and who proposed it may withdraw it; one that nobody answers expires, as requests do.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from tradex_ledger.domain.base import Aggregate, CreatedEvent, Event
from tradex_ledger.domain.person import person
from tradex_ledger.domain.plan import full_digest
from tradex_ledger.domain.policy import ANYBODY, Policy, text_digest, written
from tradex_ledger.domain.policy_errors import (
    ExpiredProposalError,
    NobodyElseError,
    NoProposalError,
    OtherPolicyError,
    OwnProposalError,
    SamePolicyError,
)
from tradex_ledger.domain.policy_text import ON_RECORD, policy_on_record
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.waiting import Proposal, is_own

STREAM = ON_RECORD
INIT, ADOPTED = "init", "adopted"


class PolicyRecord(Aggregate):
    """The policies of a ledger, one after the other."""

    TOPIC: ClassVar[str] = "policy"

    def __init__(self) -> None:
        self.text: str = ""
        self.digest: str = ""
        self.texts: dict[str, str] = {}
        self.history: list[list[str]] = []
        self.proposal: Proposal | None = None
        self.proposed_at: str = ""

    class Recorded(CreatedEvent):
        """A ledger's first policy: that of `init`, or the one of before that was adopted."""

        TOPIC: ClassVar[str] = "policy.recorded"
        text: str
        digest: str
        origin: str
        last_plan: str | None

        def apply(self, aggregate: PolicyRecord) -> None:
            aggregate.assign(self.text, self.digest, self.timestamp.isoformat())

    class Proposed(Event):
        """Somebody wants another policy; it takes a second person. One that is proposed later stands in its place."""

        TOPIC: ClassVar[str] = "policy.proposed"
        text: str
        digest: str
        before: str
        reason: str

        def apply(self, aggregate: PolicyRecord) -> None:
            aggregate.proposal = Proposal(self.text, self.digest, self.reason, self.by)
            aggregate.proposed_at = self.timestamp.isoformat()

    class Rejected(Event):
        """Somebody said no to the policy that was proposed, or who proposed it withdrew it. All stays as it was."""

        TOPIC: ClassVar[str] = "policy.rejected"
        digest: str
        proposed_by: str
        reason: str

        def apply(self, aggregate: PolicyRecord) -> None:
            aggregate.close()

    class Expired(Event):
        """Nobody answered a proposal in time; it can be made again."""

        TOPIC: ClassVar[str] = "policy.expired"
        digest: str
        proposed_by: str
        days: int

        def apply(self, aggregate: PolicyRecord) -> None:
            aggregate.close()

    class Changed(Event):
        """From here on everything is judged by another policy."""

        TOPIC: ClassVar[str] = "policy.set"
        text: str
        digest: str
        before: str
        reason: str
        proposed_by: str | None

        def apply(self, aggregate: PolicyRecord) -> None:
            aggregate.assign(self.text, self.digest, self.timestamp.isoformat())

    def assign(self, text: str, digest: str, at: str) -> None:
        """Assign only: the policy from now on."""
        self.text, self.digest = text, digest
        self.texts[digest] = text
        self.history.append([at, digest])
        self.close()

    def close(self) -> None:
        """Assign only: no proposal waits any more."""
        self.proposal, self.proposed_at = None, ""

    # -- queries

    @property
    def policy(self) -> Policy:
        """What is on record. Raises: `StrangePolicyError`."""
        return policy_on_record(self.text, self.digest)

    def digest_at(self, at: str) -> str | None:
        """The digest of the policy that was on record at a time; None before the first."""
        moment = datetime.fromisoformat(at)
        found = [digest for since, digest in self.history if datetime.fromisoformat(since) <= moment]
        return found[-1] if found else None

    def differs(self, digest: str, last: str) -> str | None:
        """What is other under the policy of the digest `last` than under another, in words; None: it is the same."""
        here, there = self._known(digest), self._known(last)
        if digest == last or (there is not None and digest in there.digests()):
            return None
        if here is None or there is None:
            return "its text is not on record"
        return f"other since: {', '.join(here.differences(there)) or 'nothing but its text'}"

    def _known(self, digest: str) -> Policy | None:
        known = (policy_on_record(text, own) for own, text in self.texts.items())
        return next((policy for policy in known if digest in policy.digests()), None)

    # -- commands

    @classmethod
    def record(cls, policy: Policy, *, by: str) -> PolicyRecord:
        """The first policy, of a ledger without any plan."""
        return cls._first(policy, INIT, None, by)

    @classmethod
    def adopt(cls, policy: Policy, *, last_plan: str | None, by: str) -> PolicyRecord:
        """The first policy of a ledger of before, of which the last plan records that digest of a policy.

        Raises: `OtherPolicyError` unless it is a digest of this very policy, or there is no plan.
        """
        if last_plan is not None and last_plan not in policy.digests():
            raise OtherPolicyError(last_plan)
        return cls._first(policy, ADOPTED, last_plan, by)

    @classmethod
    def _first(cls, policy: Policy, origin: str, last_plan: str | None, by: str) -> PolicyRecord:
        text = written(policy)
        facts = {"text": text, "digest": text_digest(text), "origin": origin, "last_plan": last_plan}
        return cls._create(cls.Recorded, id=STREAM, by=by, **facts)

    def set(self, wanted: Policy, *, reason: str, by: str, policy: Policy) -> bool:
        """Change the policy, or propose to; returns whether it is changed already.

        Raises: `NotAllowedError` by the `policy` that is on record, `SamePolicyError`, `NobodyElseError`.
        """
        policy.check_may("set_policy", by)
        text = written(wanted)
        digest = text_digest(text)
        if not policy.differences(wanted) or (self.proposal and self.proposal.digest == digest):
            raise SamePolicyError(digest)
        self._check_changeable(wanted)
        facts = {"text": text, "digest": digest, "before": self.digest, "reason": check_reason(reason)}
        if policy.may_set_policy == ANYBODY:
            self.trigger_event(self.Changed, **facts, proposed_by=None, by=by)
            return True
        self.trigger_event(self.Proposed, **facts, by=by)
        return False

    @staticmethod
    def _check_changeable(wanted: Policy) -> None:
        named = {person(name) for name in wanted.may_set_policy}
        others = {person(name) for name in wanted.may_approve} - named
        if wanted.may_set_policy != ANYBODY and len(named) == 1 and wanted.may_approve != ANYBODY and not others:
            raise NobodyElseError(wanted.may_set_policy[0])

    def approve(self, digest: str, *, by: str, policy: Policy, now: datetime | None = None) -> None:
        """Let the proposed policy apply.

        Raises: `NoProposalError`, `NotAllowedError`, `OwnProposalError`, `ExpiredProposalError`.
        """
        proposal = self._waiting(digest, by, policy)
        if is_own(proposal, by):
            raise OwnProposalError(by)
        policy.check_may("set_policy", proposal.by)
        policy.check_may(_right_to_answer(policy), by)
        if now is not None and self.is_overdue(now, policy):
            raise ExpiredProposalError(proposal.digest, policy.expire_days)
        facts = {"text": proposal.text, "digest": proposal.digest, "before": self.digest}
        self.trigger_event(self.Changed, **facts, reason=proposal.reason, proposed_by=proposal.by, by=by)

    def reject(self, digest: str, *, reason: str, by: str, policy: Policy) -> None:
        """Say no to the proposed policy; whoever proposed it withdraws it so. It stays on record.

        Raises: `NoProposalError`, `NotAllowedError`.
        """
        proposal = self._waiting(digest, by, policy)
        if not is_own(proposal, by):
            policy.check_may(_right_to_answer(policy), by)
        facts = {"digest": proposal.digest, "proposed_by": proposal.by}
        self.trigger_event(self.Rejected, **facts, reason=check_reason(reason), by=by)

    def is_overdue(self, now: datetime, policy: Policy) -> bool:
        """Whether nobody has answered what was proposed for longer than the policy lets it wait."""
        return self.proposal is not None and policy.is_overdue(self.proposed_at, now)

    def expire(self, *, now: datetime, policy: Policy, by: str) -> bool:
        """Close a proposal that waited too long; returns whether it did."""
        if self.proposal is None or not self.is_overdue(now, policy):
            return False
        facts = {"digest": self.proposal.digest, "proposed_by": self.proposal.by}
        self.trigger_event(self.Expired, **facts, days=policy.expire_days, by=by)
        return True

    def _waiting(self, digest: str, by: str, policy: Policy) -> Proposal:
        """The proposal that is named."""
        proposal = self.proposal
        if proposal is None or full_digest(digest, proposal.digest) != proposal.digest:
            policy.check_may("set_policy", by)
            raise NoProposalError(digest, proposal.digest if proposal else None)
        return proposal


def _right_to_answer(policy: Policy) -> str:
    """What it takes to say yes or no to what somebody else proposed."""
    alone = len({person(name) for name in policy.may_set_policy}) == 1 and policy.may_set_policy != ANYBODY
    return "approve" if alone else "set_policy"
