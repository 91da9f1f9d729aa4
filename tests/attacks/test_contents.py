"""The same digest of inputs never stands for two contents: where it would, the run is held, and it is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import signing, small
from tests.kit.check import check_everything
from tests.kit.contents import contents
from tests.kit.lake import events, projection
from tests.kit.lake_folder import in_lake
from tests.kit.other_rows import encoded_otherwise, given_for, one_more, without_the_first
from tradex_ledger.cli.main import run
from tradex_ledger.workspace import Workspace

KIND = "two contents of one input"
FORCED: dict[str, Any] = {
    "kind": "forced",
    "dataset": "gold_signals",
    "ticket": "INC-4300",
    "reason": "a disk of rack 4 gave other bytes, INC-4300",
}

Tradex = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.copied(tmp_path_factory.mktemp("contents"), days=4, until=5)


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


def approved(workspace: Workspace, **changes: Any) -> str:
    """A backfill of the third of January that a second person approved."""
    run_id = small.request(workspace, 3, 3, **{**FORCED, **changes})
    with small.reopen(workspace.config.folder, "ben") as ben:
        signing.approve(ben, run_id)
    return run_id


def alerts(workspace: Workspace) -> list[dict[str, Any]]:
    return [row for row in projection(workspace, "alerts") if row["alert"] == KIND]


def file_of_the_third(workspace: Workspace) -> Path:
    found = projection(workspace, "partitions")
    (row,) = [row for row in found if row["dataset"] == "gold_signals" and row["partition"] == small.day(3)]
    return in_lake(workspace, row["files"][0]["path"])


def test_other_rows_of_the_same_inputs_are_held_and_told_until_somebody_looked(workspace: Workspace, tradex: Tradex):
    before = contents(workspace)
    run_id = approved(workspace)
    with given_for("gold_signals", one_more):
        assert workspace.runs.drive(run_id).status == "HELD"
    assert contents(workspace) == before
    (alert,) = alerts(workspace)
    assert (alert["run_id"], alert["dataset"], alert["partition"]) == (run_id, "gold_signals", small.day(3))
    assert "has other content than run-" in alert["message"]
    assert "mentions is now" in alert["message"]
    assert "tradex dataset bump gold_signals" in alert["message"]
    assert alert["delivered"] is False
    (held,) = events(workspace, "topic = 'run.held'")
    assert "1 partition came out otherwise than before from the same inputs" in json.loads(held["data"])["why"]
    assert KIND in tradex("alerts")[1]
    for arguments in (["status"], ["backfill", "propose", "--no-source"]):
        said = "".join(tradex(*arguments)[1:])
        assert "gold_signals: 1 partition came out otherwise from the same inputs" in said
        assert "tradex dataset bump gold_signals" in said
    assert [row["dataset"] for row in json.loads(tradex("--json", "status")[1])["two_contents"]] == ["gold_signals"]
    with small.reopen(workspace.config.folder, "ben") as ben:
        ben.runs.release(run_id, reason="the new rows are right, INC-4300")
    assert workspace.runs.drive(run_id).status == "SUCCESS"
    assert len(alerts(workspace)) == 1
    assert "came out otherwise" not in "".join(tradex("status")[1:])


def test_what_was_given_up_is_held_against_what_comes_after_it(workspace: Workspace, tradex: Tradex):
    file = file_of_the_third(workspace)
    content = file.read_bytes()
    file.unlink()
    run_id = approved(workspace, kind="temporal", ticket=None)
    with given_for("gold_signals", without_the_first):
        assert workspace.runs.drive(run_id).status == "HELD"
    assert "all of it: the row is now" in alerts(workspace)[0]["message"]  # the earlier file is gone
    workspace.runs.cancel(run_id, reason="the rows are wrong, INC-4300")
    run_id = approved(workspace, kind="temporal", ticket=None)
    with given_for("gold_signals", one_more):
        assert workspace.runs.drive(run_id).status == "HELD"
    assert "is now there, it was nothing" in alerts(workspace)[-1]["message"]  # in what was cancelled
    workspace.runs.cancel(run_id, reason="the rows are wrong, INC-4300")
    assert "came out otherwise" in "".join(tradex("status")[1:])
    assert (
        workspace.runs.drive(approved(workspace, kind="temporal", ticket=None)).status == "SUCCESS"
    )  # to the last bit
    file.write_bytes(content)


def test_the_same_rows_in_other_bytes_are_no_other_content(workspace: Workspace):
    run_id = approved(workspace)
    with given_for("gold_signals", encoded_otherwise):
        assert workspace.runs.drive(run_id).status == "SUCCESS"
    assert not alerts(workspace)


def test_what_cannot_be_compared_is_told_and_not_held(workspace: Workspace):
    file = file_of_the_third(workspace)
    content = file.read_bytes()
    file.unlink()
    run_id = approved(workspace, kind="temporal", ticket=None)
    with given_for("gold_signals", encoded_otherwise):
        assert workspace.runs.drive(run_id).status == "SUCCESS"
    file.write_bytes(content)
    (alert,) = alerts(workspace)
    assert "other bytes, and the earlier files are not there any more" in alert["message"]


def reverted(workspace: Workspace, change: Any, **changes: Any) -> tuple[str, dict[str, dict[str, str]]]:
    """A backfill that came out otherwise, was released and published, and is to be taken back; and what was before."""
    before = contents(workspace)
    run_id = approved(workspace, **changes)
    with given_for("gold_signals", change):
        assert workspace.runs.drive(run_id).status == "HELD"
    with small.reopen(workspace.config.folder, "ben") as ben:
        ben.runs.release(run_id, reason="the new rows are right, INC-4300")
    assert workspace.runs.drive(run_id).status == "SUCCESS"
    return run_id, before


def test_who_takes_one_of_two_contents_back_is_told_that_there_are_two(workspace: Workspace, tradex: Tradex):
    run_id, before = reverted(workspace, one_more)
    assert "came out otherwise" not in "".join(tradex("status")[1:])
    status, _, error = tradex("backfill", "revert", run_id, "--reason", "the old rows are right, INC-4300")
    assert (status, "gold_signals: 1 partition came out otherwise from the same inputs" in error) == (0, True), error
    assert contents(workspace) == before
    first, second = alerts(workspace)
    assert (second["run_id"], second["partition"], f"than {run_id} gave it" in second["message"]) == (
        run_id,
        small.day(3),
        True,
    )
    assert first["message"] != second["message"]
    assert "came out otherwise" in "".join(tradex("status")[1:])


def test_what_comes_back_is_held_against_every_build_of_its_inputs(workspace: Workspace):
    given_up = approved(workspace)
    with given_for("gold_signals", without_the_first):
        assert workspace.runs.drive(given_up).status == "HELD"
    workspace.runs.cancel(given_up, reason="the rows are wrong, INC-4300")
    late = '{"id":"1742600000000000001","text":"late $TSLA","author_id":"9","created_at":"2024-01-03T10:00:00.000Z"}\n'
    posts = Path(str(workspace.config.source).removeprefix("files:"))
    (posts / "2024-01-03-late.jsonl").write_text(late, encoding="utf-8")
    done = small.backfill(workspace, 3, 3)  # of other inputs
    (posts / "2024-01-03-late.jsonl").unlink()
    count = len(alerts(workspace))
    workspace.backfills.revert(done.id, reason="the vendor took it back, INC-4212")
    assert [row["partition"] for row in alerts(workspace)[count:]] == [small.day(3)]
    assert f"than {given_up} gave it" in alerts(workspace)[-1]["message"]


def test_what_comes_back_alone_is_told_of_nothing(workspace: Workspace):
    done = small.backfill(workspace, 3, 3, **{**FORCED, "kind": "temporal", "ticket": None})
    workspace.backfills.revert(done.id, reason="the vendor took it back, INC-4212")
    assert not alerts(workspace)
