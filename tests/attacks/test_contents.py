"""The same digest of inputs never stands for two contents: where it would, the run is held, and it is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import small
from tests.check import check_everything
from tests.contents import contents
from tests.lake import events, projection
from tests.other_rows import encoded_otherwise, given_for, one_more, without_the_first
from tradex_ledger.cli.main import run
from tradex_ledger.workspace import Workspace

KIND = "two contents of one input"
FORCED: dict[str, Any] = {
    "kind": "forced",
    "dataset": "gold_metrics",
    "ticket": "INC-4300",
    "reason": "a disk of rack 4 gave other bytes, INC-4300",
}

Tradex = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("contents")
    small.deliver(root / "posts", days=5)
    with small.create(root / "ws", f"files:{root / 'posts'}") as made:
        made.run(small.day(6))
    return root / "ws"


@pytest.fixture
def workspace(week: Path, tmp_path: Path) -> Iterator[Workspace]:
    folder = Path(shutil.copytree(week, tmp_path / "ws"))
    with small.reopen(folder) as opened:
        yield opened
        check_everything(opened)


@pytest.fixture
def tradex(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Tradex:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(["-C", str(workspace.config.folder), *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def approved(workspace: Workspace, first: int, last: int, **changes: Any) -> str:
    run_id = small.request(workspace, first, last, **{**FORCED, **changes})
    with small.reopen(workspace.config.folder, "ben") as ben:
        ben.approve(run_id)
    return run_id


def alerts(workspace: Workspace) -> list[dict[str, Any]]:
    return [row for row in projection(workspace, "alerts") if row["alert"] == KIND]


@pytest.mark.parametrize("change", [one_more, without_the_first])
def test_other_rows_of_the_same_inputs_are_held_and_told(workspace: Workspace, tradex: Tradex, change: Any):
    before = contents(workspace)
    run_id = approved(workspace, 3, 3)
    with given_for("gold_metrics", change):
        assert workspace.drive(run_id).status == "HELD"
    assert contents(workspace) == before
    (alert,) = alerts(workspace)
    assert (alert["run_id"], alert["dataset"], str(alert["partition"])) == (run_id, "gold_metrics", "2024-01-03")
    assert "has other content than run-" in alert["message"]
    assert "tradex dataset bump gold_metrics" in alert["message"]
    assert alert["delivered"] is False
    (held,) = events(workspace, "topic = 'run.held'")
    assert "1 partition came out otherwise than before from the same inputs" in json.loads(held["data"])["why"]
    _, out, _ = tradex("alerts")
    assert KIND in out
    for arguments in (["status"], ["backfill", "propose"]):
        _, out, err = tradex(*arguments)
        assert "gold_metrics: 1 partition came out otherwise from the same inputs" in out + err
        assert "tradex dataset bump gold_metrics" in out + err
    _, out, _ = tradex("--json", "status")
    assert [row["dataset"] for row in json.loads(out)["two_contents"]] == ["gold_metrics"]


def test_who_looked_lets_it_be_published_and_it_is_settled(workspace: Workspace, tradex: Tradex):
    run_id = approved(workspace, 3, 3)
    with given_for("gold_metrics"):
        workspace.drive(run_id)
    with small.reopen(workspace.config.folder, "ben") as ben:
        ben.release(run_id, reason="the new rows are right, INC-4300")
    assert workspace.drive(run_id).status == "SUCCESS"
    assert len(alerts(workspace)) == 1
    _, out, err = tradex("status")
    assert "came out otherwise" not in out + err


def test_a_build_that_was_given_up_is_not_forgotten(workspace: Workspace):
    run_id = approved(workspace, 3, 3)
    with given_for("gold_metrics"):
        workspace.drive(run_id)
    workspace.cancel(run_id, reason="the rows are wrong, INC-4300")
    assert workspace.drive(approved(workspace, 3, 3)).status == "SUCCESS"  # it is as the current one
    workspace.revert  # noqa: B018
    assert len(alerts(workspace)) == 1


def test_the_same_rows_in_other_bytes_are_no_other_content(workspace: Workspace):
    run_id = approved(workspace, 3, 3)
    with given_for("gold_metrics", encoded_otherwise):
        assert workspace.drive(run_id).status == "SUCCESS"
    assert not alerts(workspace)


def test_a_file_that_is_gone_and_comes_back_with_another_number_of_rows_is_held(workspace: Workspace):
    (row,) = [
        r for r in projection(workspace, "partitions") if r["dataset"] == "gold_metrics" and r["partition"].day == 3
    ]
    workspace.lake.absolute(row["files"][0]["path"]).unlink()
    run_id = small.request(workspace, 3, 3, dataset="gold_metrics")
    workspace.approve(run_id)
    with given_for("gold_metrics", without_the_first):
        assert workspace.drive(run_id).status == "HELD"
    assert "is now" in alerts(workspace)[0]["message"]
    workspace.cancel(run_id, reason="the rows are wrong, INC-4300")
    run_id = small.request(workspace, 3, 3, dataset="gold_metrics")
    workspace.approve(run_id)
    with given_for("gold_metrics", encoded_otherwise):
        workspace.drive(run_id)
    assert "are not there any more" in alerts(workspace)[-1]["message"]
    assert small.backfill(workspace, 3, 3, dataset="gold_metrics").status == "SUCCESS"
