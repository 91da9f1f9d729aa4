"""The policy on record: what a ledger's deeds are judged by, and who changed it. No I/O here.

Rights, approval rules and bounds belong to the ledger, not to a file that everybody may have of their own. A policy
changes by an event. As long as anybody may set it, one person suffices; once persons are named for that, one of them
proposes and another approves: one of them, too, or, where nobody else is named, one who may approve.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from tradex_ledger.domain.base import Aggregate, CreatedEvent, Event
from tradex_ledger.domain.person import person
from tradex_ledger.domain.plan import SHORTEST_DIGEST, full_digest
from tradex_ledger.domain.policy import ANYBODY, Policy, text_digest, written
from tradex_ledger.domain.policy_text import ON_RECORD, WAITS, policy_on_record
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.errors import NotFoundError, RefusedError

STREAM = ON_RECORD
INIT, ADOPTED = "init", "adopted"


class NoPolicyError(RefusedError):
    """The ledger is of before policies were on record: nothing says what may be done."""

    code = "no-policy"

    def __init__(self) -> None:
        super().__init__(
            "the ledger has no policy on record: nothing is changed by a rule that it does not hold",
            mend="take over [policy] of tradex.toml, under which the last plan was made: tradex policy adopt",
        )


class PolicyThereError(RefusedError):
    """A policy is adopted once."""

    code = "policy-there"

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"the ledger has a policy on record already ({digest[:12]})",
            mend="to change it: tradex policy set --reason …",
        )


class OtherPolicyError(RefusedError):
    """The last plan was made under another policy than the one to be adopted."""

    code = "other-policy"

    def __init__(self, planned: str) -> None:
        super().__init__(
            f"the last plan was made under a policy of the digest {planned[:12]}; that of tradex.toml is another",
            mend="put [policy] in tradex.toml back to what it was then (settings that are newer stay out), adopt it, "
            "and change it after that: tradex policy set --reason …",
        )


class SamePolicyError(RefusedError):
    """There is nothing to change."""

    code = "same-policy"

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"[policy] in tradex.toml says what is on record already ({digest[:12]})",
            mend="edit [policy] in tradex.toml first",
        )


class NobodyElseError(RefusedError):
    """Under such a policy nobody could ever change it again."""

    code = "nobody-else"

    def __init__(self, only: str) -> None:
        super().__init__(
            f"may_set_policy names {only} alone, and nobody else may approve: no second person could ever approve a "
            "change",
            mend="name two persons for may_set_policy, or somebody else for may_approve",
        )


class NoProposalError(NotFoundError):
    """No such change of the policy waits for a second person."""

    code = "no-proposal"

    def __init__(self, given: str, waits: str | None) -> None:
        waiting = f"the one that waits is {waits[:SHORTEST_DIGEST]}" if waits else "none waits"
        super().__init__(
            f"no proposed policy {given!r} waits for its approval: {waiting}",
            mend=f"give {SHORTEST_DIGEST} digits of its digest; see: tradex policy show",
        )


class OwnProposalError(RefusedError):
    """Who proposed a policy does not approve it."""

    code = "self-approval"

    def __init__(self, by: str) -> None:
        super().__init__(f"{by} proposed this policy and cannot approve it", mend="ask somebody else")


class PolicyRecord(Aggregate):
    """The policies of a ledger, one after the other."""

    TOPIC: ClassVar[str] = "policy"

    def __init__(self) -> None:
        self.text: str = ""
        self.digest: str = ""
        self.texts: dict[str, str] = {}
        self.history: list[list[str]] = []
        self.proposal: dict[str, Any] | None = None

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

        TOPIC: ClassVar[str] = WAITS
        text: str
        digest: str
        before: str
        reason: str

        def apply(self, aggregate: PolicyRecord) -> None:
            aggregate.proposal = {"text": self.text, "digest": self.digest, "reason": self.reason, "by": self.by}

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
        self.text, self.digest, self.proposal = text, digest, None
        self.texts[digest] = text
        self.history.append([at, digest])

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
        if not policy.differences(wanted) or (self.proposal and self.proposal["digest"] == digest):
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

    def approve(self, digest: str, *, by: str, policy: Policy) -> None:
        """Let the proposed policy apply. Raises: `NoProposalError`, `NotAllowedError`, `OwnProposalError`."""
        alone = len({person(name) for name in policy.may_set_policy}) == 1 and policy.may_set_policy != ANYBODY
        proposal = self.proposal
        if proposal is None or full_digest(digest, proposal["digest"]) != proposal["digest"]:
            policy.check_may("set_policy", by)
            raise NoProposalError(digest, proposal["digest"] if proposal else None)
        if person(by) == person(proposal["by"]):
            raise OwnProposalError(by)
        policy.check_may("set_policy", proposal["by"])
        policy.check_may("approve" if alone else "set_policy", by)
        facts = {"text": proposal["text"], "digest": proposal["digest"], "before": self.digest}
        self.trigger_event(self.Changed, **facts, reason=proposal["reason"], proposed_by=proposal["by"], by=by)
