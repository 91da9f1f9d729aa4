"""Who has to allow a plan before it may run, as the policy has it. No I/O here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tradex_ledger.domain.person import person
from tradex_ledger.domain.plan import Plan, judged_of
from tradex_ledger.domain.policy import ANYBODY, Policy
from tradex_ledger.domain.request import RecordedRequest


@dataclass(frozen=True, slots=True)
class Approval:
    """What a plan needs: nobody where a `rule` approves it; else one of `may_approve` (None: anybody) who is not
    `other_than`, with a `ticket` on record where the kind demands one, and a signature where it is to be `signed`."""

    rule: str | None
    may_approve: tuple[str, ...] | None
    other_than: str | None
    ticket: str | None
    signed: bool = field(default=False, metadata={"form": "if any"})  # documents say it where it is demanded


def approval_of(policy: Policy, request: RecordedRequest, plans: Sequence[Plan], requested_by: str) -> Approval:
    """Which approval a plan needs under a policy; of a request that was split, `plans` are those of all its parts.

    A forced one: who may approve *and* force, and did not ask (N13).
    """
    forced = request.kind == "forced"
    named = [names for names in (policy.may_approve, policy.may_force if forced else ANYBODY) if names != ANYBODY]
    allowed: tuple[str, ...] | None = None
    if named:
        others = [{person(name) for name in names} for names in named[1:]]
        out = {person(requested_by)} if forced else set()
        allowed = tuple(n for n in named[0] if person(n) not in out and all(person(n) in other for other in others))
    return Approval(
        rule=policy.rule_for(request.kind, judged_of(plans)),
        may_approve=allowed,
        other_than=requested_by if forced else None,
        ticket=request.ticket if forced else None,
        signed=request.kind in policy.signed,
    )


def in_words(needed: Approval) -> str:
    """The approval that a plan needs, in a sentence."""
    if needed.rule is not None:
        return f"none: approved by rule ({needed.rule})"
    who, other, ticket = needed.may_approve, needed.other_than, needed.ticket
    if who is not None and not who:
        return "of nobody there is: the policy lets no second person approve it"
    one = "of anybody" if who is None else f"of {' or '.join(who)}"
    rest = f" but {other}, who asked" if other and who is None else ""
    return f"{one}{rest}{f'; ticket {ticket}' if ticket else ''}{'; signed' if needed.signed else ''}"
