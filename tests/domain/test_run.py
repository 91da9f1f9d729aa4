"""What both kinds of run share: layers in order, candidates in the plan, all or nothing at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.facts import (
    EXECUTOR,
    SUMMARY,
    approved,
    batch,
    bf_failed,
    candidate,
    completed,
    driven_to_publication,
    empty_run_published,
    extended,
    layer_completed,
    layer_failed,
    layer_started,
    planned,
    published,
    rebuilt,
    requested,
    started,
    succeeded,
    window,
)
from tests.kit.given import Fact, given
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.base import WrongStateError
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.partition import Batch
from tradex_ledger.domain.plan import NotInPlanError
from tradex_ledger.domain.run import IncompleteRunError

READY = (requested(), planned(), approved())
RUNNING = (*READY, layer_started())
IN_SILVER = (*RUNNING, layer_completed(), layer_started("silver"))
BUILT = (*IN_SILVER, rebuilt("2024-01-03"), rebuilt("2024-01-04"))
DURING_A_DRIVE: dict[str, Callable[[Any], object]] = {
    "extend the plan": lambda r: r.extend_plan([window()], base=30, reason="newer days", by="driver"),
    "append a batch": lambda r: r.append_batch("bronze_x_posts", _batch(), by="driver"),
    "record candidates": lambda r: r.rebuild_partitions("silver_social_events", [candidate("2024-01-03")], by="driver"),
    "complete a layer": lambda r: r.complete_layer(duration_ms=5, source=None, by="driver"),
    "fail a layer": lambda r: r.fail_layer(error="x", message="y", dataset=None, partition=None, by="driver"),
    "publish": lambda r: r.publish(base=40, by="driver"),
}


def _batch() -> Batch:
    facts = batch().data
    day, files = day_of(facts["partition"]), facts["files"]
    return Batch(day, facts["logic_version"], LakeFile.of(files[0]), facts["dropped"], facts["cursor"])


def start(layer: str) -> Callable[[Any], object]:
    return lambda r: r.start_layer(layer, executor=EXECUTOR, extraction=None, by="driver")


@pytest.mark.norm("N18")
@pytest.mark.parametrize(
    ("past", "next_stage"),
    [
        (READY, "bronze"),
        (IN_SILVER, "silver"),
        ((*BUILT, layer_completed("silver")), "gold"),
        (driven_to_publication(), "publication"),
    ],
)
def test_layers_come_in_the_order_of_the_flow_and_in_no_other(past: tuple[Fact, ...], next_stage: str):
    for stage in ("bronze", "silver", "gold", "publication"):
        story = given(Backfill, *past).when(start(stage))
        if stage == next_stage:
            story.then(layer_started(stage, attempt=2 if past == IN_SILVER else 1))
        else:
            story.refused(WrongStateError, f"at layer {next_stage}")


def test_an_attempt_is_counted_each_time_a_driver_takes_the_run_up():
    given(Backfill, *READY).when(start("bronze")).then(layer_started("bronze", attempt=1))
    given(Backfill, *RUNNING).when(start("bronze")).then(layer_started("bronze", attempt=2))
    given(Backfill, *RUNNING, layer_completed()).when(start("silver")).then(layer_started("silver", attempt=1))
    given(Backfill, *RUNNING, bf_failed()).when(start("bronze")).then(layer_started("bronze", attempt=2))


def test_an_incremental_run_that_is_closed_cannot_be_driven_again():
    past = (*empty_run_published(), succeeded())
    given(IncrementalRun, *past).when(start("publication")).refused(WrongStateError, "is SUCCESS")


@pytest.mark.parametrize("action", DURING_A_DRIVE)
def test_nothing_is_recorded_of_a_run_that_is_not_being_driven(action: str):
    for past in (READY, (*RUNNING, bf_failed()), (*driven_to_publication(), published(SUMMARY), completed())):
        given(Backfill, *past).when(DURING_A_DRIVE[action]).refused(WrongStateError)
    given(IncrementalRun, started()).when(DURING_A_DRIVE[action]).refused(WrongStateError, "is APPROVED")


@pytest.mark.norm("N6")
def test_a_batch_adds_to_bronze_and_to_the_sums():
    story = given(Backfill, *RUNNING).when(lambda r: r.append_batch("bronze_x_posts", _batch(), by="driver"))
    run = story.then(batch())
    assert run.appended == {"bronze_x_posts": {day_of("2024-01-03"): 3}}
    assert run.totals["rows"] == 3


def test_bronze_is_complete_with_what_was_appended():
    past = (*RUNNING, batch("2024-01-03"), batch("2024-01-04", rows=5), batch("2024-01-03", rows=2))
    given(Backfill, *past).when(lambda r: r.complete_layer(duration_ms=5, source=None, by="driver")).then(
        layer_completed(partitions=2, rows=10, bytes=90)
    )


@pytest.mark.norm("N15")
def test_a_partition_outside_the_plan_is_refused():
    outside = [("silver_social_events", "2024-01-05"), ("silver_social_events", "2024-01-02"), ("gold", "2024-01-03")]
    for dataset, day in outside:
        given(Backfill, *IN_SILVER).when(
            lambda r, dataset=dataset, day=day: r.rebuild_partitions(  # type: ignore[misc]  # mypy infers no lambda with a default
                dataset, [candidate("2024-01-03"), candidate(day)], by="driver"
            )
        ).refused(NotInPlanError, day)


def test_a_window_of_candidates_is_recorded_a_partition_an_event():
    given(Backfill, *IN_SILVER).when(
        lambda r: r.rebuild_partitions(
            "silver_social_events",
            [candidate("2024-01-03"), candidate("2024-01-04", outcome="reused")],
            by="driver",
        )
    ).then(rebuilt("2024-01-03"), rebuilt("2024-01-04", outcome="reused"))


def test_an_outcome_nobody_knows_is_refused():
    given(Backfill, *IN_SILVER).when(
        lambda r: r.rebuild_partitions(
            "silver_social_events", [candidate("2024-01-03", outcome="skipped")], by="driver"
        )
    ).refused(ValueError, "skipped")


def test_days_that_came_into_the_plan_can_be_rebuilt():
    later = window(first="2024-01-05", last="2024-01-05", partitions=1)
    given(Backfill, *IN_SILVER).when(lambda r: r.extend_plan([later], base=30, reason="newer days", by="driver")).then(
        extended(later)
    )
    given(Backfill, *IN_SILVER, extended(later)).when(
        lambda r: r.rebuild_partitions("silver_social_events", [candidate("2024-01-05")], by="driver")
    ).then(rebuilt("2024-01-05"))


def test_extending_a_plan_by_nothing_records_nothing():
    given(Backfill, *IN_SILVER).when(lambda r: r.extend_plan([], base=30, reason="newer days", by="driver")).then()


def test_a_layer_is_complete_only_with_a_candidate_for_each_planned_partition():
    finish: Callable[[Any], object] = lambda r: r.complete_layer(duration_ms=5, source=None, by="driver")  # noqa: E731
    given(Backfill, *IN_SILVER).when(finish).refused(IncompleteRunError, "2 of 2")
    given(Backfill, *IN_SILVER, rebuilt("2024-01-03")).when(finish).refused(IncompleteRunError, "1 of 2")
    # The same partition twice, as a publication rebuilds it, is still one.
    twice = (*IN_SILVER, rebuilt("2024-01-03"), rebuilt("2024-01-03"))
    given(Backfill, *twice).when(finish).refused(IncompleteRunError)
    given(Backfill, *BUILT).when(finish).then(layer_completed("silver", partitions=2, rows=6, bytes=60))


def test_a_layer_is_completed_once():
    given(Backfill, *RUNNING, layer_completed()).when(
        lambda r: r.complete_layer(duration_ms=5, source=None, by="driver")
    ).refused(WrongStateError, "bronze")


@pytest.mark.norm("N34")
def test_a_failed_attempt_is_recorded_with_its_stage_and_leaves_the_candidates():
    story = given(Backfill, *RUNNING).when(
        lambda r: r.fail_layer(error="disk-full", message="the disk is full", dataset=None, partition=None, by="driver")
    )
    assert story.then(layer_failed()).errors == {"bronze": 1}
    at_the_end = given(Backfill, *driven_to_publication()).when(
        lambda r: r.fail_layer(error="disk-full", message="the disk is full", dataset=None, partition=None, by="driver")
    )
    run = at_the_end.then(layer_failed("publication"))
    assert run.errors == {"publication": 1}
    assert run.missing_partitions() == 0


@pytest.mark.norm("N39")
def test_a_run_publishes_everything_it_planned_or_nothing():
    publish: Callable[[Any], object] = lambda r: r.publish(base=40, by="driver")  # noqa: E731
    given(Backfill, *BUILT).when(publish).refused(IncompleteRunError)  # its layers are not complete
    later = extended(window(first="2024-01-05", last="2024-01-05", partitions=1))
    given(Backfill, *driven_to_publication(), later).when(publish).refused(IncompleteRunError, "1 of 3")
    given(Backfill, *driven_to_publication()).when(publish).then(published(SUMMARY))


@pytest.mark.norm("N1")
def test_a_run_is_published_once():
    given(Backfill, *driven_to_publication(), published(SUMMARY)).when(
        lambda r: r.publish(base=41, by="driver")
    ).refused(WrongStateError, "published")


def test_a_run_that_changes_nothing_publishes_nothing():
    past = empty_run_published()[:-1]
    given(
        IncrementalRun,
        *past,
    ).when(lambda r: r.publish(base=40, by="driver")).then(published())
