"""When a window was begun, and by whom: told by its worker, and worked out where that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tradex_ledger.audit.report_words import begins
from tradex_ledger.clock import process_name
from tradex_ledger.relations.days import PLANS, PlannedWindow
from tradex_ledger.views import AsOf, open_views
from tradex_ledger.workspace import Workspace

HOUR = timedelta(hours=1)


@pytest.fixture
def windows(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Workspace, list[PlannedWindow]]]:
    """Those of a run whose workers' clock goes wrong by so much."""
    clock = small.Ticking(worlds.RAN)
    small.workers_tell(monkeypatch, clock, request.param)
    ws = worlds.copied(tmp_path, days=3, until=None, thin=True)
    with Workspace.open(ws, actor="ana", clock=clock) as workspace:
        run_id = workspace.incremental.run(last=small.day(3)).id
        with open_views(workspace.ledger.store, AsOf(workspace.ledger.position(), None)) as connection:
            yield workspace, PLANS.of_run(connection, run_id, "position, number, dataset")


def built(found: list[PlannedWindow]) -> list[PlannedWindow]:
    return [one for one in found if one.layer != "bronze" and one.built]


def begins_told(found: list[PlannedWindow]) -> str:
    return begins((one.workers, one.began_is_told) for one in found)


@pytest.mark.parametrize("windows", [timedelta(0)], indirect=True)
def test_a_window_begins_when_its_worker_says_so(windows: tuple[Workspace, list[PlannedWindow]]):
    some = built(windows[1])
    assert len(some) == 2
    for one in some:
        assert one.began_is_told
        assert one.workers == [process_name()]
        assert one.began_at is not None
        assert one.ended_at is not None
        assert timedelta(0) < one.ended_at - one.began_at < timedelta(seconds=9)
    assert begins_told(some) == f"built by {process_name()}; windows begin when their workers say that they did"


@pytest.mark.parametrize("windows", [HOUR, -HOUR], indirect=True)
def test_where_that_cannot_be_its_begin_is_worked_out_and_that_is_said(windows: tuple[Workspace, list[PlannedWindow]]):
    some = built(windows[1])
    assert len(some) == 2
    for one in some:
        assert not one.began_is_told
        assert one.workers == [process_name()]
        assert one.began_at is not None
        assert one.ended_at is not None
        assert timedelta(0) <= one.ended_at - one.began_at < timedelta(minutes=10)
    assert "where 2 of 2 windows begin is worked out" in begins_told(some)
