"""What an approver is shown, before and after: where the state goes, why, at what cost, and who has to allow it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import signing, small
from tradex_ledger.cli.main import run
from tradex_ledger.driving.lease import held
from tradex_ledger.workspace import BUILT_IN, Workspace

Tradex = Callable[..., tuple[int, str, str]]
DAYS = ("--from", "2024-01-04", "--to", "2024-01-05")
SIGNALS = ("backfill", "request", "temporal", "gold_signals", *DAYS, "--no-override-state", "--reason", small.REASON)
BRONZE = tuple("bronze_x_posts" if a == "gold_signals" else a for a in SIGNALS)
FORCED = (
    *("backfill", "request", "forced", "bronze_x_posts", *DAYS, "--override-state", "--cursor", "2024-01-04"),
    *("--ticket", "INC-4300", "--reason", small.REASON, "--priority", "high", "--review"),
)
NOW, AFTER = "2024-01-08T00:00:00.000000Z", "2024-01-04T00:00:00.000000Z"


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.copied(tmp_path_factory.mktemp("shown"))


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


def document(tradex: Tradex, *arguments: str) -> Any:
    status, out, error = tradex(*arguments, "--json")
    assert status == 0, error
    return json.loads(out)


def position(folder: Path) -> int:
    with Workspace.open(folder) as workspace:
        return workspace.ledger.position()


# -- plans


@pytest.mark.norm("N13")
@pytest.mark.norm("N21")
def test_who_approves_an_override_sees_where_the_state_goes(folder: Path, tradex: Tradex):
    move = {"pipeline": "x", "cursor_before": NOW, "cursor_after": AFTER}
    _, planned, _ = tradex(*FORCED, "--dry-run")
    assert document(tradex, *FORCED, "--dry-run")["state"] == move
    made = document(tradex, *FORCED)
    assert made["state"] == move
    _, shown, _ = tradex("backfill", "show", made["id"])
    for text in (planned, shown, tradex("audit", "history", made["id"])[1], tradex("audit", "log")[1]):
        assert f"{NOW} -> {AFTER}" in text
    assert document(tradex, "backfill", "show", made["id"])["state"] == move
    assert all(word in shown for word in ("priority", "high", "review", made["plan"]["policy_digest"]))
    with Workspace.open(folder, actor="maria") as maria:
        signing.approve(maria, made["id"])
    tradex("backfill", "run", made["id"])
    tradex("backfill", "release", made["id"], "--reason", "compared: nothing differs at all")
    tradex("backfill", "run", made["id"])
    assert document(tradex, "backfill", "show", made["id"])["state"] == move  # as it was then, not as it is now


def test_show_gives_what_the_dry_run_gave(tradex: Tradex):
    planned = document(tradex, *BRONZE, "--dry-run")
    made = document(tradex, *BRONZE)
    shown = document(tradex, "backfill", "show", made["id"])
    assert {name: shown[name] for name in ("edges", "by_dataset", "state", "request")} == {
        name: planned[name] for name in ("edges", "by_dataset", "state", "request")
    }
    assert shown["windows"] == planned["plan"]["windows"]
    assert shown["approval"] == planned["approval"]
    assert {"dataset": "bronze_x_posts", "because": "asked for", "first": None, "last": None} in shown["edges"]
    for text in (
        tradex(*BRONZE, "--allow-overlap", made["id"], "--dry-run")[1],
        tradex("backfill", "show", made["id"])[1],
    ):
        assert "bronze_x_posts\t-\t2024-01-04\t2024-01-05\t-\t-\tasked for" in text
        assert all(word in text for word in ("source calls", "seconds", "of anybody", "reads bronze_x_posts"))
    assert f"allow overlap    {made['id']}\n" in tradex(*BRONZE, "--allow-overlap", made["id"], "--dry-run")[1]


@pytest.mark.norm("N13")
def test_a_plan_says_whose_approval_it_needs(folder: Path, tradex: Tradex):
    small.set_policy(folder, may_approve=["ana", "Maria", "bob"], may_force=["ana", "maria"])
    assert document(tradex, *FORCED, "--dry-run")["approval"] == {
        "rule": None,
        "may_approve": ["Maria"],
        "other_than": "ana",
        "ticket": "INC-4300",
        "signed": True,
    }
    assert "of Maria; ticket INC-4300; signed" in tradex(*FORCED, "--dry-run")[1]
    assert "of ana or Maria or bob" in tradex(*SIGNALS, "--dry-run")[1]


@pytest.mark.norm("N9")
def test_an_approval_by_rule_is_told_as_one(folder: Path, tradex: Tradex):
    small.set_policy(folder, rule_max_partitions=100)
    assert "approved by rule (at most 100 partitions)" in tradex(*SIGNALS, "--dry-run")[1]
    made = document(tradex, *SIGNALS)
    assert (made["status"], made["approved_rule"]) == ("APPROVED", "at most 100 partitions")
    assert "approved        by rule (at most 100 partitions) at" in tradex("backfill", "show", made["id"])[1]
    assert "approved by rule (at most 100 partitions): plan" in tradex("audit", "history", made["id"])[1]
    (row,) = document(tradex, "query", "select approved_rule from runs where run_kind = 'backfill'")["rows"]
    assert row == ["at most 100 partitions"]


@pytest.mark.norm("N33")
@pytest.mark.norm("N36")
def test_a_split_is_planned_part_by_part_and_nothing_is_recorded(folder: Path, tradex: Tradex):
    small.set_policy(folder, max_partitions=1)
    before = position(folder)
    status, out, _ = tradex(*SIGNALS, "--split", "--dry-run")
    assert status == 0
    assert all(f"part {n} of 2: 2024-01-0{n + 3}..2024-01-0{n + 3}" in out for n in (1, 2))
    parts = document(tradex, *SIGNALS, "--split", "--dry-run")
    assert [part["request"]["first"] for part in parts] == ["2024-01-04", "2024-01-05"]
    assert position(folder) == before
    # A day cannot be split: that is not said to be the mend.
    status, _, error = tradex(*BRONZE, "--split")
    assert (status, "--split" in error, "max_partitions" in error) == (3, False, True)


def test_a_range_far_from_the_days_there_are_is_warned_of(tradex: Tradex):
    far = tuple("2022-01-01" if a == "2024-01-04" else a for a in BRONZE)
    for more in (("--dry-run",), ()):
        status, _, error = tradex(*far, *more)
        assert status == 0
        assert "warning: the range begins on 2022-01-01, more than a year before" in error
    assert "warning" not in tradex(*SIGNALS, "--dry-run")[2]


def test_what_is_no_utf8_is_refused(folder: Path, tradex: Tradex):
    before = position(folder)
    for more in (("--reason", "the outage of \udcff January, INC-4211"), ("--ticket", "INC\udcff")):
        status, _, error = tradex(*SIGNALS, *more)
        assert (status, "is not valid UTF-8" in error, "mend: " in error) == (2, True, True)
    assert tradex("--as", "an\udcff", *SIGNALS)[0] == 2
    assert position(folder) == before


@pytest.mark.norm("N13")
def test_twelve_digits_of_a_plan_are_enough_and_no_fewer(tradex: Tradex):
    made = document(tradex, *SIGNALS)
    digest = made["plan"]["digest"]
    other = digest[:14] + ("0" if digest[14] != "0" else "1") + digest[15:]
    for wrong in (digest[:11], other, ""):
        status, _, error = tradex("backfill", "approve", made["id"], "--plan", wrong)
        assert (status, "12 digits" in error) == (3, True)
    assert f"{digest[:18]}, not {other[:18]}" in tradex("backfill", "approve", made["id"], "--plan", other)[2]
    assert tradex("backfill", "approve", made["id"], "--plan", digest[:12].upper())[0] == 0


# -- the worker


@pytest.mark.norm("N38")
def test_a_worker_says_which_runs_wait_and_why(folder: Path, tradex: Tradex):
    run_id = document(tradex, *SIGNALS)["id"]
    tradex("backfill", "approve", run_id)
    now = datetime.now(tz=UTC)
    begin, end = (f"{now + timedelta(hours=h):%H:%M}" for h in (-2, 2))
    small.set_policy(folder, peak_hours=f"{begin}-{end}")
    status, out, error = tradex("worker", "--once")
    assert (status, out) == (0, "")
    assert f"{run_id} waits: " in error
    assert "peak hours" in error
    (waiting,) = document(tradex, "worker", "--once")
    assert (waiting["id"], waiting["status"], "peak hours" in waiting["waits"]) == (run_id, "APPROVED", True)
    status, _, error = tradex("backfill", "run", run_id)
    assert (status, f"tradex backfill cancel {run_id}" in error, "--priority urgent" in error) == (3, True, True)


@pytest.mark.norm("N29")
def test_a_run_that_is_driven_elsewhere_is_said_to_be_where(folder: Path, tradex: Tradex):
    run_id = document(tradex, *SIGNALS)["id"]
    tradex("backfill", "approve", run_id)
    with Workspace.open(folder) as other, held(other.core.execution(), run_id):
        status, _, error = tradex("backfill", "run", run_id)
        assert (status, "Lease(" in error, f"(process {os.getpid()} on " in error) == (5, False, True)
        assert f"{run_id} waits: " in tradex("worker", "--once")[2]


@pytest.mark.norm("N27")
def test_a_run_that_was_only_refused_has_not_failed(folder: Path, tradex: Tradex):
    own_pipeline(folder)
    run_id = document(tradex, *SIGNALS)["id"]
    tradex("backfill", "approve", run_id)
    spikes_from(folder, 4)
    status, out, _ = tradex("worker", "--once")
    assert (status, "FAILED" in out, f"{run_id}: refused: " in out) == (1, False, True)
    assert document(tradex, "backfill", "list")["rows"][0]["status"] == "APPROVED"


# -- datasets and versions


def own_pipeline(folder: Path) -> None:
    shutil.copytree(BUILT_IN, folder / "pipeline")
    settings = folder / "tradex.toml"
    text = settings.read_text(encoding="utf-8").replace('# pipeline = "pipeline"', 'pipeline = "pipeline"')
    settings.write_text(text, encoding="utf-8")


def spikes_from(folder: Path, z: int) -> None:
    definition = folder / "pipeline" / "gold_signals.sql"
    text = definition.read_text(encoding="utf-8")
    assert "z >= 3" in text
    definition.write_text(text.replace("z >= 3", f"z >= {z}"), encoding="utf-8")


@pytest.mark.norm("N4")
@pytest.mark.norm("N26")
def test_what_is_pruned_of_a_version_is_warned_of_and_what_is_left_is_named(folder: Path, tradex: Tradex):
    own_pipeline(folder)
    spikes_from(folder, 4)
    why = ("--reason", "a spike needs four deviations, TRX-91")
    assert tradex("dataset", "bump", "gold_signals", *why)[0] == 0
    logical = ("backfill", "request", "logical", "gold_signals", *DAYS, "--no-override-state", *why)
    run_id = document(tradex, *logical)["id"]
    tradex("backfill", "approve", run_id)
    assert tradex("backfill", "run", run_id)[0] == 0
    status, out, _ = tradex("audit", "diff", "gold_signals", "--versions", "1", "2", "--json")
    differing = {row["partition"] for row in json.loads(out)["rows"]}
    assert (status, "2024-01-03" in differing, "2024-01-04" in differing) == (1, True, False)
    assert tradex("audit", "diff", "gold_signals")[0] == 2
    assert tradex("audit", "diff", "gold_signals", "--versions", "1", "7")[0] == 4
    assert tradex("audit", "diff", "silver_social_events", "--versions", "1", "1")[0] == 3

    assert tradex("dataset", "deprecate", "gold_signals", "1", *why)[0] == 0
    status, out, error = tradex("lake", "prune", "gold_signals", *why, "--json")
    plan = json.loads(out)
    assert plan["nowhere_else"] == ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-06", "2024-01-07"]
    assert "warning: gold_signals of 5 days from 2024-01-01 to 2024-01-07" in error
    for wrong in (plan["digest"][:11], "f" * 12):
        status, _, error = tradex("--as", "maria", "lake", "prune", "gold_signals", "--approve", wrong)
        assert (status, f"{plan['digest'][:12]}, not {wrong}" in error) == (3, True)
    assert tradex("--as", "maria", "lake", "prune", "gold_signals", "--approve", plan["digest"][:12])[0] == 0
    status, _, error = tradex("query", "select count(*) from gold_signals_v1")
    assert (status, "as of now: gold_signals, gold_signals_v2;" in error) == (6, True)


@pytest.mark.norm("N4")
def test_a_dataset_shows_what_is_protected_in_it_and_by_whom(tradex: Tradex):
    days, why = ("--from", "2024-01-01", "--to", "2024-01-02"), ("--reason", "legal hold, case 2014-7")
    status, _, error = tradex("dataset", "protect", "gold_signals", "--from", "2024-01-02", "--to", "2024-01-01", *why)
    assert (status, "--from 2024-01-01 --to 2024-01-02" in error) == (2, True)
    tradex("dataset", "protect", "gold_signals", *days, *why)
    assert "2024-01-01\t2024-01-02\tlegal hold, case 2014-7\tana" in tradex("dataset", "show", "gold_signals")[1]
    (held_,) = document(tradex, "dataset", "show", "gold_signals")["protections"]
    assert (held_["first"], held_["last"], held_["protected_by"]) == ("2024-01-01", "2024-01-02", "ana")
    tradex("dataset", "unprotect", "gold_signals", *days, *why)
    assert document(tradex, "dataset", "show", "gold_signals")["protections"] == []


def test_what_is_refused_of_a_dataset_has_its_mend(tradex: Tradex):
    why = ("--reason", "counts spam as mentions")
    tradex("dataset", "deprecate", "gold_signals", "1", *why)
    for call, said, mend in [
        (("dataset", "deprecate", "gold_signals", "1", *why), "is deprecated already", "tradex dataset restore"),
        (("dataset", "restore", "gold_metrics", "1", *why), "is not deprecated", "tradex dataset show"),
        (("dataset", "bump", "gold_metrics", *why), "already", "gold_metrics.sql"),
        (("lake", "prune", "bronze_x_posts", *why), "never pruned", "Silver and Gold"),
    ]:
        status, _, error = tradex(*call)
        assert (status, said in error, mend in error.partition("mend: ")[2]) == (3, True, True)


def test_a_status_that_is_none_is_refused_with_those_there_are(tradex: Tradex):
    status, _, error = tradex("backfill", "list", "--status", "NOPE")
    assert (status, "'NOPE' is not one of" in error, "reverted" in error.lower()) == (2, True, True)
    document(tradex, *SIGNALS)
    found = document(tradex, "backfill", "list", "--status", "planned")["rows"]
    assert [run["status"] for run in found] == ["PLANNED"]


# -- receivers


@pytest.mark.norm("N35")
def test_a_receiver_that_is_none_is_said_without_its_secret(folder: Path, tradex: Tradex):
    status, _, error = tradex("alerts", "--deliver")
    assert (status, "urls = " in error.partition("mend: ")[2]) == (2, True)
    settings = folder / "tradex.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("[alerts]\n", '[alerts]\nurls = ["nosuch://token-4711@host"]\n'), encoding="utf-8")
    status, _, error = tradex("alerts", "--deliver")
    assert (status, "'nosuch'" in error, "4711" in error) == (6, True, False)
    status, _, error = tradex("worker", "--once")
    assert (status, "warning: [alerts] urls" in error) == (0, True)
