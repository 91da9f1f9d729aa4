"""What got in the way of those who used it by hand."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.tree import CLI
from tradex_ledger.audit.documents.store import GrantsDocument
from tradex_ledger.cli.layouts.store import grants
from tradex_ledger.cli.main import run
from tradex_ledger.cli.show import Show
from tradex_ledger.workspace import BUILT_IN, Workspace

NEW_SCORING = "spikes start at z = 4, not 3"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setenv("TRADEX_WORKSPACE", str(tmp_path / "ws"))
    monkeypatch.setenv("TRADEX_ACTOR", "ana")
    with small.reopen(worlds.copied(tmp_path, until=6, pipeline=True)) as opened:
        yield opened


def test_an_empty_name_is_nobody_and_not_the_login(workspace: Workspace, capsys: pytest.CaptureFixture[str]):
    assert run(["run", "--as", ""]) == 2
    assert "nothing of it can be seen" in capsys.readouterr().err


def test_a_text_of_several_lines_is_shown_as_it_is_to_be_copied(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
):
    assert run(["dataset", "show", "gold_signals"]) == 0
    text = (workspace.config.folder / "pipeline" / "gold_signals.sql").read_text("utf-8")
    assert text in capsys.readouterr().out
    sql = "create role a;\ngrant select on events to a;\n"
    grants(Show(as_json=False), GrantsDocument("public", "o", "w", "r", sql, said=False))
    assert capsys.readouterr().out == sql


def test_a_run_twice_on_one_day_has_nothing_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TRADEX_WORKSPACE", str(worlds.copied(tmp_path, until=6, thin=True)))
    monkeypatch.setenv("TRADEX_ACTOR", "ana")
    monkeypatch.setattr("tradex_ledger.clock.utc_now", small.Ticking(datetime(2024, 2, 20, tzinfo=UTC)))
    assert run(["run", "--yes"]) == 3, "weeks after the last event, somebody is to say that it is this late"
    assert "--clock-is-right" in capsys.readouterr().err
    assert run(["run", "--clock-is-right"]) == 2
    assert (
        "tradex run --to 2024-01-07, or, if there was nothing to deliver: tradex run --yes" in capsys.readouterr().err
    )
    assert run(["run", "--yes", "--clock-is-right"]) == 0
    assert run(["run"]) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert run(["run", "--to", "2024-01-05"]) == 2  # this was asked for


def test_a_full_disk_behind_the_output_is_said_in_a_line(workspace: Workspace):
    command = [sys.executable, str(CLI), "query", "select * from range(100000)"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, "disk is full" in ended.stderr, "Traceback" in ended.stderr) == (6, True, False)


def test_ctrl_c_inside_the_database_is_a_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def interrupted(*_: object, **__: object) -> None:
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr("tradex_ledger.cli.main.cli.main", interrupted)
    assert run(["status"]) == 128 + signal.SIGINT
    assert "interrupted" in capsys.readouterr().err


def test_a_released_incremental_run_is_taken_up_by_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TRADEX_ACTOR", "ana")
    ws = worlds.copied(tmp_path / "more", days=42, until=None, thin=True)
    clock = small.Ticking(datetime(2024, 2, 20, tzinfo=UTC))
    with Workspace.open(ws, actor="ana", clock=clock) as w:
        w.incremental.run(last=date(2024, 2, 10))
        small.set_policy(w.config.folder, anomaly_min_rows=1, hold_on_anomaly=True)
        for file in (tmp_path / "more" / "posts").glob("2024-02-11*"):
            file.unlink()
        held = w.incremental.run(last=date(2024, 2, 11))
        assert held.status == "HELD"
    workspace_of = ["-C", str(ws)]
    assert run([*workspace_of, "backfill", "release", held.id, "--reason", "the vendor has no posts of that day"]) == 0
    assert "next: tradex run\n" in capsys.readouterr().err
    assert run([*workspace_of, "run", "--to", "2024-02-11"]) == 0


def test_layers_are_told_as_json(workspace: Workspace, capsys: pytest.CaptureFixture[str]):
    run_id = small.backfill(workspace, 4, 4).id
    capsys.readouterr()
    assert run(["backfill", "show", run_id, "--json"]) == 0
    layers = {layer["layer"]: layer for layer in json.loads(capsys.readouterr().out)["layers"]}
    assert layers["bronze"]["extraction"]["mode"] == "backfill"
    assert layers["gold"]["extraction"] is None


@pytest.mark.norm("N26")
def test_who_asks_and_who_approves_hear_which_days_readers_will_miss(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
):
    small.edit(workspace, "gold_signals", "z >= 3", "z >= 4")
    workspace.datasets.bump("gold_signals", reason=NEW_SCORING)
    days, why = ["--from", "2024-01-01", "--to", "2024-01-02"], ["--reason", NEW_SCORING]
    order = ["backfill", "request", "logical", "gold_signals", *days, "--no-override-state", *why]
    said = "version 2, which will lack 3 days (2024-01-03 to 2024-01-05)"
    for more in (["--dry-run"], []):
        assert run([*order, *more]) == 0
        assert said in " ".join(capsys.readouterr().err.split())
    run_id = workspace.ledger.streams_of("backfill.requested")[-1]
    assert run(["backfill", "show", run_id]) == 0
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.norm("N4")
def test_who_approves_a_pruning_sees_it_first(workspace: Workspace, capsys: pytest.CaptureFixture[str]):
    assert run(["lake", "prune", "gold_metrics"]) == 0
    assert "no plan to prune" in capsys.readouterr().err
    (workspace.config.folder.parent / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    small.backfill(workspace, 3, 3)
    assert run(["lake", "prune", "gold_metrics", "--reason", "superseded by the late post"]) == 0
    planned = capsys.readouterr()
    assert run(["lake", "prune", "gold_metrics", "--as", "maria"]) == 0
    assert capsys.readouterr() == planned


@pytest.mark.norm("N26")
def test_a_deprecated_current_version_stops_a_run_before_it_is_recorded(workspace: Workspace):
    workspace.datasets.deprecate("bronze_x_posts", 1, reason="the vendor's fields were read wrongly")
    before = workspace.ledger.position()
    assert run(["run", "--to", "2024-01-06"]) == 3
    assert workspace.ledger.position() == before


@pytest.mark.norm("N13")
def test_a_state_that_is_moved_forward_is_said_to_skip_days(workspace: Workspace, capsys: pytest.CaptureFixture[str]):
    order = [
        "backfill",
        "request",
        "forced",
        "gold_signals",
        "--from",
        "2024-01-04",
        "--to",
        "2024-01-04",
        "--override-state",
        "--ticket",
        "INC-1",
    ]
    cursors = {"2024-01-03": False, "2024-01-20": True}
    for cursor, forward in cursors.items():
        reason = "the vendor gave these days up"
        assert run([*order, "--cursor", cursor, "--reason", reason, "--dry-run"]) == 0
        assert ("no run will process what lies between" in " ".join(capsys.readouterr().out.split())) is forward


def test_an_own_pipeline_begins_as_the_built_in_one(tmp_path: Path, workspace: Workspace):
    source = f"files:{workspace.config.folder.parent / 'posts'}"
    assert run(["init", str(tmp_path / "own"), "--source", source, "--pipeline", "pipeline"]) == 0
    copied = {file.name: file.read_bytes() for file in (tmp_path / "own" / "pipeline").iterdir()}
    assert copied == {file.name: file.read_bytes() for file in BUILT_IN.iterdir() if file.suffix in (".sql", ".csv")}
    assert run(["-C", str(tmp_path / "own"), "run", "--to", "2024-01-02"]) == 0


def test_an_event_that_there_is_not_is_no_empty_answer(workspace: Workspace, capsys: pytest.CaptureFixture[str]):
    assert run(["audit", "log", "--topic", "backfill.aproved"]) == 2
    assert "topics are: backfill.approved" in capsys.readouterr().err
    # In a process that has not sent any alert.
    assert (
        subprocess.run(
            [sys.executable, str(CLI), "audit", "log", "--topic", "alerts.delivered"], check=False
        ).returncode
        == 0
    )


def test_days_that_no_run_has_come_to_are_warned_of(workspace: Workspace, capsys: pytest.CaptureFixture[str]):
    days = ["--from", "2024-01-04", "--to", "2024-01-06", "--no-override-state", "--reason", small.REASON]
    assert run(["backfill", "request", "temporal", "bronze_x_posts", *days, "--dry-run"]) == 0
    assert "incremental runs have come to 2024-01-05 only" in " ".join(capsys.readouterr().err.split())


@pytest.mark.norm("N33")
def test_a_dry_run_over_a_new_dataset_shows_its_plan(workspace: Workspace, capsys: pytest.CaptureFixture[str]):
    folder = workspace.config.folder / "pipeline"
    shutil.copy(folder / "gold_signals.sql", folder / "gold_more.sql")
    days = ["--from", "2024-01-02", "--to", "2024-01-03", "--no-override-state", "--reason", small.REASON]
    before = workspace.ledger.position()
    for more in ([], ["--split"]):
        assert run(["backfill", "request", "temporal", "gold_more", *days, "--dry-run", *more]) == 0
        assert "gold_more" in capsys.readouterr().out
    assert workspace.ledger.position() == before
