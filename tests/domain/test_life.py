"""What may happen to a backfill on its way: approval by rule, expiry, pause, hold, cancellation, reversal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.kit.facts import (
    DIGEST,
    EXECUTOR,
    REASON,
    SUMMARY,
    approved,
    bf_failed,
    cancelled,
    completed,
    driven_to_publication,
    empty_run_published,
    expired,
    held,
    layer_started,
    paused,
    planned,
    published,
    rebuilt,
    rejected,
    released,
    requested,
    resumed,
    reverted,
    run_failed,
    started,
    succeeded,
)
from tests.kit.given import AT, Fact, given, replay
from tradex_ledger.domain import run_events
from tradex_ledger.domain.anomaly import Anomaly
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.backfill_errors import BuiltUponError, ExpiredRequestError
from tradex_ledger.domain.base import WrongStateError
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.life import ACTIVE, DRIVABLE, ENDED
from tradex_ledger.domain.policy import NotAllowedError, Policy
from tradex_ledger.domain.reason import PlaceholderReasonError
from tradex_ledger.domain.run import IncompleteRunError

WAITING = (requested(), planned())
READY = (*WAITING, approved())
RUNNING = (*READY, layer_started())
DONE = (*driven_to_publication(), published(SUMMARY), completed())
CANDIDATES = replay("bf-1", driven_to_publication()).candidates_digest()
HELD = (*driven_to_publication(), held(CANDIDATES))
NOW = datetime.fromisoformat(AT)
MONTH = Policy(expire_days=30)

IN_EACH_STATE = {
    "REQUESTED": (requested(),),
    "PLANNED": WAITING,
    "APPROVED": READY,
    "REJECTED": (*WAITING, rejected()),
    "EXPIRED": (*WAITING, expired()),
    "RUNNING": RUNNING,
    "FAILED": (*RUNNING, bf_failed()),
    "PAUSED": (*RUNNING, paused()),
    "HELD": HELD,
    "CANCELLED": (*WAITING, cancelled()),
    "SUCCESS": DONE,
    "REVERTED": (*DONE, reverted("silver_social_events")),
}

ALLOWED: dict[str, tuple[set[str], Callable[[Any], object]]] = {
    "approve": ({"PLANNED"}, lambda b: b.approve(DIGEST, by="ben", policy=Policy())),
    "approve by rule": ({"PLANNED"}, lambda b: b.approve_by_rule(by="ana", policy=Policy(rule_max_partitions=9))),
    "expire": ({"PLANNED"}, lambda b: b.expire(now=NOW + timedelta(days=31), policy=MONTH, by="ben")),
    "pause": (set(DRIVABLE), lambda b: b.pause(reason=REASON, by="ben", policy=Policy())),
    "resume": ({"PAUSED"}, lambda b: b.resume(by="ben", policy=Policy())),
    "be driven": (
        set(DRIVABLE),
        lambda b: b.start_layer(b.next_stage(), executor=EXECUTOR, extraction=None, by="driver"),
    ),
    "be released": ({"HELD"}, lambda b: b.release(reason=REASON, by="ben", policy=Policy())),
    "cancel": (set(ACTIVE), lambda b: b.cancel(reason=REASON, by="ben", policy=Policy())),
    "revert": ({"SUCCESS"}, lambda b: b.revert(reason=REASON, by="ben", blockers=[], policy=Policy())),
}


@pytest.mark.norm("N5")
@pytest.mark.parametrize("action", ALLOWED)
@pytest.mark.parametrize("status", IN_EACH_STATE)
def test_each_command_is_for_its_states_only(action: str, status: str):
    states, command = ALLOWED[action]
    story: Any = given(Backfill, *IN_EACH_STATE[status])
    assert story.aggregate.status == status
    if status in states:
        command(story.aggregate)
        assert story.aggregate.pending_events
    else:
        assert story.when(command).refused(WrongStateError, f"is {status}").mend


def test_what_is_active_can_still_publish_and_what_has_ended_cannot():
    assert set(ACTIVE) | set(ENDED) | {"REQUESTED"} == set(IN_EACH_STATE)
    assert not set(ACTIVE) & set(ENDED)


@pytest.mark.parametrize(
    ("status", "way"),
    [
        *(("PLANNED", "tradex backfill approve bf-1"), ("PAUSED", "tradex backfill resume bf-1")),
        *(("HELD", "tradex backfill release bf-1"), ("EXPIRED", "request it again")),
    ],
)
def test_what_cannot_be_driven_says_how_to_go_on(status: str, way: str):
    story = given(Backfill, *IN_EACH_STATE[status]).when(lambda b: b.check_startable())
    assert way in story.refused(WrongStateError).mend


# -- approval


@pytest.mark.norm("N9")
def test_a_small_plan_is_approved_by_rule_and_the_rule_is_on_record():
    rules = Policy(rule_max_partitions=2)
    given(Backfill, *WAITING).when(lambda b: b.approve_by_rule(by="ana", policy=rules)).then(
        approved(by="ana", rule="at most 2 partitions", policy=rules)
    )


@pytest.mark.norm("N9")
@pytest.mark.parametrize("rules", [Policy(), Policy(rule_max_partitions=1)])
def test_a_plan_that_no_rule_covers_waits_for_a_person(rules: Policy):
    story = given(Backfill, *WAITING)
    assert story.aggregate.approve_by_rule(by="ana", policy=rules) is False
    story.when(lambda b: b.approve_by_rule(by="ana", policy=rules)).then()


@pytest.mark.norm("N13")
@pytest.mark.parametrize("action", ["approve", "reject"])
def test_only_who_may_approve_decides(action: str):
    strict = Policy(may_approve=("ben",))
    decide: dict[str, Callable[[Any], object]] = {
        "approve": lambda b: b.approve(DIGEST, by="carla", policy=strict),
        "reject": lambda b: b.reject(reason=REASON, by="carla", policy=strict),
    }
    given(Backfill, *WAITING).when(decide[action]).refused(NotAllowedError, "carla may not approve")


# -- expiry


@pytest.mark.norm("N9")
def test_a_request_that_waited_too_long_expires_and_cannot_be_approved():
    late = NOW + timedelta(days=30, seconds=1)
    given(Backfill, *WAITING).when(lambda b: b.approve(DIGEST, by="ben", policy=MONTH, now=late)).refused(
        ExpiredRequestError, "30 days"
    )
    given(Backfill, *WAITING).when(lambda b: b.expire(now=late, policy=MONTH, by="ben")).then(expired())


def test_a_request_may_wait_for_just_as_long_as_the_policy_says():
    at_last = NOW + timedelta(days=30)
    given(Backfill, *WAITING).when(lambda b: b.approve(DIGEST, by="ben", policy=MONTH, now=at_last)).then(approved())
    given(Backfill, *WAITING).when(lambda b: b.expire(now=at_last, policy=MONTH, by="ben")).refused(WrongStateError)


def test_nothing_expires_when_the_policy_sets_no_bound():
    centuries = datetime(2300, 1, 1, tzinfo=UTC)
    unbound = Policy(expire_days=0)
    given(Backfill, *WAITING).when(lambda b: b.approve(DIGEST, by="ben", policy=unbound, now=centuries)).then(
        approved(policy=unbound)
    )


# -- pause


@pytest.mark.norm("N19")
def test_a_pause_keeps_what_was_built_and_lets_it_go_on():
    past = (*RUNNING[:4],)
    story = given(Backfill, *past).when(lambda b: b.pause(reason=REASON, by="ben", policy=Policy())).then(paused())
    assert story.status == "PAUSED"
    again = given(Backfill, *past, paused()).when(lambda b: b.resume(by="ben", policy=Policy())).then(resumed())
    assert again.status == "APPROVED"
    given(Backfill, *past, paused(), resumed()).when(
        lambda b: b.start_layer("bronze", executor=EXECUTOR, extraction=None, by="driver")
    ).then(layer_started(attempt=2))


@pytest.mark.norm("N5")
@pytest.mark.parametrize("command", ["pause", "cancel", "revert", "release"])
def test_who_steps_in_says_why(command: str):
    past = {"pause": RUNNING, "cancel": RUNNING, "revert": DONE, "release": HELD}[command]
    more: dict[str, Any] = {"blockers": []} if command == "revert" else {}
    given(Backfill, *past).when(
        lambda b: getattr(b, command)(reason="test test", by="ben", policy=Policy(), **more)
    ).refused(PlaceholderReasonError)


# -- hold and release


@pytest.mark.norm("N35")
def test_a_held_run_names_its_candidates_and_is_released_for_just_those():
    story = given(Backfill, *driven_to_publication()).when(lambda b: b.hold(why="review was asked for", by="driver"))
    assert story.then(held(CANDIDATES)).status == "HELD"
    free = (
        given(Backfill, *HELD)
        .when(lambda b: b.release(reason=REASON, by="ben", policy=Policy()))
        .then(released(CANDIDATES))
    )
    assert free.status == "APPROVED"
    assert free.is_released()


@pytest.mark.norm("N35")
def test_a_release_does_not_cover_candidates_that_came_later():
    other = {"path": "other.parquet", "bytes": 30, "rows": 3, "sha256": "0" * 64}
    moved = (*HELD, released(CANDIDATES), layer_started("publication", attempt=2))
    assert replay("bf-1", moved).is_released()
    assert not replay("bf-1", (*moved, rebuilt("2024-01-03", files=[other]))).is_released()
    assert not replay("bf-1", HELD).is_released()


def test_a_run_is_held_only_once_it_is_whole_and_while_it_is_driven():
    given(Backfill, *RUNNING).when(lambda b: b.hold(why="review was asked for", by="driver")).refused(
        IncompleteRunError
    )
    given(Backfill, *READY).when(lambda b: b.hold(why="review was asked for", by="driver")).refused(WrongStateError)


# -- anomalies and SLA


ANOMALY = {
    **{"dataset": "silver_social_events", "layer": "silver", "logic_version": 1, "partition": "2024-01-03"},
    **{"rule": "own previous version: drop", "expected": 100, "observed": 3, "allowed": 50},
}
SLA = {"layer": "bronze", "allowed_ms": 60_000, "elapsed_ms": 60_001}


BUILT = (*RUNNING, rebuilt("2024-01-03"))


def detected(run: Any, facts: Facts) -> None:
    anomaly = Anomaly(facts["rule"], facts["expected"], facts["observed"], facts["allowed"])
    run.detect_anomaly(facts["dataset"], facts["layer"], day_of(facts["partition"]), anomaly, by="driver")


@pytest.mark.norm("N35")
def test_an_anomaly_is_recorded_once_for_what_was_observed():
    found = Fact(run_events.AnomalyDetected, "driver", ANOMALY)
    given(Backfill, *BUILT).when(lambda b: detected(b, ANOMALY)).then(found)
    given(Backfill, *BUILT, found).when(lambda b: detected(b, ANOMALY)).then()
    other = {**ANOMALY, "observed": 4}
    given(Backfill, *BUILT, found).when(lambda b: detected(b, other)).then(
        Fact(run_events.AnomalyDetected, "driver", other)
    )
    given(Backfill, *READY).when(lambda b: detected(b, ANOMALY)).refused(WrongStateError)


@pytest.mark.norm("N35")
def test_the_sla_is_exceeded_once_and_not_after_the_end():
    exceed: Callable[[Any], object] = lambda b: b.exceed_sla(allowed_ms=60_000, elapsed_ms=60_001, by="driver")  # noqa: E731
    told = Fact(run_events.SlaExceeded, "driver", SLA)
    given(Backfill, *RUNNING).when(exceed).then(told)
    given(Backfill, *RUNNING, told).when(exceed).then()
    given(Backfill, *DONE).when(exceed).then()


# -- cancellation of an incremental run


@pytest.mark.norm("N20")
def test_an_incremental_run_can_be_cancelled_before_its_success():
    gone = Fact(IncrementalRun.Cancelled, "ben", {"reason": REASON})
    for past in ((started(),), (started(), layer_started(), run_failed())):
        story = given(IncrementalRun, *past).when(lambda r: r.cancel(reason=REASON, by="ben", policy=Policy()))
        assert story.then(gone).status == "CANCELLED"
    ended: list[tuple[Fact, ...]] = [(*empty_run_published(), succeeded()), (started(), gone)]
    for end in ended:
        given(IncrementalRun, *end).when(lambda r: r.cancel(reason=REASON, by="ben", policy=Policy())).refused(
            WrongStateError
        )
        given(IncrementalRun, *end).when(lambda r: r.check_startable()).refused(WrongStateError)
    given(IncrementalRun, started()).when(lambda r: r.cancel(reason="stop", by="ben", policy=Policy())).refused(
        PlaceholderReasonError
    )


def test_a_held_incremental_run_says_how_to_go_on():
    past = (*empty_run_published()[:-1], held(replay("run-1", empty_run_published()[:-1]).candidates_digest()))
    story = given(IncrementalRun, *past, stream="run-1").when(lambda r: r.check_startable())
    assert "tradex backfill release run-1" in story.refused(WrongStateError, "is HELD").mend


# -- reversal


@pytest.mark.norm("N19")
def test_a_backfill_is_reverted_as_an_event_with_the_datasets_it_touched():
    story = given(Backfill, *DONE).when(lambda b: b.revert(reason=REASON, by="ben", blockers=[], policy=Policy()))
    assert story.then(reverted("silver_social_events")).status == "REVERTED"


@pytest.mark.norm("N19")
def test_what_later_runs_stand_on_is_not_reverted_and_the_first_of_them_is_named():
    blockers = [("bf-2", "gold_metrics 2024-01-03"), ("run-9", "gold_signals 2024-01-03")]
    error = (
        given(Backfill, *DONE)
        .when(lambda b: b.revert(reason=REASON, by="ben", blockers=blockers, policy=Policy()))
        .refused(BuiltUponError, "bf-2 was built on top")
    )
    assert "gold_metrics 2024-01-03" in error.message
    assert "revert bf-2 first" in error.mend


@pytest.mark.norm("N4")
@pytest.mark.norm("N19")
def test_only_who_may_revert_does():
    given(Backfill, *DONE).when(
        lambda b: b.revert(reason=REASON, by="ana", blockers=[], policy=Policy(may_revert=("ben",)))
    ).refused(NotAllowedError, "ana may not revert")
