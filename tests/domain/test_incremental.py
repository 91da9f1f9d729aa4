"""An incremental run: the only kind of run whose success moves the state."""

from __future__ import annotations

import pytest

from tests.kit.facts import (
    JAN_1,
    JAN_8,
    empty_run_published,
    layer_failed,
    layer_started,
    run_failed,
    started,
    succeeded,
)
from tests.kit.given import Fact, given
from tradex_ledger.domain.base import WrongStateError
from tradex_ledger.domain.day import Cursor, day_of, start_of
from tradex_ledger.domain.incremental import IncrementalRun, NothingToRunError
from tradex_ledger.domain.policy import Policy

BEGINNINGS: list[str | None] = [JAN_1, None]


@pytest.mark.parametrize("cursor", BEGINNINGS)
def test_a_run_sets_out_from_the_cursor_of_the_state(cursor: Cursor | None):
    run = (
        given(IncrementalRun)
        .when(
            lambda _: IncrementalRun.start(
                "run-1", pipeline="x", cursor_from=cursor, cursor_to=JAN_8, by="ana", policy=Policy()
            )
        )
        .then(started(cursor_from=cursor))
    )
    assert run.status == "APPROVED"


@pytest.mark.parametrize("until", [JAN_1, start_of(day_of("2023-12-31"))])
def test_a_range_that_was_run_already_is_refused_and_a_backfill_is_named(until: Cursor):
    story = given(IncrementalRun).when(
        lambda _: IncrementalRun.start(
            "run-1", pipeline="x", cursor_from=JAN_1, cursor_to=until, by="ana", policy=Policy()
        )
    )
    assert "tradex backfill request" in story.refused(NothingToRunError).mend


def test_a_run_succeeds_only_once_it_is_published():
    past = empty_run_published()
    given(IncrementalRun, *past[:-1]).when(lambda r: r.succeed(by="driver")).refused(WrongStateError, "unpublished")
    assert given(IncrementalRun, *past).when(lambda r: r.succeed(by="driver")).then(succeeded()).status == "SUCCESS"


def test_a_run_succeeds_and_fails_only_while_it_is_driven():
    for past in ((started(),), (started(), layer_started(), run_failed())):
        given(IncrementalRun, *past).when(lambda r: r.succeed(by="driver")).refused(WrongStateError)
        given(IncrementalRun, *past).when(lambda r: r.fail(reason="disk", by="driver")).refused(WrongStateError)


@pytest.mark.norm("N34")
def test_a_failed_drive_keeps_its_errors_by_stage():
    past = (started(), layer_started(), layer_failed())
    closing = Fact(IncrementalRun.Failed, "driver", {"errors": {"bronze": 1}, "reason": "the disk is full"})
    story = given(IncrementalRun, *past).when(lambda r: r.fail(reason="the disk is full", by="driver"))
    assert story.then(closing).status == "FAILED"
