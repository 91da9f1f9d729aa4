"""A decision on record is judged by the record before it: each fact of it that is another is named."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from tests.kit.facts import FORCED_DIGEST, approved
from tests.kit.given import Fact, replay
from tests.kit.signing import REASON, key_of, private_of, sign
from tests.kit.ssh_keys import EVERY, fields, public
from tradex_ledger.domain.approver_keys import STREAM, ApproverKey, ApproverKeys
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.signed import decision_facts
from tradex_ledger.domain.signing import Signature, SignedText
from tradex_ledger.ledger.entry import Entry, parse_time
from tradex_ledger.sealing.approvals import Asked, check_approval, check_key, text_of, verified
from tradex_ledger.sealing.sshsig import signed

BODY = "tradex-ledger/ab12\n340\n" + "A" * 43 + "=\n"
AT = "2026-01-10T13:00:00.000000Z"
POLICY = Policy()
ASKED = Asked("forced", "ana")
SAID = SignedText(
    "ab12", "bf-1", FORCED_DIGEST, POLICY.digest, "approve", "ben", 341, BODY, "0" * 32, "2026-01-11T00:00:00.000000Z"
)


def key(name: str = "ben", **changes: Any) -> ApproverKey:
    own = key_of(name)
    return replace(ApproverKey(name, own.line, own.fingerprint), **changes)


def keys(*known: ApproverKey, gone: tuple[ApproverKey, ...] = ()) -> ApproverKeys:
    facts = [Fact(ApproverKeys.Added, "ana", {**asdict(k), "reason": REASON, "proposed_by": None}) for k in known]
    facts += [
        Fact(ApproverKeys.Revoked, "ana", {"name": k.name, "fingerprint": k.fingerprint, "reason": REASON})
        for k in gone
    ]
    found: ApproverKeys = replay(STREAM, (Fact(ApproverKeys.Opened, "ana"), *facts))
    return found


KEYS = keys(key(), key("eve"))


def entry(said: SignedText = SAID, by: str = "ben", signature: str | None = None, **changes: Any) -> Entry:
    """An approval on record: what is changed, is so on record only."""
    armour = signature if signature is not None else sign(said, by).signature
    facts = {**approved(FORCED_DIGEST).data, **decision_facts(Signature(said, armour, key_of(by).fingerprint))}
    return Entry(AT, "ben", {**facts, **changes}, "ab12", 342, "bf-1", "backfill.approved", 3, 3)


def code(found: Entry, known: ApproverKeys = KEYS, policy: Policy = POLICY, asked: Asked = ASKED, **more: Any) -> str:
    return check_approval(found, asked, known, policy, **more).code


def test_what_was_signed_and_recorded_holds_and_its_text_is_there_byte_for_byte():
    assert text_of(entry()).text == SAID.text
    assert check_approval(entry(), ASKED, KEYS, POLICY).holds
    unknown = replace(SAID, checkpoint=None)
    assert check_approval(entry(unknown), ASKED, KEYS, POLICY).holds


@pytest.mark.norm("N13")
def test_a_forced_approval_without_a_signature_is_named_unless_the_policy_was_of_before():
    found = entry()
    none = found._replace(data={**found.data, **dict.fromkeys(("signature", "key", "nonce", "expires"))})
    assert code(none) == "unsigned-approval"
    assert code(none._replace(data={**none.data, "rule": "at most 9 partitions"})) == "unsigned-approval"
    assert code(none, asked=Asked("temporal", "ana")) == ""
    assert code(none, policy=Policy(signed=())) == ""
    for name, value in (("key", key_of("ben").fingerprint), ("nonce", "0" * 32), ("expires", SAID.expires)):
        assert code(none._replace(data={**none.data, name: value}), policy=Policy(signed=())) == "signed-otherwise"
    old = {name: value for name, value in none.data.items() if name not in {"seen", "key", "nonce", "expires"}}
    assert code(none._replace(data=old, v=2), policy=Policy(signed=())) == ""
    assert code(none._replace(by="ana"), policy=Policy(signed=())) == "self-approval"


BENT: dict[str, tuple[Callable[[], Entry], str]] = {
    "another plan": (lambda: entry(plan_digest="f" * 64), "signature-invalid"),
    "another policy": (lambda: entry(policy_digest="f" * 64), "signature-invalid"),
    "no policy": (lambda: entry(policy_digest=None), "signature-invalid"),
    "another position": (lambda: entry(seen=340), "signature-invalid"),
    "no position": (lambda: entry(seen=None), "approval-text"),
    "a position that is none": (lambda: entry(seen=True), "approval-text"),
    "no checkpoint": (lambda: entry(checkpoint=None), "signature-invalid"),
    "another checkpoint": (lambda: entry(checkpoint=BODY.replace("340", "339")), "signature-invalid"),
    "a checkpoint that is none": (lambda: entry(checkpoint="x"), "approval-text"),
    "another nonce": (lambda: entry(nonce="1" * 32), "signature-invalid"),
    "no nonce": (lambda: entry(nonce=None), "signature-invalid"),
    "another expiry": (lambda: entry(expires="2027-01-11T00:00:00.000000Z"), "signature-invalid"),
    "another key": (lambda: entry(key=key_of("eve").fingerprint), "signed-otherwise"),
    "no key": (lambda: entry(key=None), "signature-invalid"),
    "another approver": (lambda: entry()._replace(by="eve"), "signature-invalid"),
    "another request": (lambda: entry()._replace(stream="bf-2"), "signature-invalid"),
    "another ledger": (lambda: entry()._replace(ledger="cd34"), "signature-invalid"),
    "a rejection": (lambda: entry()._replace(topic="backfill.rejected"), "signature-invalid"),
    "signed by somebody else": (lambda: entry(by="eve"), "unknown-key"),
    "signed by nobody known": (lambda: entry(by="mallory"), "unknown-key"),
    "signed for something else": (
        lambda: entry(signature=signed(SAID.text.encode(), private_of("ben"), namespace="file")),
        "signature-invalid",
    ),
    "no signature at all": (lambda: entry(signature="x"), "signature-invalid"),
    "a number for a signature": (lambda: entry(signature=7), "signature-invalid"),  # type: ignore[arg-type]  # of hostile hands
    "signed too late": (lambda: entry()._replace(at="2026-01-11T00:05:00.000001Z"), "signature-expired"),
}


@pytest.mark.norm("N13")
@pytest.mark.parametrize("how", BENT)
def test_each_fact_of_a_decision_that_is_another_is_named(how: str):
    made, said = BENT[how]
    assert code(made()) == said


def test_what_is_on_its_way_when_its_time_ends_is_no_forgery():
    assert code(entry()._replace(at="2026-01-11T00:00:09.000000Z")) == ""
    ends = keys(key(valid_before="2026-01-10T12:59:59Z"))
    assert code(entry(), ends) == ""
    assert code(entry(), keys(key(valid_before="2026-01-10T12:54:59Z"))) == "key-not-valid"


def test_a_key_counts_by_what_stood_before_the_decision():
    assert code(entry(), keys()) == "unknown-key"
    assert code(entry(), keys(key(), gone=(key(),))) == "key-not-valid"
    assert code(entry(), keys(key(valid_after="2026-01-10T13:00:01Z"))) == "key-not-valid"
    assert code(entry(), keys(key(namespaces="file"))) == "key-not-valid"
    assert code(entry(), keys(key(name="maria"))) == "unknown-key"


def test_a_policy_of_another_digest_did_not_allow_it():
    assert code(entry(), policy=Policy(batch_mb=17)) == "signed-otherwise"


def of_keys(topic: str, facts: dict[str, Any], by: str = "ana") -> Entry:
    return Entry(AT, by, facts, "ab12", 9, STREAM, f"approver_keys.{topic}", 1, 2)


def test_a_key_is_put_on_record_by_whom_the_policy_lets_do_that():
    facts = {**asdict(key()), "reason": REASON, "proposed_by": None}
    named = Policy(may_set_policy=("ana", "ben"))
    proposed: ApproverKeys = replay(
        STREAM,
        (Fact(ApproverKeys.Opened, "ana"), Fact(ApproverKeys.Proposed, "ana", {**asdict(key()), "reason": REASON})),
    )
    two = {**facts, "proposed_by": "ana"}
    assert check_key(of_keys("added", facts), keys(), POLICY).holds
    assert check_key(of_keys("added", two, "ben"), proposed, named).holds
    assert check_key(of_keys("revoked", {"name": "ben"}), keys(), POLICY).holds
    for by, said in (("ana", ""), ("eve", ""), ("carla", "not-allowed")):
        assert check_key(of_keys("revoked", {"name": "eve"}, by), keys(), named).code == said
    for wrong, known, by, said in (
        (facts, proposed, "ana", "no-key-proposal"),
        (two, keys(), "ben", "no-key-proposal"),
        (two, proposed, "ana", "self-approval"),
        ({**two, "name": "eve"}, proposed, "ben", "no-key-proposal"),
        ({**two, "valid_before": "2030-01-01T00:00:00Z"}, proposed, "ben", "no-key-proposal"),
        ({**two, "key": key_of("eve").line}, proposed, "ben", "no-key-proposal"),
    ):
        assert check_key(of_keys("added", wrong, by), known, named).code == said
    assert check_key(of_keys("added", facts), KEYS, POLICY).code == "key-there"
    for topic in ("added", "proposed"):
        assert check_key(of_keys(topic, {**facts, "key": key_of("eve").line}), keys(), POLICY).code == "unknown-key"
        assert check_key(of_keys(topic, {**facts, "key": "x"}), keys(), POLICY).code == "ssh-key"


def test_a_nonce_signs_once():
    assert code(entry(), used={"1" * 32}) == ""
    assert code(entry(), used={SAID.nonce}) == "signature-used"


@pytest.mark.parametrize("kind", EVERY)
def test_keys_of_every_kind_approve_and_a_check_takes_no_time(kind: str):
    own = public(kind)
    known = keys(ApproverKey("ben", own.line, own.fingerprint))
    armour = fields(kind, SAID.text.encode()).armour()
    assert verified(SAID, armour, known, ledger="ab12", at=parse_time(AT)).key == own.fingerprint
    found = entry(signature=armour, key=own.fingerprint)
    times = []
    for _ in range(20):
        began = time.perf_counter()
        assert code(found, known) == ""
        times.append(time.perf_counter() - began)
    assert min(times) < 0.0015
