"""The text that is signed: one text for some facts, one reading of a text, and no value that forges a line."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.kit.facts import DIGEST, FORCED_DIGEST, REASON, approved, forced, planned, rejected, requested
from tests.kit.given import Fact
from tests.kit.given import given as story
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.backfill_errors import SelfApprovalError, UnsignedApprovalError
from tradex_ledger.domain.patterns import matches
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.policy_text import PolicyValueError, policy_of, policy_on_record
from tradex_ledger.domain.signing import ApprovalTextError, Knowledge, Signature, SignedText, parsed
from tradex_ledger.domain.signing_errors import SignatureExpiredError, SignedOtherwiseError

BODY = "tradex-ledger/ab12\n340\n" + "A" * 43 + "=\n"
NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
SAID = SignedText(
    ledger="ab12",
    request="bf-1",
    plan=FORCED_DIGEST,
    policy=Policy().digest,
    decision="approve",
    approver="ben",
    position=341,
    checkpoint=BODY,
    nonce="0" * 32,
    expires="2026-01-10T12:00:00.000000Z",
)
SIGNATURE = Signature(SAID, "an armoured signature", "SHA256:abc")
FACTS: dict[str, Any] = {
    "seen": 341,
    "checkpoint": BODY,
    "signature": "an armoured signature",
    "key": "SHA256:abc",
    "nonce": SAID.nonce,
    "expires": SAID.expires,
}


def test_the_text_has_a_fixed_order_a_line_each():
    assert SAID.text == (
        "tradex-ledger approval v1\n"
        "ledger: ab12\n"
        "request: bf-1\n"
        f"plan: {FORCED_DIGEST}\n"
        f"policy: {Policy().digest}\n"
        "decision: approve\n"
        "approver: ben\n"
        "position: 341\n"
        f"checkpoint: tradex-ledger/ab12 340 {'A' * 43}=\n"
        f"nonce: {'0' * 32}\n"
        "expires: 2026-01-10T12:00:00.000000Z\n"
    )
    assert parsed(SAID.text) == SAID
    assert "checkpoint: none\n" in (unknown := replace(SAID, checkpoint=None)).text
    assert parsed(unknown.text) == unknown


@pytest.mark.parametrize("name", [field.name for field in fields(SignedText)])
@given(data=st.data())
def test_no_value_forges_a_line(name: str, data: st.DataObject):
    value: Any = data.draw(st.text(max_size=80) | st.sampled_from([f"x\n{name}: y", "x\u2028y", "x\r", " ben", ""]))
    try:
        made = replace(SAID, **{name: value})
    except ApprovalTextError as error:
        assert name in error.message
        return
    assert made.text.count("\n") == SAID.text.count("\n")
    assert parsed(made.text) == made or name == "position"


@given(st.integers(0, len(SAID.text) - 1), st.characters(codec="utf-8", max_codepoint=0x3000))
def test_another_text_has_another_reading_or_none(at: int, other: str):
    for bent in (SAID.text[:at] + other + SAID.text[at:], SAID.text[:at] + other + SAID.text[at + 1 :], SAID.text[:at]):
        assume(bent != SAID.text)
        try:
            assert parsed(bent) != SAID
        except ApprovalTextError:
            continue


@pytest.mark.parametrize(
    "bent",
    [
        "",
        SAID.text + "\n",
        SAID.text.removesuffix("\n"),
        SAID.text.replace("\n", "\r\n"),
        SAID.text.replace("v1", "v2"),
        SAID.text.replace("position: 341", "position: 0341"),
        SAID.text.replace("position: 341", "position: ٣٤١"),
        SAID.text.replace("nonce: ", "nonce:  "),
        SAID.text.replace("plan: ", "Plan: "),
        SAID.text.replace("request: bf-1\n", ""),
        SAID.text.replace("request: bf-1\n", "request: bf-1\nrequest: bf-1\n"),
        SAID.text + "more: x\n",
        SAID.text.replace(" 340 ", " 0340 "),
        SAID.text.replace("approve\n", "approves\n"),
        "x" * 10_000,
    ],
)
def test_what_is_written_otherwise_is_no_text(bent: str):
    with pytest.raises(ApprovalTextError):
        parsed(bent)


# -- what it takes to approve


def signing(**changes: Any) -> Signature:
    return replace(SIGNATURE, said=replace(SAID, **changes))


@pytest.mark.norm("N13")
def test_a_forced_backfill_is_approved_with_a_signature_and_not_without():
    past = story(Backfill, *forced("PLANNED"))
    error = past.when(lambda b: b.approve(FORCED_DIGEST, by="ben", policy=Policy())).refused(UnsignedApprovalError)
    assert "--sign" in error.mend
    signed = {**approved(FORCED_DIGEST).data, **FACTS}
    made = past.when(lambda b: b.approve(FORCED_DIGEST, by="ben", policy=Policy(), now=NOW, on=SIGNATURE))
    assert made.then(Fact(Backfill.Approved, "ben", signed)).approved_key == "SHA256:abc"


def test_which_kinds_are_signed_is_the_policys_and_no_rule_approves_them():
    policy = Policy(signed=("temporal", "forced"), rule_max_partitions=1000)
    past = story(Backfill, requested(), planned())
    past.when(lambda b: b.approve(DIGEST, by="ben", policy=policy)).refused(UnsignedApprovalError, "temporal")
    past.when(lambda b: b.approve_by_rule(by="ana", policy=policy)).then()
    free = Policy(signed=())
    story(Backfill, *forced("PLANNED")).when(lambda b: b.approve(FORCED_DIGEST, by="ben", policy=free)).then(
        approved(FORCED_DIGEST, policy=free)
    )


@pytest.mark.norm("N13")
def test_a_signature_is_no_second_person():
    by: Any = {"by": "ana", "policy": Policy(), "now": NOW, "on": signing(approver="ana")}
    story(Backfill, *forced("PLANNED")).when(lambda b: b.approve(FORCED_DIGEST, **by)).refused(SelfApprovalError)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request", "bf-2"),
        ("plan", "f" * 64),
        ("policy", "f" * 64),
        ("decision", "reject"),
        ("approver", "Ben"),
        ("approver", "maria"),
    ],
)
def test_what_was_signed_is_what_is_decided(name: str, value: str):
    bent = signing(**{name: value})
    error = (
        story(Backfill, *forced("PLANNED"))
        .when(lambda b: b.approve(FORCED_DIGEST, by="ben", policy=Policy(), now=NOW, on=bent))
        .refused(SignedOtherwiseError, f"its {name} is {value}")
    )
    assert error.code == "signed-otherwise"


def test_a_signature_counts_until_its_time_by_that_of_the_ledger():
    late = NOW + timedelta(microseconds=1)
    story(Backfill, *forced("PLANNED")).when(
        lambda b: b.approve(FORCED_DIGEST, by="ben", policy=Policy(), now=late, on=SIGNATURE)
    ).refused(SignatureExpiredError, "2026-01-10T12:00")


def test_a_rejection_may_be_signed_and_need_not_be():
    past = story(Backfill, *forced("PLANNED"))
    plain: Any = {**rejected().data, "plan_digest": FORCED_DIGEST}
    past.when(lambda b: b.reject(reason=REASON, by="ben", policy=Policy())).then(Fact(Backfill.Rejected, "ben", plain))
    past = story(Backfill, *forced("PLANNED"))
    on = signing(decision="reject")
    past.when(lambda b: b.reject(reason=REASON, by="ben", policy=Policy(), now=NOW, on=on)).then(
        Fact(Backfill.Rejected, "ben", {**plain, **FACTS})
    )
    past = story(Backfill, *forced("PLANNED"))
    past.when(lambda b: b.reject(reason=REASON, by="ben", policy=Policy(), now=NOW, on=SIGNATURE)).refused(
        SignedOtherwiseError, "decision is approve"
    )


def test_what_was_known_is_told_without_a_signature_too():
    knew = Knowledge(20, BODY)
    data = {**approved().data, "seen": 20, "checkpoint": BODY}
    story(Backfill, requested(), planned()).when(lambda b: b.approve(DIGEST, by="ben", policy=Policy(), on=knew)).then(
        Fact(Backfill.Approved, "ben", data)
    )


# -- the setting


def test_a_policy_of_before_signatures_demands_none():
    assert Policy().signed == ("forced",)
    assert policy_of({}).signed == ("forced",)
    assert policy_on_record("batch_mb = 16\n", "").signed == ()
    assert policy_on_record('signed = ["forced"]\n', "").signed == ("forced",)
    assert policy_on_record("batch_mb = 16\n", "").differences(policy_of({"batch_mb": 16})) == {
        "signed": ((), ("forced",))
    }


def test_the_digests_of_a_policy_of_before_are_still_known():
    before, today = policy_on_record("batch_mb = 17\n", ""), Policy(batch_mb=17)
    assert before.digests() - {before.digest} == today.digests() - {today.digest} != set()
    assert len(Policy(signed=("temporal",)).digests()) == 1


@pytest.mark.parametrize("value", [["often"], ["forced", "temporal", "x"], "forced", [""]])
def test_a_kind_that_there_is_not_is_refused(value: object):
    with pytest.raises(PolicyValueError, match="signed"):
        policy_of({"signed": value})


def test_a_kind_that_needs_no_approval_is_not_signed():
    with pytest.raises(PolicyValueError, match="signed has temporal, which needs no approval"):
        policy_of({"signed": ["temporal"], "needs_approval": ["forced"]})


@pytest.mark.parametrize(
    ("patterns", "found"),
    [("a@b", True), ("*", True), ("x,a@?", True), ("a@b,!a@*", False), ("!x,a@b", True), ("", False), ("a.b", False)],
)
def test_patterns_are_those_of_openssh(patterns: str, found: bool):
    assert matches(patterns, "a@b") is found
