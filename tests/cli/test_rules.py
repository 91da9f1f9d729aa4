"""The operating rules at the command line: what it says, what it refuses, and what it leaves unrecorded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tradex_ledger.cli.main import run
from tradex_ledger.workspace import Workspace

Tradex = Callable[..., tuple[int, str, str]]
DAYS = ("--from", "2024-01-04", "--to", "2024-01-05")
TEMPORAL = ("backfill", "request", "temporal", "gold_signals", *DAYS, "--no-override-state", "--reason", small.REASON)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.copied(tmp_path_factory.mktemp("rules"))


@pytest.fixture
def folder(week: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(week, tmp_path / "ws"))


@pytest.fixture
def tradex(folder: Path, capsys: pytest.CaptureFixture[str]) -> Tradex:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(["-C", str(folder), "--as", "ana", *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def position(folder: Path) -> int:
    with Workspace.open(folder) as workspace:
        return workspace.ledger.position()


def requested(tradex: Tradex, *arguments: str) -> str:
    status, out, _ = tradex(*arguments, "--json")
    assert status == 0
    return str(json.loads(out)["id"])


@pytest.mark.norm("N9")
@pytest.mark.norm("N33")
def test_a_dry_run_shows_plan_and_cost_and_records_nothing(folder: Path, tradex: Tradex):
    before = position(folder)
    status, out, _ = tradex(*TEMPORAL, "--dry-run")
    assert status == 0
    assert all(word in out for word in ("gold_signals", "asked for", "rows", "seconds"))
    assert position(folder) == before


@pytest.mark.norm("N22")
def test_who_says_nothing_about_the_state_is_asked_to(tradex: Tradex):
    status, _, error = tradex(*(a for a in TEMPORAL if a != "--no-override-state"))
    assert (status, "--no-override-state" in error) == (2, True)


@pytest.mark.norm("N32")
def test_pause_resume_cancel_say_where_they_lead(tradex: Tradex):
    run_id = requested(tradex, *TEMPORAL)
    assert tradex("backfill", "approve", run_id)[0] == 0
    why = ("--reason", "the machine is needed elsewhere")
    assert "is PAUSED" in tradex("backfill", "pause", run_id, *why)[1]
    status, _, error = tradex("backfill", "run", run_id)
    assert (status, f"tradex backfill resume {run_id}" in error) == (3, True)
    assert "is APPROVED" in tradex("backfill", "resume", run_id)[1]
    assert "is CANCELLED" in tradex("backfill", "cancel", run_id, *why)[1]
    assert tradex("backfill", "resume", run_id)[0] == 3


@pytest.mark.norm("N32")
def test_an_overlap_names_the_option_that_allows_it(tradex: Tradex):
    run_id = requested(tradex, *TEMPORAL)
    status, _, error = tradex(*TEMPORAL)
    assert (status, f"--allow-overlap {run_id}" in error) == (3, True)
    assert tradex(*TEMPORAL, "--allow-overlap", run_id)[0] == 0


@pytest.mark.norm("N36")
def test_a_split_makes_several_linked_requests(folder: Path, tradex: Tradex):
    small.set_policy(folder, max_partitions=1)
    status, _, error = tradex(*TEMPORAL)
    assert (status, "--split" in error) == (3, True)
    status, out, _ = tradex(*TEMPORAL, "--split", "--json")
    made = json.loads(out)
    assert (status, len(made)) == (0, 2)


@pytest.mark.norm("N19")
def test_revert_and_propose_follow_one_another(tradex: Tradex):
    run_id = requested(tradex, *TEMPORAL)
    tradex("backfill", "approve", run_id)
    assert tradex("backfill", "run", run_id)[0] == 0
    status, out, error = tradex("backfill", "revert", run_id, "--reason", "the redelivery was broken, INC-4290")
    assert (status, f"{run_id} is REVERTED" in out, "tradex backfill propose" in error) == (0, True, True)
    assert tradex("backfill", "propose", "--json")[0] == 0


@pytest.mark.norm("N4")
def test_prune_wants_a_reason_or_a_digest_and_never_bronze(tradex: Tradex):
    assert tradex("lake", "prune", "gold_signals", "--reason", "too much space", "--approve", "f" * 12)[0] == 2
    status, _, error = tradex("lake", "prune", "bronze_x_posts", "--reason", "Bronze takes too much space")
    assert (status, "never pruned" in error) == (3, True)


@pytest.mark.norm("N35")
def test_alerts_that_nobody_got_are_a_finding(folder: Path, tradex: Tradex):
    assert tradex("alerts")[0] == 0
    run_id = requested(tradex, *TEMPORAL, "--review")
    tradex("backfill", "approve", run_id)
    tradex("backfill", "run", run_id)
    status, out, _ = tradex("alerts", "--json")
    assert status == 1
    (told,) = json.loads(out)["rows"]
    assert (told["about"], told["state"], told["delivered"]) == (run_id, "open", False)
    assert (told["severity"], told["command"]) == ("warning", f"tradex audit diff {run_id}")
    status, out, _ = tradex("alerts", "--each", "--json")
    assert [(a["alert"], a["cleared_position"] is None) for a in json.loads(out)["rows"]] == [
        ("waits for approval", False),
        ("held", True),
    ]
    assert tradex("alerts", "ack", run_id[:9], "--reason", "the desk is at it, INC-4300")[0] == 0
    status, out, _ = tradex("alerts")
    assert (status, "known to" in out, "the desk is at it" in out) == (0, True, True)
