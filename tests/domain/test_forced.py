"""The forced backfill: the exception, allowed by a second person, and the only one that may move the state."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.kit.facts import (
    DIGEST,
    FORCED_DIGEST,
    JAN_1,
    JAN_8,
    REASON,
    SUMMARY,
    approved,
    built,
    forced,
    held,
    opened,
    planned,
    published,
    released,
    request,
    requested,
    state_overridden,
    submitted,
    totals,
)
from tests.kit.given import Fact, fact_of, given, replay
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.backfill_errors import ApprovalOutdatedError, SelfApprovalError
from tradex_ledger.domain.base import WrongStateError
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.pipeline_state import PipelineState, StateProtectedError
from tradex_ledger.domain.plan import Judged
from tradex_ledger.domain.policy import NotAllowedError, Policy
from tradex_ledger.domain.reason import PlaceholderReasonError
from tradex_ledger.domain.request import CursorError, ForcedNeedsTicketError, StateOverrideRefusedError

POLICY = Policy()
UNSIGNED = Policy(signed=())
"""Signatures have stories of their own: `test_signing.py`."""
ORDER: dict[str, Any] = {
    "kind": "forced",
    "dataset": "bronze_x_posts",
    "first": date(2024, 1, 3),
    "last": date(2024, 1, 4),
    "override_state": True,
    "cursor": JAN_1,
    "ticket": "INC-4300",
    "priority": "high",
    "reason": REASON,
}
OVERRIDDEN = Fact(PipelineState.Overridden, "driver", {"run": "bf-1", "cursor_before": JAN_8, "cursor": JAN_1})


def submit(**changes: Any) -> Backfill:
    return submitted(**{**ORDER, **changes})


@pytest.mark.norm("N13")
@pytest.mark.norm("N21")
@pytest.mark.norm("N22")
def test_a_forced_request_declares_the_state_the_cursor_and_the_ticket():
    given(Backfill).when(lambda _: submit()).then(*forced("PLANNED")[:1])


@pytest.mark.norm("N13")
@pytest.mark.norm("N21")
def test_a_forced_backfill_need_not_move_the_state():
    made = submit(override_state=False, cursor=None)
    assert (made.request.state_use, made.request.cursor) == ("ignore", None)


@pytest.mark.norm("N13")
@pytest.mark.norm("N20")
@pytest.mark.norm("N21")
@pytest.mark.parametrize("kind", ["temporal", "dataset", "logical"])
def test_no_other_kind_may_override_the_state(kind: str):
    error = given(Backfill).when(lambda _: submit(kind=kind)).refused(StateOverrideRefusedError, kind)
    assert error.code == "state-protected"


@pytest.mark.norm("N13")
@pytest.mark.parametrize("ticket", [None, "", "   "])
def test_a_forced_backfill_needs_a_ticket(ticket: str | None):
    assert "--ticket" in given(Backfill).when(lambda _: submit(ticket=ticket)).refused(ForcedNeedsTicketError).mend


@pytest.mark.norm("N13")
def test_a_forced_backfill_needs_a_reason_of_substance():
    given(Backfill).when(lambda _: submit(reason="forced fix")).then(
        Fact(Backfill.Requested, "ana", {**forced("PLANNED")[0].data, "reason": "forced fix"})
    )
    given(Backfill).when(lambda _: submit(reason="fix it please")).refused(PlaceholderReasonError)


@pytest.mark.norm("N21")
@pytest.mark.norm("N22")
def test_a_cursor_is_named_if_and_only_if_the_state_is_overridden():
    given(Backfill).when(lambda _: submit(cursor=None)).refused(CursorError, "no cursor is named")
    given(Backfill).when(lambda _: submit(override_state=False)).refused(CursorError, "not to be overridden")
    given(Backfill).when(lambda _: submit(kind="temporal", override_state=False)).refused(CursorError)


@pytest.mark.norm("N21")
@pytest.mark.parametrize(
    ("cursor", "match"),
    [
        *((text, "is no cursor") for text in ("2024-01-01", "yesterday", "", "2024-13-01T00:00:00.000000Z")),
        *((text, "is no cursor") for text in ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00.000000+01:00")),
        ("2024-01-11T00:00:00.000000Z", "future: today is 2024-01-10"),
    ],
)
def test_a_cursor_is_a_time_of_the_past_as_the_state_stores_it(cursor: str, match: str):
    assert given(Backfill).when(lambda _: submit(cursor=cursor)).refused(CursorError, match).mend


# -- approval: four eyes


@pytest.mark.norm("N13")
def test_a_forced_backfill_is_approved_by_a_second_person():
    story = given(Backfill, *forced("PLANNED")).when(lambda b: b.approve(FORCED_DIGEST, by="ben", policy=UNSIGNED))
    assert story.then(approved(FORCED_DIGEST, policy=UNSIGNED)).approved_by == "ben"


@pytest.mark.norm("N13")
@pytest.mark.parametrize("by", ["ana", "ANA", " ana ", "Ana", "ａｎａ", "\tana\n"])
def test_who_requests_a_forced_backfill_does_not_approve_it_in_any_spelling(by: str):
    error = (
        given(Backfill, *forced("PLANNED"))
        .when(lambda b: b.approve(FORCED_DIGEST, by=by, policy=Policy(may_force=("ana", "ben"))))
        .refused(SelfApprovalError)
    )
    assert error.code == "self-approval"


@pytest.mark.norm("N13")
def test_who_requests_a_forced_backfill_does_not_release_it_when_it_is_held():
    candidates = replay("bf-1", forced()).candidates_digest()
    past = (*forced(), held(candidates))
    release: Any = lambda by, policy=None: lambda b: b.release(reason=REASON, by=by, policy=policy or Policy())  # noqa: E731
    error = given(Backfill, *past).when(release("ANA ")).refused(SelfApprovalError, "cannot release it")
    assert error.code == "self-approval"
    given(Backfill, *past).when(release("carla", policy=Policy(may_force=("ben",)))).refused(NotAllowedError)
    given(Backfill, *past).when(release("carla", policy=Policy(may_approve=("ben",)))).refused(NotAllowedError)
    given(Backfill, *past).when(release("ben")).then(released(candidates))


NOW_REFUSED: dict[str, Policy] = {
    "ana may not request": Policy(may_request=("ben",), signed=()),
    "ana may not force": Policy(may_force=("ben",), signed=()),
    "ben may not approve": Policy(may_approve=("carla",), signed=()),
    "ben may not force": Policy(may_force=("ana",), signed=()),
    "the policy allows 1": Policy(max_partitions=1, signed=()),
    "lets nobody approve without a signature": Policy(),
}


@pytest.mark.norm("N13")
@pytest.mark.parametrize("why", NOW_REFUSED)
def test_what_the_policy_of_today_would_refuse_is_not_driven(why: str):
    past = forced("APPROVED")
    error = (
        given(Backfill, *past)
        .when(lambda b: b.check_still_allowed(NOW_REFUSED[why]))
        .refused(ApprovalOutdatedError, why)
    )
    assert "backfill cancel bf-1" in error.mend
    replay("bf-1", past).check_still_allowed(UNSIGNED)


@pytest.mark.norm("N13")
def test_a_rule_approves_for_as_long_as_it_is_the_policy():
    past = (requested(), planned(), approved(by="ana", rule="at most 9 partitions"))
    replay("bf-1", past).check_still_allowed(Policy(rule_max_partitions=9, may_approve=("ben",)))
    given(Backfill, *past).when(lambda b: b.check_still_allowed(Policy())).refused(ApprovalOutdatedError, "at most 9")


@pytest.mark.norm("N13")
def test_other_kinds_may_be_approved_by_who_requested_them():
    story = given(Backfill, requested(), planned()).when(lambda b: b.approve(DIGEST, by="ana", policy=Policy()))
    story.then(approved(by="ana"))


@pytest.mark.norm("N13")
def test_who_may_not_force_neither_requests_nor_approves_a_forced_backfill():
    strict = Policy(may_force=("ben",))
    given(Backfill).when(lambda _: submit(policy=strict)).refused(NotAllowedError, "may not force")
    given(Backfill, *forced("PLANNED")).when(lambda b: b.approve(FORCED_DIGEST, by="carla", policy=strict)).refused(
        NotAllowedError, "may not force"
    )


@pytest.mark.norm("N13")
def test_no_rule_approves_a_forced_backfill():
    # a policy that no settings file can bring about: even so
    for policy in (Policy(rule_max_partitions=1_000_000), Policy(needs_approval=())):
        assert policy.rule_for("forced", Judged(1, 1, 1)) is None
        given(Backfill, *forced("PLANNED")).when(
            lambda b, policy=policy: b.approve_by_rule(by="ana", policy=policy)  # type: ignore[misc]  # mypy infers no lambda with a default
        ).then()


# -- the state


@pytest.mark.norm("N13")
@pytest.mark.norm("N21")
def test_the_two_events_of_an_override_agree():
    backfill: Any = replay("bf-1", (*forced(), published(SUMMARY)))
    state: Any = replay("pipeline-x", (opened(JAN_8),))
    backfill.override_state(state, policy=POLICY, host="vm", by="driver")
    (told,), (moved,) = backfill.collect_events(), state.collect_events()
    assert fact_of(told) == state_overridden(POLICY.digest)
    assert fact_of(moved) == OVERRIDDEN
    assert (state.cursor, backfill.overridden) == (JAN_1, True)
    assert replay("pipeline-x", (opened(JAN_8), OVERRIDDEN)).cursor == JAN_1


def _protected() -> dict[str, tuple[Fact, ...]]:
    declared_not = request(**{"kind": "forced", "ticket": "INC-4300"})
    digest = planned(asked=declared_not).data["digest"]
    waits = (Fact(Backfill.Requested, "ana", declared_not), planned(asked=declared_not))
    temporal = request(override_state=True, state_use="override", cursor=JAN_1)
    other = (Fact(Backfill.Requested, "ana", temporal), planned(asked=temporal))
    return {
        "waits for its approval": forced("PLANNED"),
        "was not driven": forced("APPROVED"),
        "is not published": forced(),
        "declared no override": (*waits, approved(digest), *built(), published(SUMMARY)),
        "is no forced one": (*other, approved(other[1].data["digest"]), *built(), published(SUMMARY)),
        "was not approved": (*forced("PLANNED"), *built(), published(SUMMARY)),
        "is paused": (*forced(), published(SUMMARY), Fact(Backfill.Paused, "ben", {"reason": REASON})),
    }


@pytest.mark.norm("N8")
@pytest.mark.norm("N13")
@pytest.mark.norm("N20")
@pytest.mark.parametrize("which", _protected())
def test_no_other_backfill_moves_the_state(which: str):
    backfill: Any = replay("bf-1", _protected()[which])
    given(PipelineState, opened(JAN_8), stream="pipeline-x").when(lambda s: s.override(backfill, by="driver")).refused(
        StateProtectedError, "no approved and published forced backfill"
    )
    assert not list(backfill.collect_events())


@pytest.mark.norm("N8")
def test_an_incremental_run_overrides_nothing():
    run: Any = IncrementalRun.start("run-1", pipeline="x", cursor_from=None, cursor_to=JAN_8, by="ana", policy=Policy())
    given(PipelineState, opened(JAN_8), stream="pipeline-x").when(lambda s: s.override(run, by="driver")).refused(
        StateProtectedError
    )


@pytest.mark.norm("N13")
@pytest.mark.norm("N21")
def test_a_forced_backfill_is_not_complete_without_the_override_it_declared():
    past = (*forced(), published(SUMMARY))
    given(Backfill, *past).when(lambda b: b.complete(by="driver")).refused(WrongStateError, "the state it declared")
    closing = Fact(
        Backfill.Completed, "driver", {"totals": totals(partitions=2, rows=6, bytes=60, written=1, identical=1)}
    )
    given(Backfill, *past, state_overridden(POLICY.digest)).when(lambda b: b.complete(by="driver")).then(closing)
