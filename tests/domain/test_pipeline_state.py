"""The pipeline state: there is one way to move it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.facts import (
    JAN_1,
    JAN_8,
    SUMMARY,
    completed,
    driven_to_publication,
    empty_run_published,
    layer_started,
    opened,
    published,
    run_failed,
    started,
    succeeded,
)
from tests.kit.given import Fact, given, replay
from tradex_ledger.domain.base import Event
from tradex_ledger.domain.pipeline_state import PipelineState, StateMovedError, StateProtectedError

STATE = "pipeline-x"


def succeeded_run(**cursors: Any) -> Any:
    return replay("run-1", (*empty_run_published(**cursors), succeeded()))


def advanced(before: str | None, after: str) -> Fact:
    return Fact(PipelineState.Advanced, "driver", {"run": "run-1", "cursor_before": before, "cursor": after})


def test_a_pipeline_begins_with_or_without_a_cursor():
    for cursor in (None, JAN_1):
        given(PipelineState).when(
            lambda _, cursor=cursor: PipelineState.open("x", cursor=cursor, by="ana")  # type: ignore[misc]  # mypy infers no lambda with a default
        ).then(opened(cursor))


@pytest.mark.norm("N20")
@pytest.mark.parametrize("cursor", [JAN_1, None])
def test_the_success_of_an_incremental_run_moves_the_state(cursor: str | None):
    run = succeeded_run(cursor_from=cursor)
    story = given(PipelineState, opened(cursor), stream=STATE).when(lambda s: s.advance(run, by="driver"))
    assert story.then(advanced(cursor, JAN_8)).cursor == JAN_8


@pytest.mark.norm("N8")
@pytest.mark.norm("N20")
def test_no_run_that_has_not_succeeded_moves_the_state():
    for past in ((started(),), empty_run_published(), (started(), layer_started(), run_failed())):
        run = replay("run-1", past)
        given(PipelineState, opened(), stream=STATE).when(
            lambda s, run=run: s.advance(run, by="driver")  # type: ignore[misc]  # mypy infers no lambda with a default
        ).refused(StateProtectedError)


@pytest.mark.norm("N8")
@pytest.mark.norm("N20")
def test_no_backfill_moves_the_state_not_even_one_that_succeeded():
    backfill = replay("bf-1", (*driven_to_publication(), published(SUMMARY), completed()))
    assert backfill.status == "SUCCESS"
    given(PipelineState, opened(), stream=STATE).when(lambda s: s.advance(backfill, by="driver")).refused(
        StateProtectedError, "no incremental run"
    )


@pytest.mark.norm("N20")
def test_a_run_that_set_out_from_elsewhere_does_not_move_the_state():
    run = succeeded_run()
    for cursor in (JAN_8, None, "2024-01-02T00:00:00.000000Z"):
        given(PipelineState, opened(cursor), stream=STATE).when(lambda s: s.advance(run, by="driver")).refused(
            StateMovedError
        )


def test_a_run_moves_the_state_once():
    run = succeeded_run()
    given(PipelineState, opened(), advanced(JAN_1, JAN_8), stream=STATE).when(
        lambda s: s.advance(run, by="driver")
    ).refused(StateMovedError)


def test_a_run_of_another_pipeline_does_not_move_the_state():
    run = succeeded_run(pipeline="y")
    given(PipelineState, opened(), stream=STATE).when(lambda s: s.advance(run, by="driver")).refused(
        StateProtectedError, "pipeline"
    )


@pytest.mark.norm("N8")
def test_the_state_has_no_other_command_and_no_other_event():
    commands = {
        name
        for name in vars(PipelineState)
        if not name.startswith("_") and not isinstance(vars(PipelineState)[name], str)
    }
    events = {name for name in commands if isinstance(vars(PipelineState)[name], type)}
    assert commands - events == {"open", "advance", "override"}
    own = {name for name in events if issubclass(vars(PipelineState)[name], Event)}
    assert own - {"Event"} == {"Opened", "Advanced", "Overridden"}
