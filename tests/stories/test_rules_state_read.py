"""A backfill that reads the state stays before the cursor that it read, whatever becomes of that (N21)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.kit import signing, small
from tests.kit.check import check_everything
from tradex_ledger.cli.main import run as tradex
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.backfill_errors import StatePutBackError
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.digest import digest_of
from tradex_ledger.domain.pipeline_state import PipelineState
from tradex_ledger.domain.request import RangeError, Request, StateUseError, recorded
from tradex_ledger.driving import publish
from tradex_ledger.driving.judge import check_state_read
from tradex_ledger.planning.scope import Scope

CURSOR = "2024-01-06T00:00:00.000000Z"
OUT_OF_REACH = day_of(small.day(6))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A week was delivered, and has been processed until the beginning of 6 January."""
    root = tmp_path_factory.mktemp("read")
    small.deliver(root / "posts")
    with small.create(root / "ws", f"files:{root / 'posts'}") as workspace:
        workspace.incremental.run(last=small.day(5))
    return root


@pytest.fixture
def ws(world: Path, tmp_path: Path) -> Path:
    return small.copied(world, tmp_path) / "ws"


def asked(ws: Path, first: int = 4, last: int = 7) -> str:
    """Request such a backfill, approved."""
    with small.reopen(ws) as workspace:
        run_id = small.request(workspace, first, last, state_use="read")
        workspace.backfills.approve(run_id)
    return run_id


@pytest.mark.norm("N21")
def test_the_plan_ends_before_the_cursor_that_is_on_record(ws: Path, capsys: pytest.CaptureFixture[str]):
    run_id = asked(ws)
    with small.reopen(ws) as workspace:
        backfill = workspace.ledger.get(Backfill, run_id)
        assert backfill.plan is not None
        assert backfill.plan.state_read == CURSOR
        assert backfill.request.state_use == "read"
        assert max(window.last for window in backfill.windows) == backfill.request.last == OUT_OF_REACH - 1
        assert workspace.runs.drive(run_id).status == "SUCCESS"
        assert workspace.state.cursor == CURSOR
        assert {day for days in backfill.candidates.values() for day in days} <= set(range(OUT_OF_REACH))
        check_everything(workspace)
    assert tradex(["-C", str(ws), "backfill", "show", run_id]) == 0
    assert f"stays where it is; read at {CURSOR}: no day at or after it is built" in capsys.readouterr().out
    assert tradex(["-C", str(ws), "backfill", "show", run_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plan"]["state_read"] == CURSOR
    assert tradex(["-C", str(ws), "audit", "history", run_id]) == 0
    assert f"for days before {CURSOR}, where the state stood" in capsys.readouterr().out


@pytest.mark.norm("N21")
def test_where_no_day_lies_before_the_cursor_it_is_refused_with_a_way_out(ws: Path):
    with small.reopen(ws) as workspace:
        before = workspace.ledger.position()
        with pytest.raises(RangeError, match="holds no day before the state that it reads") as refused:
            small.request(workspace, 6, 7, state_use="read")
        assert "--state-use ignore" in refused.value.mend
        assert workspace.ledger.position() == before


@pytest.mark.norm("N21")
def test_a_state_that_went_on_lets_it_publish_what_it_was_planned_for_and_no_more(ws: Path):
    run_id = asked(ws)
    with small.reopen(ws) as workspace:
        workspace.incremental.run(last=small.day(7))
        done = workspace.runs.drive(run_id)
        assert done.status == "SUCCESS"
        assert max(window.last for window in done.windows) == OUT_OF_REACH - 1
        check_everything(workspace)


@pytest.mark.norm("N21")
def test_a_state_that_was_put_back_behind_its_days_refuses_it(ws: Path):
    run_id = asked(ws)
    with small.reopen(ws) as workspace:
        forced = small.request(
            workspace, 2, 2, kind="forced", dataset="gold_signals", override_state=True, ticket="INC-4300",
            cursor="2024-01-05T00:00:00.000000Z", allow_overlap=(run_id,),
        )  # fmt: skip
        with small.reopen(ws, actor="maria") as maria:
            signing.approve(maria, forced)
        assert workspace.runs.drive(forced).status == "SUCCESS"
        with pytest.raises(StatePutBackError, match="stands at 2024-01-05") as refused:
            workspace.runs.drive(run_id)
        assert refused.value.code == "state-put-back"
        assert workspace.ledger.get(Backfill, run_id).status == "APPROVED"
        check_everything(workspace)


@pytest.mark.norm("N21")
def test_a_state_that_is_put_back_between_the_last_look_and_the_save_refuses_it_too(
    ws: Path, monkeypatch: pytest.MonkeyPatch
):
    run_id = asked(ws)
    moved: list[PipelineState] = []

    def put_back_after_the_look(scope: Scope, run: Backfill) -> list[PipelineState]:
        looked = check_state_read(scope, run)
        if not moved:
            moved.append(state := scope.ledger.get(PipelineState, "pipeline-x", "pipeline"))
            before = {"run": "bf-0", "cursor_before": state.cursor, "cursor": "2024-01-05T00:00:00.000000Z"}
            state.trigger_event(state.Overridden, **before, by="maria")
            scope.ledger.append(state)
        return looked

    monkeypatch.setattr(publish, "check_state_read", put_back_after_the_look)
    with small.reopen(ws) as workspace:
        with pytest.raises(StatePutBackError, match="stands at 2024-01-05"):
            workspace.runs.drive(run_id)
        backfill = workspace.ledger.get(Backfill, run_id)
        assert (backfill.status, backfill.published) == ("FAILED", False)


@pytest.mark.parametrize("use", ["override", "believe"])
def test_what_is_said_of_the_state_fits_together(use: str):
    asked = Request(kind="temporal", dataset="gold", override_state=False, reason=small.REASON, state_use=use)
    with pytest.raises(StateUseError, match="cannot be used so"):
        recorded(asked, layers=["gold"], today=day_of(small.day(9)))


def test_a_plan_that_reads_nothing_has_the_digest_that_it_had(ws: Path):
    with small.reopen(ws) as workspace:
        backfill = workspace.ledger.get(Backfill, small.request(workspace, 4, 5))
    assert backfill.plan is not None
    facts = backfill.plan.to_event()
    assert facts["state_read"] is None
    told = {name: value for name, value in facts.items() if name not in ("state_read", "digest")}
    assert facts["digest"] == digest_of({"plan": told, "request": backfill.request.to_event()})


def test_the_shell_asks_for_it(ws: Path, capsys: pytest.CaptureFixture[str]):
    days = ["--from", "2024-01-04", "--to", "2024-01-07", "--reason", small.REASON, "--dry-run", "--json"]
    request = ["-C", str(ws), "backfill", "request", "temporal", "bronze_x_posts", "--no-override-state", *days]
    assert tradex([*request, "--state-use", "read"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["plan"]["state_read"], document["request"]["last"]) == (CURSOR, "2024-01-05")
    assert tradex([*request, "--state-use", "override"]) == 2
    assert "with --no-override-state: ignore, or read" in capsys.readouterr().err
