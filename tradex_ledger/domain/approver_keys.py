"""The keys that sign approvals: whose they are, and since when, until when they count. No I/O here.

They are on record in a stream of their own, and judged by it alone: what counts at an event is what stood before it, at
the ledger's time. As long as anybody may set keys, one person suffices to add one; once persons are named for that, or
for the policy, one of them proposes and another approves. Revoking takes one person: one of them, or whose key it is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import ClassVar

from tradex_ledger.domain.base import Aggregate, CreatedEvent, Event
from tradex_ledger.domain.digest import digest_of
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.patterns import matches
from tradex_ledger.domain.person import person
from tradex_ledger.domain.plan import SHORTEST_DIGEST, full_digest
from tradex_ledger.domain.policy import ANYBODY, Policy
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.signing import NAMESPACE
from tradex_ledger.domain.signing_errors import (
    ExpiredKeyProposalError,
    KeyNotValidError,
    KeyThereError,
    NoApproverKeyError,
    NoKeyProposalError,
    OtherPurposeError,
    OwnKeyError,
    UnknownKeyError,
)
from tradex_ledger.domain.waiting import is_own

STREAM = "approver_keys"


@dataclass(frozen=True, slots=True)
class ApproverKey:
    """A public key and whose it is: its line as a `.pub` file has it, what it may sign (patterns; "": anything), and
    the times (UTC, ISO 8601) from and to which it counts, both included."""

    name: str
    key: str
    fingerprint: str
    namespaces: str = ""
    valid_after: str | None = None
    valid_before: str | None = None

    @property
    def digest(self) -> str:
        """What an approver names it by: SHA-256 (hex)."""
        return digest_of(asdict(self))

    @staticmethod
    def of(event: object) -> ApproverKey:
        """Of an event that carries one."""
        return ApproverKey(**{field.name: getattr(event, field.name) for field in fields(ApproverKey)})


@dataclass(frozen=True, slots=True)
class ProposedKey:
    """A key that waits for a second person."""

    key: ApproverKey
    reason: str
    by: str

    @property
    def digest(self) -> str:
        """What an approver names it by: SHA-256 (hex)."""
        return self.key.digest


class ApproverKeys(Aggregate):
    """All keys that were ever on record, by fingerprint."""

    TOPIC: ClassVar[str] = "approver_keys"

    def __init__(self) -> None:
        self.keys: dict[str, ApproverKey] = {}
        self.revoked_at: dict[str, str] = {}
        self.proposals: dict[str, ProposedKey] = {}
        self.proposed_at: dict[str, str] = {}

    class Opened(CreatedEvent):
        """From here on keys are on record."""

        TOPIC: ClassVar[str] = "approver_keys.opened"

    class Proposed(Event):
        """Somebody wants a key to count; it takes a second person."""

        TOPIC: ClassVar[str] = "approver_keys.proposed"
        name: str
        key: str
        fingerprint: str
        namespaces: str
        valid_after: str | None
        valid_before: str | None
        reason: str

        def apply(self, aggregate: ApproverKeys) -> None:
            found = ProposedKey(ApproverKey.of(self), self.reason, self.by)
            aggregate.close(self.fingerprint)
            aggregate.proposals[found.digest] = found
            aggregate.proposed_at[found.digest] = self.timestamp.isoformat()

    class Rejected(Event):
        """Somebody said no to a key that was proposed, or who proposed it withdrew it."""

        TOPIC: ClassVar[str] = "approver_keys.rejected"
        fingerprint: str
        reason: str

        def apply(self, aggregate: ApproverKeys) -> None:
            aggregate.close(self.fingerprint)

    class Added(Event):
        """From here on a person's signatures with that key count."""

        TOPIC: ClassVar[str] = "approver_keys.added"
        name: str
        key: str
        fingerprint: str
        namespaces: str
        valid_after: str | None
        valid_before: str | None
        reason: str
        proposed_by: str | None

        def apply(self, aggregate: ApproverKeys) -> None:
            aggregate.keys[self.fingerprint] = ApproverKey.of(self)
            aggregate.close(self.fingerprint)

    class Revoked(Event):
        """From here on that key signs nothing; what it signed before stays as it is."""

        TOPIC: ClassVar[str] = "approver_keys.revoked"
        name: str
        fingerprint: str
        reason: str

        def apply(self, aggregate: ApproverKeys) -> None:
            aggregate.revoked_at[self.fingerprint] = self.timestamp.isoformat()

    def close(self, fingerprint: str) -> None:
        """Assign only: no proposal of that key waits any more."""
        self.proposals = {d: one for d, one in self.proposals.items() if one.key.fingerprint != fingerprint}
        self.proposed_at = {digest: at for digest, at in self.proposed_at.items() if digest in self.proposals}

    # -- queries

    def check_counts(self, name: str, fingerprint: str, at: datetime) -> ApproverKey:
        """The key, if it is that person's and counts at that time, by all that is on record here.

        Raises: `UnknownKeyError`, `KeyNotValidError`.
        """
        key = self.keys.get(fingerprint)
        if key is None or person(key.name) != person(name):
            raise UnknownKeyError(name, fingerprint)
        moment = at.astimezone(UTC)
        if fingerprint in self.revoked_at:
            raise KeyNotValidError(key.name, fingerprint, f"was revoked at {self.revoked_at[fingerprint]}")
        if key.valid_after and moment < datetime.fromisoformat(key.valid_after):
            raise KeyNotValidError(key.name, fingerprint, f"counts from {key.valid_after} on")
        if key.valid_before and moment > datetime.fromisoformat(key.valid_before):
            raise KeyNotValidError(key.name, fingerprint, f"counted until {key.valid_before}")
        if key.namespaces and not matches(key.namespaces, NAMESPACE):
            raise KeyNotValidError(key.name, fingerprint, f"is for {key.namespaces} only")
        return key

    def find(self, given: str) -> ApproverKey:
        """The key that a fingerprint (or a beginning of it) names, or the name of who has one that counts.

        Raises: `NoApproverKeyError`.
        """
        by_name = [
            k for k in self.keys.values() if person(k.name) == person(given) and k.fingerprint not in self.revoked_at
        ]
        wanted = given.removeprefix("SHA256:")
        by_print = [
            k
            for k in self.keys.values()
            if len(wanted) >= 8 and k.fingerprint.removeprefix("SHA256:").startswith(wanted)
        ]
        found = by_print or by_name
        if len(found) != 1:
            raise NoApproverKeyError(given, f"{len(found)} keys are called so")
        return found[0]

    # -- commands

    @classmethod
    def open(cls, *, by: str) -> ApproverKeys:
        """Begin the record."""
        return cls._create(cls.Opened, id=STREAM, by=by)

    def add(self, key: ApproverKey, *, reason: str, by: str, policy: Policy) -> bool:
        """Put a key on record, or propose to; returns whether it counts already.

        Raises: `NotAllowedError`, `KeyThereError`, `OtherPurposeError`.
        """
        policy.check_may("set_keys", by)
        if known := self.keys.get(key.fingerprint):
            how = "was revoked" if key.fingerprint in self.revoked_at else "is on record"
            raise KeyThereError(key.fingerprint, known.name, how)
        if key.namespaces and not matches(key.namespaces, NAMESPACE):
            raise OtherPurposeError(key.namespaces, NAMESPACE)
        facts: Facts = {**asdict(key), "reason": check_reason(reason)}
        if setters(policy) == ANYBODY:
            self.trigger_event(self.Added, **facts, proposed_by=None, by=by)
            return True
        self.trigger_event(self.Proposed, **facts, by=by)
        return False

    def approve(self, digest: str, *, by: str, policy: Policy, now: datetime) -> ApproverKey:
        """Let a proposed key count. Not by who proposed it.

        Raises: `NoKeyProposalError`, `OwnKeyError`, `NotAllowedError`, `ExpiredKeyProposalError`.
        """
        proposal = self._waiting(digest)
        if is_own(proposal, by):
            raise OwnKeyError(by, proposal.key.fingerprint)
        policy.check_may("set_keys", proposal.by)
        policy.check_may(_right_to_answer(policy), by)
        if policy.is_overdue(self.proposed_at[proposal.digest], now):
            raise ExpiredKeyProposalError(proposal.key.fingerprint, policy.expire_days)
        facts = {**asdict(proposal.key), "reason": proposal.reason, "proposed_by": proposal.by}
        self.trigger_event(self.Added, **facts, by=by)
        return proposal.key

    def reject(self, digest: str, *, reason: str, by: str, policy: Policy) -> ApproverKey:
        """Say no to a proposed key; whoever proposed it withdraws it so. Raises: `NoKeyProposalError`,
        `NotAllowedError`."""
        proposal = self._waiting(digest)
        if not is_own(proposal, by):
            policy.check_may(_right_to_answer(policy), by)
        facts = {"fingerprint": proposal.key.fingerprint, "reason": check_reason(reason)}
        self.trigger_event(self.Rejected, **facts, by=by)
        return proposal.key

    def revoke(self, given: str, *, reason: str, by: str, policy: Policy) -> ApproverKey:
        """Let a key sign nothing any more. Whose key it is may always do that.

        Raises: `NoApproverKeyError`, `NotAllowedError`, `KeyThereError`.
        """
        key = self.find(given)
        if person(key.name) != person(by):
            policy.check_may("set_keys", by)
        if key.fingerprint in self.revoked_at:
            raise KeyThereError(key.fingerprint, key.name, "was revoked already")
        facts = {"name": key.name, "fingerprint": key.fingerprint, "reason": check_reason(reason)}
        self.trigger_event(self.Revoked, **facts, by=by)
        return key

    def _waiting(self, digest: str) -> ProposedKey:
        for known, proposal in self.proposals.items():
            if full_digest(digest, known) == known:
                return proposal
        raise NoKeyProposalError(digest, [known[:SHORTEST_DIGEST] for known in self.proposals])


def setters(policy: Policy) -> tuple[str, ...]:
    """Who may set keys: unless somebody is named for it, who may set the policy."""
    return policy.may_set_policy if policy.may_set_keys == ANYBODY else policy.may_set_keys


def _right_to_answer(policy: Policy) -> str:
    """What it takes to say yes or no to a key that somebody else proposed."""
    return "approve" if len({person(name) for name in setters(policy)}) == 1 else "set_keys"
