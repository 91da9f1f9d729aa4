"""Signed decisions: verified when they are made, and again from the record alone, by anybody, whenever they like."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta

from tradex_ledger.domain.approver_keys import ApproverKey, ApproverKeys, setters
from tradex_ledger.domain.backfill_errors import SelfApprovalError
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.person import person
from tradex_ledger.domain.policy import ANYBODY, ERASE, Policy
from tradex_ledger.domain.signed import Decided, decided_on
from tradex_ledger.domain.signing import APPROVE, NAMESPACE, REJECT, ApprovalTextError, Signature, SignedText
from tradex_ledger.domain.signing_errors import (
    KeyThereError,
    NoKeyProposalError,
    OwnKeyError,
    SignedOtherwiseError,
    UnknownKeyError,
)
from tradex_ledger.errors import TradexError
from tradex_ledger.ledger.entry import Entry, parse_time
from tradex_ledger.sealing.ssh_key import key_of_line
from tradex_ledger.sealing.sshsig import InvalidSignatureError, parsed

ERASURE = "dataset.erasure_approved"
DECISIONS = {"backfill.approved": APPROVE, "backfill.rejected": REJECT, ERASURE: APPROVE}
"""The topics of decisions that may be signed."""
ON_ITS_WAY = timedelta(minutes=5)
"""What may pass between a decision, which looks at the time, and the event, which is given one when it is stored."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of a decision on record. `code` is "" where nothing is, else that of an error; `signed` says
    whether it has a signature at all."""

    signed: bool
    code: str = ""
    why: str = ""

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.code


@dataclass(frozen=True, slots=True)
class Asked:
    """What the request says that a decision is on: its kind, and by whom."""

    kind: str
    by: str


def verified(said: SignedText, armoured: str, keys: ApproverKeys, *, ledger: str, at: datetime) -> Signature:
    """A signature over that text, by a key that is on record as the approver's and counts at that time.

    Raises: `SignedOtherwiseError` for another ledger, `InvalidSignatureError`, `UnknownKeyError`, `KeyNotValidError`.
    """
    if said.ledger != ledger:
        raise SignedOtherwiseError(said.request, "ledger", said.ledger, ledger)
    key = parsed(armoured).check(said.text.encode("utf-8"), namespace=NAMESPACE)
    keys.check_counts(said.approver, key.fingerprint, at)
    return Signature(said, armoured, key.fingerprint)


def check_approval(
    entry: Entry, asked: Asked, keys: ApproverKeys, policy: Policy, *, used: Container[str] = ()
) -> Verdict:
    """What is to be said of an approval or a rejection on record, judged by the record as it was before it.

    `keys` are those of the events before it, `policy` the one on record then, `used` the nonces of decisions before
    it. Pure: it reads nothing but what it is given, and does not raise for what an event may say.
    """
    facts = entry.data
    signed = facts.get("signature") is not None
    try:
        if DECISIONS[entry.topic] == APPROVE and facts.get("rule") is None:
            _check_person(entry, asked)
        if not signed:
            return _unsigned(entry, asked, policy)
        said = text_of(entry)
        if said.nonce in used:
            return Verdict(True, "signature-used", f"its nonce {said.nonce} signed another decision before it")
        early = parse_time(entry.at) - ON_ITS_WAY
        signature = _verified_on_record(said, facts, keys, entry, early)
        decided = Decided(entry.stream, DECISIONS[entry.topic], _text(facts, "plan_digest"), policy.digest, entry.by)
        decided_on(signature, decided, early)
        if facts.get("key") != signature.key:
            raise SignedOtherwiseError(entry.stream, "key", signature.key, facts.get("key"))
    except TradexError as error:
        return Verdict(signed, error.code, error.message)
    return Verdict(True)


def _verified_on_record(said: SignedText, facts: Facts, keys: ApproverKeys, entry: Entry, early: datetime) -> Signature:
    """It counted when it was stored, or in the moment before, when it was looked at."""
    at = parse_time(entry.at)
    key = keys.keys.get(_text(facts, "key"))
    if key is not None and key.valid_before and at > datetime.fromisoformat(key.valid_before):
        at = early
    return verified(said, _text(facts, "signature"), keys, ledger=entry.ledger, at=at)


def _unsigned(entry: Entry, asked: Asked, policy: Policy) -> Verdict:
    if any(entry.data.get(name) is not None for name in ("key", "nonce", "expires")):
        return Verdict(False, "signed-otherwise", f"{entry.stream}: it says how it was signed, and has no signature")
    if DECISIONS[entry.topic] == APPROVE and asked.kind in policy.signed:
        return Verdict(False, "unsigned-approval", f"{entry.stream} is {asked.kind}: its approval is to be signed")
    return Verdict(False)


def _check_person(entry: Entry, asked: Asked) -> None:
    """A forced one is approved by somebody else than who asked (N13), and so is an erasure."""
    if asked.kind in {"forced", ERASE} and person(entry.by) == person(asked.by):
        raise SelfApprovalError(entry.stream, entry.by)


def text_of(entry: Entry) -> SignedText:
    """The text that a decision on record was signed over, byte for byte. Raises: `ApprovalTextError`."""
    facts, position = entry.data, entry.data.get("seen")
    if type(position) is not int:
        raise ApprovalTextError(f"its position is {position!a}")
    checkpoint = facts.get("checkpoint")
    return SignedText(
        ledger=entry.ledger,
        request=entry.stream,
        plan=_text(facts, "plan_digest"),
        policy=_text(facts, "policy_digest"),
        decision=DECISIONS[entry.topic],
        approver=entry.by,
        position=position,
        checkpoint=None if checkpoint is None else _text(facts, "checkpoint"),
        nonce=_text(facts, "nonce"),
        expires=_text(facts, "expires"),
    )


def _text(facts: Facts, name: str) -> str:
    value = facts.get(name)
    if not isinstance(value, str):
        raise InvalidSignatureError(f"its {name} is {value!a}, and no text")
    return value


def check_key(entry: Entry, keys: ApproverKeys, policy: Policy) -> Verdict:
    """What is to be said of an event on the keys that sign, judged by the record as it was before it.

    A key has the fingerprint that it says, and was put on record by whom the policy lets do that: by two persons, once
    persons are named. Pure, as `check_approval` is.
    """
    facts = entry.data
    try:
        if entry.topic == "approver_keys.added":
            _check_added(entry, keys, policy)
        elif entry.topic == "approver_keys.revoked" and person(_text(facts, "name")) != person(entry.by):
            policy.check_may("set_keys", entry.by)
        if entry.topic in {"approver_keys.added", "approver_keys.proposed"}:
            key = key_of_line(_text(facts, "key"))
            if (key.line, key.fingerprint) != (facts.get("key"), facts.get("fingerprint")):
                raise UnknownKeyError(_text(facts, "name"), key.fingerprint)
    except TradexError as error:
        return Verdict(False, error.code, error.message)
    return Verdict(False)


def _check_added(entry: Entry, keys: ApproverKeys, policy: Policy) -> None:
    facts, fingerprint = entry.data, _text(entry.data, "fingerprint")
    if fingerprint in keys.keys:
        raise KeyThereError(fingerprint, keys.keys[fingerprint].name, "was on record already")
    if setters(policy) == ANYBODY:
        return  # and so may whoever it was
    asked = [one for one in keys.proposals.values() if one.key.fingerprint == fingerprint]
    said = {field.name: facts.get(field.name) for field in fields(ApproverKey)}
    if not asked or asdict(asked[0].key) != said or facts.get("proposed_by") != asked[0].by:
        raise NoKeyProposalError(fingerprint, [one.key.fingerprint for one in asked])
    if person(asked[0].by) == person(entry.by):
        raise OwnKeyError(entry.by, fingerprint)
