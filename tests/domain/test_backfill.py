"""The rules of a backfill's life: request, plan, approval, end."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from tests.kit.facts import (
    DIGEST,
    EXECUTOR,
    ORDER,
    REASON,
    SUMMARY,
    TODAY,
    approved,
    bf_failed,
    cancelled,
    completed,
    driven_to_publication,
    layer_failed,
    layer_started,
    plan,
    planned,
    published,
    rejected,
    requested,
    submit,
    submitted,
    totals,
    window,
)
from tests.kit.given import Fact, given
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.backfill_errors import PlanMismatchError
from tradex_ledger.domain.base import WrongStateError
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.reason import PLACEHOLDER_WORDS, NotUtf8Error, PlaceholderReasonError, check_reason
from tradex_ledger.domain.request import (
    RangeError,
    Request,
    StateOverrideRefusedError,
    UnknownKindError,
    check_range,
)
from tradex_ledger.errors import UsageError

NEXT = {
    "REQUESTED": (requested(),),
    "PLANNED": (requested(), planned()),
    "APPROVED": (requested(), planned(), approved()),
    "REJECTED": (requested(), planned(), rejected()),
    "RUNNING": (requested(), planned(), approved(), layer_started()),
    "FAILED": (requested(), planned(), approved(), layer_started(), bf_failed()),
    "CANCELLED": (requested(), planned(), cancelled()),
    "SUCCESS": (*driven_to_publication(), published(SUMMARY), completed()),
}
IN_NO_STATE_BUT = {
    "plan": ({"REQUESTED"}, lambda b: b.record_plan(plan(), by="ana")),
    "approve": ({"PLANNED"}, lambda b: b.approve(DIGEST, by="ben", policy=Policy())),
    "reject": ({"PLANNED"}, lambda b: b.reject(reason=REASON, by="ben", policy=Policy())),
    "be driven": (
        {"APPROVED", "RUNNING", "FAILED"},
        lambda b: b.start_layer(b.next_stage(), executor=EXECUTOR, extraction=None, by="driver"),
    ),
    "fail": ({"RUNNING"}, lambda b: b.fail(reason="the disk is full", by="driver")),
    "cancel": (
        {"PLANNED", "APPROVED", "RUNNING", "FAILED"},
        lambda b: b.cancel(reason=REASON, by="ben", policy=Policy()),
    ),
}


@pytest.mark.norm("N5")
@pytest.mark.norm("N10")
@pytest.mark.norm("N22")
def test_a_temporal_request_declares_mode_and_override_state_and_says_why():
    made = given(Backfill).when(lambda _: submit()).then(requested())
    assert made.status == "REQUESTED"
    assert made.request.mode == "backfill"
    assert made.requested_by == "ana"


@pytest.mark.norm("N22")
def test_override_state_has_no_default():
    parameter = inspect.signature(Request).parameters["override_state"]
    assert parameter.default is inspect.Parameter.empty
    order = {name: value for name, value in ORDER.items() if name != "override_state"}
    given(Backfill).when(lambda _: submitted(**order)).refused(TypeError, "override_state")


@pytest.mark.norm("N37")
def test_no_request_can_switch_dedup_off():
    given(Backfill).when(lambda _: submit(dedup=False)).refused(TypeError, "dedup")


@pytest.mark.norm("N22")
def test_a_request_has_no_option_that_nobody_knows():
    given(Backfill).when(lambda _: submit(mode="incremental")).refused(TypeError, "mode")


@pytest.mark.norm("N20")
@pytest.mark.norm("N21")
def test_a_temporal_backfill_cannot_override_the_state():
    error = given(Backfill).when(lambda _: submit(override_state=True)).refused(StateOverrideRefusedError)
    assert error.code == "state-protected"
    assert "--no-override-state" in error.mend


@pytest.mark.norm("N8")
@pytest.mark.norm("N20")
def test_one_method_of_a_backfill_touches_the_pipeline_state_and_no_other():
    methods = {name: inspect.getsource(method) for name, method in vars(Backfill).items() if inspect.isfunction(method)}
    assert [name for name, text in methods.items() if "PipelineState" in text or "state.override" in text] == [
        "override_state"
    ]


@pytest.mark.norm("N10")
@pytest.mark.norm("N11")
@pytest.mark.norm("N12")
@pytest.mark.parametrize("kind", ["temporal", "dataset", "logical"])
def test_every_ordinary_kind_is_requested_alike_and_leaves_the_state_alone(kind: str):
    given(Backfill).when(lambda _: submit(kind=kind)).then(requested(kind=kind))


@pytest.mark.norm("N5")
@pytest.mark.parametrize("kind", ["other", "", "Temporal"])
def test_there_are_four_kinds_and_no_others(kind: str):
    error = given(Backfill).when(lambda _: submit(kind=kind)).refused(UnknownKindError)
    assert "temporal, dataset, logical, forced" in error.mend


def test_an_unknown_priority_is_refused_with_those_there_are():
    error = given(Backfill).when(lambda _: submit(priority="asap")).refused(UsageError, "asap")
    assert "low, normal, high, urgent" in error.mend


@pytest.mark.norm("N30")
def test_the_priority_is_low_unless_asked_otherwise():
    assert submit().request.priority == "low"
    assert submit(priority="high").request.priority == "high"


@pytest.mark.norm("N5")
@pytest.mark.parametrize(
    "reason",
    [
        *("", " ", "short", "123456789", "!!!!!!!!!!!!", "1234567890 12", "test test test", "reprocess please"),
        *("TBD: rerun this", "backfill needed", "asdf asdf asdf", "aaaaaaaaaaaa", "ababababababab", "x x x x x x x"),
        *("fix  \t  \n  it", "just because…", "lorem ipsum 2024"),
    ],
)
def test_a_reason_that_says_nothing_is_refused(reason: str):
    error = given(Backfill).when(lambda _: submit(reason=reason)).refused(PlaceholderReasonError)
    assert error.code == "placeholder-reason"
    assert repr(reason) in error.message


@pytest.mark.parametrize(
    "reason",
    [
        *("X API outage 1-15 Dec, INC-4211", "late data from the vendor", "la API de X no respondió"),
        *("Ausfall der Quelle am 3. Jänner", "データの遅延が三日間続いたため", "test posts leaked in"),
    ],
)
def test_a_reason_that_says_something_is_kept_in_any_language(reason: str):
    assert check_reason(f"  {reason}\n") == reason


@for_all(st.lists(st.sampled_from(sorted(PLACEHOLDER_WORDS)), max_size=8), st.sampled_from([" ", ", ", " -- ", "\n"]))
def test_placeholder_words_in_any_number_and_case_say_nothing(words: list[str], between: str):
    for text in (between.join(words), between.join(words).upper()):
        with pytest.raises(PlaceholderReasonError):
            check_reason(text)


@pytest.mark.norm("N10")
def test_a_reversed_range_is_refused_with_the_range_that_was_meant():
    days = {"first": date(2024, 1, 4), "last": date(2024, 1, 3)}
    error = given(Backfill).when(lambda _: submit(**days)).refused(RangeError, "reversed")
    assert "--from 2024-01-03 --to 2024-01-04" in error.mend


@pytest.mark.norm("N10")
def test_a_range_that_reaches_into_the_future_is_refused():
    days = {"first": TODAY, "last": date(2024, 1, 11)}
    error = given(Backfill).when(lambda _: submit(**days)).refused(RangeError, "future: today is 2024-01-10")
    assert "--to 2024-01-10" in error.mend


def test_one_day_and_today_are_ranges():
    check_range(day_of(TODAY), day_of(TODAY), today=day_of(TODAY))
    check_range(day_of("2024-01-03"), day_of("2024-01-03"), today=day_of(TODAY))


def test_a_request_is_bound_to_one_plan():
    bound = given(Backfill, requested()).when(lambda b: b.record_plan(plan(), by="ana")).then(planned())
    assert bound.status == "PLANNED"
    assert bound.windows == [window()]


def test_a_plan_without_a_partition_is_refused():
    empty = replace(plan(), windows=())
    given(Backfill, requested()).when(lambda b: b.record_plan(empty, by="ana")).refused(
        RangeError, "nothing to rebuild"
    )


@pytest.mark.parametrize("change", ["base", "windows", "digest"])
def test_a_plan_whose_digest_is_not_of_its_content_is_refused(change: str):
    other: Facts = {"base": 21, "windows": (window(last="2024-01-05", partitions=3),), "digest": "f" * 64}
    forged = replace(plan(), **{change: other[change]})
    given(Backfill, requested()).when(lambda b: b.record_plan(forged, by="ana")).refused(PlanMismatchError)


@pytest.mark.parametrize("action", IN_NO_STATE_BUT)
@pytest.mark.parametrize("status", NEXT)
def test_each_command_is_for_its_states_only(action: str, status: str):
    allowed, command = IN_NO_STATE_BUT[action]
    story: Any = given(Backfill, *NEXT[status])
    assert story.aggregate.status == status
    if status in allowed:
        command(story.aggregate)
        assert story.aggregate.pending_events
    else:
        error = story.when(command).refused(WrongStateError, f"is {status}")
        assert error.mend


def test_a_plan_that_waits_names_the_approval_as_its_mend():
    story = given(Backfill, requested(), planned()).when(lambda b: b.check_startable())
    assert "tradex backfill approve bf-1" in story.refused(WrongStateError).mend


@pytest.mark.norm("N13")
def test_an_approval_is_bound_to_the_very_plan():
    story = (
        given(Backfill, requested(), planned())
        .when(lambda b: b.approve(DIGEST, by="ben", policy=Policy()))
        .then(approved())
    )
    assert story.status == "APPROVED"
    for digest in ("f" * 64, DIGEST[:12], DIGEST.upper(), ""):
        given(Backfill, requested(), planned()).when(
            lambda b, digest=digest: b.approve(digest, by="ben", policy=Policy())  # type: ignore[misc]  # mypy infers no lambda with a default
        ).refused(PlanMismatchError)


@pytest.mark.parametrize("field", ["reason", "ticket"])
def test_what_is_no_utf8_is_no_reason_and_no_ticket(field: str):
    with pytest.raises(NotUtf8Error, match=field) as caught:
        submit(**{field: "the outage of \udcff January, INC-4211"})
    assert caught.value.message.isascii()


def test_a_rejection_names_the_plan_and_a_real_reason():
    given(Backfill, requested(), planned()).when(lambda b: b.reject(reason=REASON, by="ben", policy=Policy())).then(
        rejected()
    )
    given(Backfill, requested(), planned()).when(lambda b: b.reject(reason="no", by="ben", policy=Policy())).refused(
        PlaceholderReasonError
    )


def test_a_cancellation_needs_a_real_reason():
    given(Backfill, requested(), planned()).when(lambda b: b.cancel(reason=REASON, by="ben", policy=Policy())).then(
        cancelled()
    )
    given(Backfill, requested(), planned()).when(
        lambda b: b.cancel(reason="test test test", by="ben", policy=Policy())
    ).refused(PlaceholderReasonError)


def test_a_failed_drive_keeps_its_errors_by_stage_and_can_be_taken_up_again():
    past = (requested(), planned(), approved(), layer_started(), layer_failed())
    closing = Fact(Backfill.Failed, "driver", {"errors": {"bronze": 1}, "reason": "the disk is full"})
    story = given(Backfill, *past).when(lambda b: b.fail(reason="the disk is full", by="driver"))
    failed = story.then(closing)
    assert failed.status == "FAILED"
    given(Backfill, *past, closing).when(
        lambda b: b.start_layer("bronze", executor=EXECUTOR, extraction=None, by="driver")
    ).then(layer_started(attempt=2))


@pytest.mark.norm("N39")
def test_a_backfill_is_complete_only_once_it_is_published():
    past = driven_to_publication()
    given(Backfill, *past).when(lambda b: b.complete(by="driver")).refused(WrongStateError, "unpublished")
    closing = Fact(
        Backfill.Completed,
        "driver",
        {"totals": totals(partitions=2, rows=6, bytes=60, written=1, identical=1)},
    )
    done = given(Backfill, *past, published(SUMMARY)).when(lambda b: b.complete(by="driver")).then(closing)
    assert done.status == "SUCCESS"


def test_a_backfill_that_is_not_being_driven_cannot_be_completed():
    given(Backfill, *NEXT["FAILED"]).when(lambda b: b.complete(by="driver")).refused(WrongStateError, "is FAILED")
