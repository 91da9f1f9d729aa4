"""Alerts: each goes out once, in the order of the events."""

from __future__ import annotations

import pytest

from tests.kit.given import Fact, given
from tradex_ledger.domain.alerts import AlertLog
from tradex_ledger.views import projected

OPENED = Fact(AlertLog.Opened, "ana", {"position": 10})


def delivered(position: int, *beyond: int) -> Fact:
    return Fact(AlertLog.Delivered, "ana", {"position": position, "receivers": 2, "beyond": [*beyond]})


def test_alerts_are_delivered_from_a_position_on():
    log = given(AlertLog, stream="alerts").when(lambda _: AlertLog.open(10, by="ana")).then(OPENED)
    assert log.delivered_position == 10


@pytest.mark.norm("N35")
def test_an_alert_is_delivered_once_and_in_order():
    story = given(AlertLog, OPENED, stream="alerts").when(lambda a: a.deliver(12, receivers=2, by="ana"))
    assert story.then(delivered(12)).delivered_position == 12
    for again in (12, 11, 10):
        given(AlertLog, OPENED, delivered(12), stream="alerts").when(
            lambda a, again=again: a.deliver(again, receivers=2, by="ana")  # type: ignore[misc]  # mypy infers no lambda with a default
        ).then()


@pytest.mark.norm("N35")
def test_a_receiver_that_was_reached_is_not_reached_again_while_another_is_down():
    reached = Fact(AlertLog.ReceiverReached, "ana", {"position": 12, "receiver": "ab", "beyond": []})
    given(AlertLog, OPENED, stream="alerts").when(lambda a: a.reach("ab", 12, by="ana")).then(reached)
    for told in (reached, delivered(12)):
        for position in (12, 11):
            given(AlertLog, OPENED, told, stream="alerts").when(
                lambda a, position=position: a.reach("ab", position, by="ana")  # type: ignore[misc]  # mypy infers no lambda with a default
            ).then()
    other = Fact(AlertLog.ReceiverReached, "ana", {"position": 12, "receiver": "cd", "beyond": []})
    given(AlertLog, OPENED, reached, stream="alerts").when(lambda a: a.reach("cd", 12, by="ana")).then(other)


@pytest.mark.norm("N35")
def test_what_went_out_in_one_message_with_earlier_ones_is_not_sent_again_and_the_rest_is():
    log = given(AlertLog, OPENED, stream="alerts").when(lambda a: a.deliver(12, receivers=2, by="ana", beyond=[15, 14]))
    told = log.then(delivered(12, 14, 15))
    assert [position for position in range(11, 17) if not told.has_reached("ab", position)] == [13, 16]
    further = given(AlertLog, OPENED, delivered(12, 14, 15), stream="alerts")
    assert further.when(lambda a: a.deliver(14, receivers=2, by="ana")).then(delivered(14, 15)).beyond == [15]
    reached = Fact(AlertLog.ReceiverReached, "ana", {"position": 12, "receiver": "ab", "beyond": [15]})
    one = (
        given(AlertLog, OPENED, stream="alerts").when(lambda a: a.reach("ab", 12, by="ana", beyond=[15])).then(reached)
    )
    assert (one.has_reached("ab", 15), one.has_reached("ab", 14), one.has_reached("cd", 15)) == (True, False, False)


@pytest.mark.norm("N35")
def test_somebody_hears_of_failures_anomalies_time_and_held_runs():
    assert {
        *(
            "backfill.failed",
            "incremental_run.failed",
            "run.anomaly_detected",
            "run.contents_differed",
            "run.sla_exceeded",
            "run.held",
        ),
        "dataset.engine_checked",
        "ledger.cursor_ahead",
        "ledger.cursor_behind",
    } <= set(projected.topics_of("alerts"))
    assert {"backfill.planned", "source.looked"} <= set(projected.topics_of("notices"))
