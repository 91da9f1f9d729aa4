"""The policy as a document: what is on record, what waits for a second person, what was refused since."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from tradex_ledger.audit.documents.form import BARE
from tradex_ledger.audit.log import log
from tradex_ledger.audit.policy import PolicyFacts
from tradex_ledger.domain.facts import facts_of
from tradex_ledger.domain.person import person
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.policy_record import PolicyRecord
from tradex_ledger.domain.policy_text import APPLY
from tradex_ledger.ledger.entry import Entry, format_time, parse_time
from tradex_ledger.views import is_past

if TYPE_CHECKING:
    from tradex_ledger.ledger.application import Ledger
    from tradex_ledger.views import Asked

_TOPICS = (*APPLY, PolicyRecord.Proposed.TOPIC, PolicyRecord.Rejected.TOPIC, PolicyRecord.Expired.TOPIC)


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting before and after, as JSON has it."""

    before: object = field(metadata=BARE)
    after: object = field(metadata=BARE)


@dataclass(frozen=True, slots=True)
class Proposed:
    """A policy that waits for a second person, what is other in it, and until when it waits (None: for ever)."""

    digest: str
    reason: str | None
    by: str
    position: int
    at: str
    text: str
    differences: dict[str, Difference]
    expires: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A policy that was proposed and is not going to apply: rejected, withdrawn or expired."""

    digest: str
    reason: str | None
    by: str
    position: int
    at: str
    how: str
    proposed_by: str


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """The policy as of a position; all is None in a ledger, or at a time, of before. What the settings propose is
    told as of now only."""

    digest: str | None = None
    position: int | None = None
    at: str | None = None
    by: str | None = None
    proposed_by: str | None = None
    reason: str | None = None
    text: str | None = None
    waits: Proposed | None = None
    refused: Refused | None = None
    proposed_by_settings: dict[str, Difference] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What setting the policy changes, or would: its digest before and now, and the proposal that waits."""

    before: str
    digest: str
    waits: str | None
    differences: dict[str, Difference]


def differences(before: Policy, after: Policy) -> dict[str, Difference]:
    """What is other in another policy, by setting."""
    return {name: Difference(old, new) for name, (old, new) in before.differences(after).items()}


def policy_document(ledger: Ledger, as_of: Asked, settings: Policy) -> PolicyDocument:
    """The policy as of a position, a day or a time."""
    applies: Entry | None = None
    open_: Entry | None = None
    for entry in log(ledger, topics=_TOPICS, as_of=as_of).events:
        if entry.topic in APPLY:
            applies, open_ = entry, None
        else:
            open_ = entry
    if applies is None:
        return PolicyDocument()
    recorded = facts_of(PolicyFacts, applies.data)
    policy = recorded.policy
    proposed = open_ is not None and open_.topic == PolicyRecord.Proposed.TOPIC
    return PolicyDocument(
        digest=recorded.digest,
        position=applies.position,
        at=applies.at,
        by=applies.by,
        proposed_by=recorded.proposed_by,
        reason=recorded.reason,
        text=recorded.text,
        waits=_proposed(open_, policy) if open_ and proposed else None,
        refused=_refused(open_) if open_ and not proposed else None,
        proposed_by_settings={} if is_past(as_of) else differences(policy, settings),
    )


def _proposed(entry: Entry, policy: Policy) -> Proposed:
    told = facts_of(PolicyFacts, entry.data)
    expires = format_time(parse_time(entry.at) + timedelta(days=policy.expire_days)) if policy.expire_days else None
    return Proposed(
        digest=told.digest,
        reason=told.reason,
        by=entry.by,
        position=entry.position,
        at=entry.at,
        text=told.text,
        differences=differences(policy, told.policy),
        expires=expires,
    )


def _refused(entry: Entry) -> Refused:
    told, how = facts_of(PolicyFacts, entry.data), "rejected"
    proposed_by = told.proposed_by or ""
    if entry.topic == PolicyRecord.Expired.TOPIC:
        how = "expired"
    elif person(entry.by) == person(proposed_by):
        how = "withdrawn"
    facts = (told.digest, told.reason, entry.by, entry.position, entry.at)
    return Refused(*facts, how=how, proposed_by=proposed_by)
