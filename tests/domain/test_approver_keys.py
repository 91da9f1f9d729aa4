"""Keys that sign: put on record by one person as long as anybody may, else by two, and judged by what stood before."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.kit.given import AT, Fact, given, replay
from tests.kit.signing import REASON, key_of
from tradex_ledger.domain.approver_keys import STREAM, ApproverKey, ApproverKeys
from tradex_ledger.domain.policy import NotAllowedError, Policy
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

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
BEN = ApproverKey("ben", key_of("ben").line, key_of("ben").fingerprint)
MARIA = ApproverKey("maria", key_of("maria").line, key_of("maria").fingerprint)
OPENED = Fact(ApproverKeys.Opened, "ana")
NAMED = Policy(may_set_policy=("ana", "ben"))


def added(key: ApproverKey = BEN, by: str = "ana", proposed_by: str | None = None) -> Fact:
    return Fact(ApproverKeys.Added, by, {**asdict(key), "reason": REASON, "proposed_by": proposed_by})


def proposed(key: ApproverKey = BEN, by: str = "ana") -> Fact:
    return Fact(ApproverKeys.Proposed, by, {**asdict(key), "reason": REASON})


def revoked(key: ApproverKey = BEN, by: str = "ana") -> Fact:
    return Fact(ApproverKeys.Revoked, by, {"name": key.name, "fingerprint": key.fingerprint, "reason": REASON})


def keys(*facts: Fact) -> Any:
    return given(ApproverKeys, OPENED, *facts, stream=STREAM)


def add(key: ApproverKey = BEN, by: str = "ana", policy: Policy | None = None) -> Any:
    return lambda known: known.add(key, reason=REASON, by=by, policy=policy or Policy())


def test_one_person_puts_a_key_on_record_as_long_as_anybody_may():
    keys().when(add()).then(added())


def test_once_persons_are_named_one_proposes_and_another_approves():
    keys().when(add(policy=NAMED)).then(proposed())
    approve: Any = lambda by, policy=NAMED: lambda k: k.approve(BEN.digest[:12], by=by, policy=policy, now=NOW)  # noqa: E731
    keys(proposed()).when(approve("ben")).then(added(by="ben", proposed_by="ana"))
    assert keys(proposed()).when(approve("ANA ")).refused(OwnKeyError).code == "self-approval"
    keys(proposed()).when(approve("carla")).refused(NotAllowedError, "may not set_policy")
    keys(proposed()).when(approve("ben", Policy(may_set_keys=("ben", "carla")))).refused(NotAllowedError, "ana may not")
    alone = Policy(may_set_keys=("ana",), may_approve=("ben",))
    keys(proposed()).when(approve("ben", alone)).then(added(by="ben", proposed_by="ana"))
    keys().when(add(by="carla", policy=NAMED)).refused(NotAllowedError, "may not set_policy")


def test_nobody_puts_a_key_of_their_own_on_record_alone_where_two_are_demanded():
    mine = replace(BEN, name="ana")
    keys().when(add(mine, policy=NAMED)).then(proposed(mine))
    known = replay(STREAM, (OPENED, proposed(mine)))
    with pytest.raises(UnknownKeyError):
        known.check_counts("ana", mine.fingerprint, NOW)


def test_a_proposal_is_answered_once_and_in_time():
    late = NOW + timedelta(days=31)
    keys(proposed()).when(lambda k: k.approve(BEN.digest, by="ben", policy=NAMED, now=late)).refused(
        ExpiredKeyProposalError
    )
    said = Fact(ApproverKeys.Rejected, "ben", {"fingerprint": BEN.fingerprint, "reason": REASON})
    keys(proposed()).when(lambda k: k.reject(BEN.digest, reason=REASON, by="ben", policy=NAMED)).then(said)
    withdrawn = replace(said, by="ana")
    keys(proposed()).when(
        lambda k: k.reject(BEN.digest, reason=REASON, by="ana", policy=Policy(may_set_keys=("c",)))
    ).then(withdrawn)
    for past in ((), (proposed(), said), (proposed(), added(by="ben"))):
        keys(*past).when(lambda k: k.approve(BEN.digest, by="ben", policy=NAMED, now=NOW)).refused(NoKeyProposalError)


def test_what_is_approved_is_what_was_proposed_last_and_was_seen():
    wider = replace(BEN, valid_before="2030-01-01T00:00:00Z")
    past = keys(proposed(), proposed(wider))
    past.when(lambda k: k.approve(BEN.digest, by="ben", policy=NAMED, now=NOW)).refused(NoKeyProposalError)
    keys(proposed(), proposed(wider)).when(lambda k: k.approve(wider.digest, by="ben", policy=NAMED, now=NOW)).then(
        added(wider, by="ben", proposed_by="ana")
    )


def test_a_key_is_one_persons_and_is_put_on_record_once():
    for other in (BEN, replace(BEN, name="maria")):
        keys(added()).when(add(other)).refused(KeyThereError, "is on record as a key of ben")
        keys(added(), revoked()).when(add(other)).refused(KeyThereError, "was revoked")


def test_a_key_for_something_else_is_not_put_on_record():
    keys().when(add(replace(BEN, namespaces="file,git"))).refused(OtherPurposeError, "file,git")
    fit = replace(BEN, namespaces="file,approval@*")
    keys().when(add(fit)).then(added(fit))


def test_who_may_set_keys_revokes_one_and_whose_it_is_does_too():
    revoke: Any = lambda by, given="ben": lambda k: k.revoke(given, reason=REASON, by=by, policy=NAMED)  # noqa: E731
    keys(added()).when(revoke("ana")).then(revoked())
    keys(added(MARIA)).when(revoke("Maria", MARIA.fingerprint[:16])).then(revoked(MARIA, "Maria"))
    keys(added()).when(revoke("carla")).refused(NotAllowedError)
    keys(added(), revoked()).when(revoke("ana", BEN.fingerprint)).refused(KeyThereError, "revoked already")
    keys(added()).when(revoke("ana", "SHA256:")).refused(NoApproverKeyError)
    twice = replace(MARIA, name="ben")
    keys(added(), added(twice)).when(revoke("ana")).refused(NoApproverKeyError, "2 keys")


def test_a_key_counts_for_its_person_from_its_event_on_until_it_is_revoked():
    known = replay(STREAM, (OPENED, added()))
    assert known.check_counts("BEN ", BEN.fingerprint, NOW) == BEN
    for name, fingerprint in (("maria", BEN.fingerprint), ("ben", MARIA.fingerprint)):
        with pytest.raises(UnknownKeyError):
            known.check_counts(name, fingerprint, NOW)
    gone = replay(STREAM, (OPENED, added(), revoked()))
    with pytest.raises(KeyNotValidError, match=f"was revoked at {AT[:10]}"):
        gone.check_counts("ben", BEN.fingerprint, NOW)


@pytest.mark.parametrize(
    ("after", "before", "counts"),
    [
        (None, None, True),
        ("2026-01-10T12:00:00Z", None, True),
        ("2026-01-10T12:00:01Z", None, False),
        (None, "2026-01-10T12:00:00Z", True),
        (None, "2026-01-10T11:59:59Z", False),
    ],
)
def test_a_key_counts_within_its_times_by_that_of_the_ledger(after: str | None, before: str | None, counts: bool):
    known = replay(STREAM, (OPENED, added(replace(BEN, valid_after=after, valid_before=before))))
    if counts:
        assert known.check_counts("ben", BEN.fingerprint, NOW)
        return
    with pytest.raises(KeyNotValidError, match="count"):
        known.check_counts("ben", BEN.fingerprint, NOW)
