"""Forced backfills need a second person, by every way in; the state moves in their save and in no other (N13, N21)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import signing, small
from tests.kit.check import check_everything, read_record
from tests.kit.lake import events, projection
from tradex_ledger.cli.main import run
from tradex_ledger.config import ConfigError
from tradex_ledger.domain.backfill_errors import SelfApprovalError
from tradex_ledger.domain.base import WrongStateError
from tradex_ledger.domain.policy import NotAllowedError
from tradex_ledger.domain.request import ForcedNeedsTicketError, Request, StateOverrideRefusedError
from tradex_ledger.workspace import Workspace

SPELLINGS = ["ana", "Ana", "ANA", " ana ", "ana\t", "ａｎａ", "ana\u200b", "a\u00adna", "\ufeffana"]

Tradex = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.copied(tmp_path_factory.mktemp("forced"))


@pytest.fixture
def folder(week: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(week, tmp_path / "ws"))


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    """In the hands of ana, with a real clock: the command line has no other."""
    with Workspace.open(folder, actor="ana") as opened:
        yield opened
        check_everything(opened)


@pytest.fixture
def tradex(folder: Path, capsys: pytest.CaptureFixture[str]) -> Tradex:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(["-C", str(folder), *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def status_of(workspace: Workspace, run_id: str) -> str:
    return next(str(row["status"]) for row in projection(workspace, "runs") if row["run_id"] == run_id)


@pytest.mark.norm("N13")
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_the_requesters_name_approves(workspace: Workspace, folder: Path, tradex: Tradex, spelling: str):
    run_id = small.request(workspace, **small.OVERRIDE)
    with Workspace.open(folder, actor=spelling) as again, pytest.raises(SelfApprovalError):
        again.backfills.approve(run_id)
    status, _, error = tradex("--as", spelling, "backfill", "approve", run_id)
    assert (status, "cannot approve it" in error) == (3, True)
    assert status_of(workspace, run_id) == "PLANNED"


@pytest.mark.norm("N13")
def test_who_asks_under_an_odd_spelling_is_the_same_person_when_approving(folder: Path, workspace: Workspace):
    with Workspace.open(folder, actor="ＡＮＡ\u200d") as odd:
        run_id = small.request(odd, **small.FORCED, override_state=False)
    with pytest.raises(SelfApprovalError):
        workspace.backfills.approve(run_id)


@pytest.mark.norm("N13")
def test_what_nobody_else_approved_is_driven_by_no_way_in(workspace: Workspace, tradex: Tradex, folder: Path):
    run_id = small.request(workspace, **small.OVERRIDE)
    before = workspace.ledger.position()
    with pytest.raises(SelfApprovalError):
        workspace.backfills.approve(run_id)
    with pytest.raises(WrongStateError):
        workspace.runs.drive(run_id)
    for move in (workspace.backfills.resume, lambda r: workspace.runs.release(r, reason="it is right as it is")):
        with pytest.raises(WrongStateError):
            move(run_id)
    with pytest.raises(WrongStateError):
        workspace.backfills.pause(run_id, reason="to resume it without an approval")
    for actor in ("ana", "maria"):
        status, _, error = tradex("--as", actor, "backfill", "run", run_id)
        assert (status, "approve it first" in error) == (3, True)
        assert tradex("--as", actor, "worker", "--once")[0] == 0
    since = [entry.topic for entry in read_record(workspace).entries if entry.position > before]
    assert set(since) <= {"ledger.cursor_behind"}  # what a worker sees of the clock it says, whatever waits
    assert status_of(workspace, run_id) == "PLANNED"


@pytest.mark.norm("N13")
def test_no_rule_of_the_policy_approves_a_forced_backfill(folder: Path):
    small.set_policy(folder, rule_max_partitions=1000)
    with Workspace.open(folder, actor="ana") as workspace:
        assert workspace.backfills.request(Request(**_order(kind="temporal"))).status == "APPROVED"
        assert (
            workspace.backfills.request(Request(**_order(**small.FORCED, first=small.day(1), last=small.day(2)))).status
            == "PLANNED"
        )
    small.propose_policy(folder, needs_approval=["temporal"])
    with pytest.raises(ConfigError, match="never done without a second person"):
        Workspace.open(folder)


def _order(**changes: Any) -> dict[str, Any]:
    order = {"dataset": "gold_signals", "first": small.day(4), "last": small.day(5), "override_state": False}
    return {**order, "reason": small.REASON, **changes}


@pytest.mark.norm("N13")
def test_only_those_named_by_the_policy_request_and_approve_forced_ones(folder: Path):
    small.set_policy(folder, may_force=["ana", "maria"])
    with Workspace.open(folder, actor="bob") as bob, pytest.raises(NotAllowedError):
        small.request(bob, **small.FORCED, override_state=False)
    with Workspace.open(folder, actor="ana") as ana:
        run_id = small.request(ana, **small.FORCED, override_state=False)
    with Workspace.open(folder, actor="bob") as bob, pytest.raises(NotAllowedError):
        bob.backfills.approve(run_id)
    with Workspace.open(folder, actor="Maria") as maria:
        assert signing.approve(maria, run_id).status == "APPROVED"


@pytest.mark.norm("N13")
@pytest.mark.norm("N21")
def test_the_state_is_overridden_in_the_save_that_closes_the_run_and_nothing_is_reused(
    workspace: Workspace, tradex: Tradex, folder: Path
):
    request = ["forced", "bronze_x_posts", "--from", "2024-01-04", "--to", "2024-01-05", "--ticket", "INC-4300"]
    forced = ["--override-state", "--cursor", "2024-01-04", "--reason", small.FORCED["reason"]]
    assert tradex("--as", "ana", "backfill", "request", *request, *forced)[0] == 0
    (row,) = [row for row in projection(workspace, "runs") if row["kind"] == "forced"]
    run_id = row["run_id"]
    with Workspace.open(folder, actor="maria") as maria:
        signing.approve(maria, run_id)
    assert tradex("--as", "worker", "worker", "--once")[0] == 0
    entries = read_record(workspace).entries
    told = next(e for e in entries if e.topic == "backfill.state_overridden")
    moved = next(e for e in entries if e.topic == "pipeline_state.overridden")
    save = entries[told.position - 2 : moved.position]
    assert {e.at for e in save} == {told.at}
    assert [e.topic for e in save if e.topic != "dataset.published"] == [
        "run.published",
        "backfill.state_overridden",
        "backfill.completed",
        "pipeline_state.overridden",
    ]
    data = told.data
    assert (data["requested_by"], data["approved_by"], data["ticket"]) == ("ana", "maria", "INC-4300")
    assert (data["cursor_before"], data["cursor"]) == ("2024-01-08T00:00:00.000000Z", small.CURSOR)
    assert len(data["policy_digest"]) == len(data["plan_digest"]) == 64
    assert data["host"]
    built = [e.data["outcome"] for e in entries if e.stream == run_id and e.topic == "run.partition_rebuilt"]
    assert built
    assert "reused" not in built
    history = projection(workspace, "pipeline_state_history")
    assert [(h["move"], h["caused_by"]) for h in history][-1] == ("overridden", run_id)
    assert workspace.state.cursor == small.CURSOR
    assert workspace.incremental.run(last=small.day(7)).status == "SUCCESS"  # from where it was put


@pytest.mark.norm("N21")
def test_a_forced_backfill_without_override_leaves_the_state_where_it_is(workspace: Workspace, folder: Path):
    run_id = small.request(workspace, **small.FORCED, override_state=False)
    with Workspace.open(folder, actor="maria") as maria:
        signing.approve(maria, run_id)
    before = projection(workspace, "pipeline_state")
    assert workspace.runs.drive(run_id).status == "SUCCESS"
    assert projection(workspace, "pipeline_state") == before
    assert {e["outcome"] for e in events(workspace, "topic = 'run.partition_rebuilt'")} >= {"identical"}


@pytest.mark.norm("N20")
@pytest.mark.parametrize("kind", ["temporal", "dataset", "logical"])
def test_no_other_kind_may_override_the_state(workspace: Workspace, tradex: Tradex, kind: str):
    before = workspace.ledger.position()
    with pytest.raises(StateOverrideRefusedError):
        small.request(workspace, kind=kind, override_state=True, cursor=small.CURSOR)
    days = ("--from", "2024-01-04", "--to", "2024-01-05")
    call = ("backfill", "request", kind, "gold_signals", *days, "--override-state", "--reason", small.REASON)
    assert tradex(*call)[0] == 3
    assert workspace.ledger.position() == before


@pytest.mark.norm("N13")
def test_a_forced_backfill_needs_a_ticket(workspace: Workspace):
    with pytest.raises(ForcedNeedsTicketError):
        small.request(workspace, **{**small.OVERRIDE, "ticket": " "})
