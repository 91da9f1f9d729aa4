"""The command line as its users meet it: help, results, JSON, errors, exit status."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from tests import worlds
from tests.cli import told_demo
from tests.kit.tree import ROOT
from tradex_ledger.cli.commands import COMMANDS
from tradex_ledger.cli.main import cli, run

REASON = "X API outage on 4 and 5 Jan, INC-4211"
REQUEST = ("backfill", "request", "temporal", "bronze_x_posts", "--from", "2024-01-04", "--to", "2024-01-05")

Tradex = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that has run a week."""
    return worlds.copied(tmp_path_factory.mktemp("cli"))


@pytest.fixture
def tradex(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Tradex:
    """Call the command line in the workspace: (exit status, stdout, stderr)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(["-C", str(workspace), *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def every_command() -> list[tuple[str, ...]]:
    """The path of each command there is."""
    found: list[tuple[str, ...]] = []

    def walk(command: click.Command, path: tuple[str, ...]) -> None:
        if isinstance(command, click.Group) and path not in [(name,) for name in ("run",)]:
            for name in command.list_commands(click.Context(command)):
                inner = command.get_command(click.Context(command), name)
                assert inner is not None
                walk(inner, (*path, name))
        else:
            found.append(path)

    walk(cli, ())
    return found


@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_each_command_helps_with_an_example(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"tradex {' '.join(path)}" in text
    assert "Example:" in text


GROUPS = ["backfill", "backfill request", "dataset", "audit", "lake", "state"]


@pytest.mark.parametrize("group", GROUPS)
def test_each_group_helps_with_an_example(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*group.split(), "--help"]) == 0
    assert f"tradex {group} " in capsys.readouterr().out.partition("Example:")[2]


SHOWING = [
    ("status",),
    ("dataset", "list"),
    ("dataset", "show", "gold_signals", "--partitions"),
    ("state", "show"),
    ("state", "history"),
    ("backfill", "list"),
    ("audit", "log"),
    ("audit", "history", "gold_signals"),
    ("audit", "history", "x"),
    ("lake", "gc"),
    ("query", "select * from runs"),
    ("query", "select * from partitions"),
    ("query", "select * from events limit 3"),
]


@pytest.mark.parametrize("arguments", SHOWING, ids=" ".join)
def test_what_shows_something_shows_it_as_one_json_document(tradex: Tradex, arguments: tuple[str, ...]) -> None:
    status, out, _ = tradex(*arguments, "--json")
    assert status == 0
    json.loads(out)
    status, text, _ = tradex(*arguments)
    assert status == 0
    assert text != out


def test_query_gives_columns_rows_and_the_position_they_are_as_of(tradex: Tradex) -> None:
    _, out, _ = tradex("query", "select date, count(*) as n from gold_metrics group by 1 order by 1", "--json")
    answer = json.loads(out)
    assert answer["columns"] == ["date", "n"]
    assert answer["rows"][0][0].startswith("2024-01-0")
    assert set(answer["as_of"]) == {"position", "at", "ledger", "root", "sealed"}


def test_a_dataset_can_be_read_in_a_named_version(tradex: Tradex) -> None:
    current = json.loads(tradex("query", "select count(*) from gold_signals", "--json")[1])["rows"]
    assert json.loads(tradex("query", "select count(*) from gold_signals_v1", "--json")[1])["rows"] == current
    assert tradex("query", "select count(*) from gold_signals_v7")[0] == 4


def test_before_the_first_run_a_dataset_is_an_empty_table_with_its_columns(tradex: Tradex) -> None:
    answer = json.loads(tradex("query", "select * from gold_signals", "--as-of", "16", "--json")[1])
    assert answer["rows"] == []
    assert answer["columns"] == ["date", "ticker", "mentions", "z", "signal", "sentiment_mean"]


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 1) to '/dev/null'",
        "drop table runs",
        "select 1; select 2",
        "select * from read_text('/etc/hostname')",
        "select * from '/etc/hostname'",
        "select * from glob('*')",
        "attach 'x.db'",
        "set memory_limit = '1GB'",
        "select * from nothing_like_it",
        "selec 1",
        "select no_such_column from runs",
    ],
)
@pytest.mark.norm("N3")
def test_a_query_reads_the_ledger_and_nothing_else(tradex: Tradex, sql: str) -> None:
    status, out, err = tradex("query", sql)
    assert status in (2, 4)
    assert err.startswith("error: ")
    assert "mend: " in err
    assert out == ""


def test_options_may_stand_before_or_after_the_command(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["state", "show", "-C", str(workspace), "--json"]) == 0
    after = capsys.readouterr().out
    assert run(["--json", "-C", str(workspace), "state", "show"]) == 0
    assert capsys.readouterr().out == after
    monkeypatch.setenv("TRADEX_WORKSPACE", str(workspace))
    assert run(["state", "show", "--json"]) == 0
    assert capsys.readouterr().out == after


@pytest.mark.norm("N22")
def test_the_state_flag_has_no_default(tradex: Tradex) -> None:
    before = position(tradex)
    status, _, err = tradex(*REQUEST, "--reason", REASON)
    assert status == 2
    assert "--override-state" in err
    assert position(tradex) == before


@pytest.mark.norm("N20")
def test_a_temporal_backfill_cannot_be_asked_to_move_the_state(tradex: Tradex) -> None:
    before = position(tradex)
    status, _, err = tradex(*REQUEST, "--reason", REASON, "--override-state")
    assert status == 3
    assert "only a forced backfill" in err
    assert position(tradex) == before


WRONG = {
    "unknown dataset": (("nothing", "2024-01-04", "2024-01-05", REASON), 4, "there is no dataset 'nothing'"),
    "reversed range": (("bronze_x_posts", "2024-01-05", "2024-01-04", REASON), 2, "reversed"),
    "empty range": (("gold_signals", "2020-01-01", "2020-01-02", REASON), 2, "is empty"),
    "future days": (("bronze_x_posts", "2024-01-04", "2999-01-01", REASON), 2, "future"),
    "no day": (("bronze_x_posts", "2024-02-30", "2024-03-01", REASON), 2, "not a day"),
    "placeholder reason": (("bronze_x_posts", "2024-01-04", "2024-01-05", "todo todo todo"), 2, "says nothing"),
    "short reason": (("bronze_x_posts", "2024-01-04", "2024-01-05", "outage"), 2, "says nothing"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests_are_told_what_is_wrong_and_what_mends_it(tradex: Tradex, case: str) -> None:
    (dataset, first, last, reason), expected, words = WRONG[case]
    before = position(tradex)
    arguments = ["backfill", "request", "temporal", dataset, "--from", first, "--to", last, "--reason", reason]
    status, out, err = tradex(*arguments, "--no-override-state")
    assert status == expected
    assert words in err
    assert re.search(r"^mend: .+", err, re.MULTILINE)
    assert "Traceback" not in err
    assert out == ""
    assert position(tradex) == before


def test_an_error_is_a_document_too(tradex: Tradex) -> None:
    status, out, _ = tradex("backfill", "show", "bf-zzzz", "--json")
    assert status == 4
    assert set(json.loads(out)["error"]) == {"code", "message", "mend"}


@pytest.mark.norm("N33")
def test_a_dry_run_shows_the_plan_and_records_nothing(tradex: Tradex) -> None:
    before = position(tradex)
    status, out, _ = tradex(*REQUEST, "--reason", REASON, "--no-override-state", "--dry-run", "--json")
    assert status == 0
    plan = json.loads(out)["plan"]
    assert {w["dataset"] for w in plan["windows"]} == {
        "silver_social_events",
        "gold_metrics",
        "gold_baselines",
        "gold_signals",
    }
    assert len(plan["digest"]) == 64
    assert position(tradex) == before


def test_a_backfill_from_request_to_history(tradex: Tradex) -> None:
    made = document(tradex, *REQUEST, "--reason", REASON, "--no-override-state", "--as", "ana")
    run_id = made["id"]
    assert (made["kind"], made["status"]) == ("temporal", "PLANNED")
    assert tradex("backfill", "run", run_id)[0] == 3
    assert tradex("backfill", "approve", run_id, "--plan", "0" * 64)[0] == 3
    assert document(tradex, "backfill", "approve", run_id, "--as", "maria")["status"] == "APPROVED"
    assert document(tradex, "backfill", "run", run_id)["status"] == "SUCCESS"
    assert document(tradex, "backfill", "show", run_id.removeprefix("bf-"))["approved_by"] == "maria"
    status, text, _ = tradex("audit", "history", run_id)
    assert status == 0
    for words in ("backfill.requested", REASON, "backfill.approved", "maria", "backfill.completed"):
        assert words in text
    assert tradex("backfill", "cancel", run_id, "--reason", "changed our minds about it")[0] == 3


def test_a_worker_drives_what_is_approved_and_ends(tradex: Tradex) -> None:
    made = document(tradex, *REQUEST, "--reason", REASON, "--no-override-state")
    tradex("backfill", "approve", made["id"])
    status, out, _ = tradex("worker", "--once")
    assert status == 0
    assert f"{made['id']}: SUCCESS" in out


def test_a_rejected_request_stays_on_record_and_cannot_run(tradex: Tradex) -> None:
    made = document(tradex, *REQUEST, "--reason", REASON, "--no-override-state")
    rejected = document(tradex, "backfill", "reject", made["id"], "--reason", "the vendor delivers again on Monday")
    assert rejected["status"] == "REJECTED"
    assert tradex("backfill", "run", made["id"])[0] == 3


@pytest.mark.norm("N8")
def test_there_is_no_command_that_sets_the_state() -> None:
    state = cli.get_command(click.Context(cli), "state")
    assert isinstance(state, click.Group)
    assert set(state.commands) == {"show", "history"}


def test_running_again_until_the_same_day_says_so(tradex: Tradex) -> None:
    status, _, err = tradex("run", "--to", "2024-01-07")
    assert status == 2
    assert "already run to" in err


def test_outside_a_workspace_the_way_to_one_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-C", str(tmp_path), "status"]) == 4
    assert "tradex init" in capsys.readouterr().err


def test_init_refuses_a_folder_that_is_a_workspace(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(workspace), "--source", f"files:{workspace.parent / 'posts'}"]) == 3
    assert "is a workspace already" in capsys.readouterr().err


def test_init_wants_a_source_that_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path / "ws"), "--source", f"files:{tmp_path / 'no'}"]) == 6
    assert run(["init", str(tmp_path / "ws"), "--source", "ftp://x"]) == 2
    assert not (tmp_path / "ws").exists()
    assert "mend: " in capsys.readouterr().err


def test_the_reader_of_a_pipe_may_leave(workspace: Path) -> None:
    shell = f"{sys.executable} {ROOT / 'cli.py'} -C {workspace} audit log --limit 500 --json | head -1"
    ended = subprocess.run(["bash", "-o", "pipefail", "-c", shell], capture_output=True, text=True, check=False)
    assert ended.stdout == "{\n"
    assert "Traceback" not in ended.stderr


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    from tradex_ledger import __version__

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"tradex {__version__}\n"


def test_the_list_of_commands_in_the_help_is_complete() -> None:
    for name in COMMANDS:
        assert cli.get_command(click.Context(cli), name) is not None


def test_the_demo_tells_its_story_and_leaves_a_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = told_demo.told()
    monkeypatch.chdir(folder)
    steps = json.loads((folder / "told.json").read_text("utf-8"))["steps"]
    titles = [step["title"] for step in steps]
    assert titles[-1] == "What to try next"
    before, after, as_of = (s["rows"] for s in steps if "gold_signals where date between" in s["command"])
    assert before == as_of
    assert after != before
    assert run(["demo"]) == 3
    assert run(["-C", "tradex-demo", "status"]) == 0


def position(tradex: Tradex) -> int:
    """The newest position of the ledger."""
    return int(document(tradex, "status")["as_of"]["position"])


def document(tradex: Tradex, *arguments: str) -> Any:
    """What a command prints with `--json`."""
    status, out, err = tradex(*arguments, "--json")
    assert status == 0, err
    return json.loads(out)
