"""Whether what was signed is what is decided, and what an event says of it. No I/O here."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.signing import Basis, Knowledge, Signature
from tradex_ledger.domain.signing_errors import SignatureExpiredError, SignedOtherwiseError


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision on a plan: its digest, that of the policy it was decided under, and who decides."""

    request: str
    decision: str
    plan: str
    policy: str
    approver: str


def decided_on(on: Basis, decided: Decided, now: datetime | None) -> Facts:
    """What an event says of what was decided on. `now` is the ledger's time; None where nothing can expire.

    Raises: `SignedOtherwiseError` unless what was signed is this very decision, `SignatureExpiredError`.
    """
    if isinstance(on, Signature):
        for name in (field.name for field in fields(Decided)):
            signed, here = getattr(on.said, name), getattr(decided, name)
            if signed != here:
                raise SignedOtherwiseError(decided.request, name, signed, here)
        if now is not None and on.said.is_over(now):
            raise SignatureExpiredError(decided.request, on.said.expires)
    return decision_facts(on)


def decision_facts(on: Basis) -> Facts:
    """The same, unchecked. With request, plan, policy, decision and approver, which the event says anyway, that is all
    of the signed text: see `SignedText`.
    """
    if isinstance(on, Knowledge):
        return {"seen": on.seen, "checkpoint": on.checkpoint, **dict.fromkeys(("signature", "key", "nonce", "expires"))}
    said = on.said
    return {
        "seen": said.position,
        "checkpoint": said.checkpoint,
        "signature": on.armoured,
        "key": on.key,
        "nonce": said.nonce,
        "expires": said.expires,
    }
