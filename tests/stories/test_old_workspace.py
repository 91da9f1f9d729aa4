"""Workspaces of an older release and an older engine, under what is installed: nothing they said has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.kit import old_workspace, small
from tests.kit.check import check_everything
from tests.kit.lake import events
from tests.kit.old_workspace import NAMES, answers, cases, narrowed, recorded
from tradex_ledger.audit.query import query
from tradex_ledger.cli.main import run
from tradex_ledger.workspace import Workspace


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder with copies of the workspaces and of their posts."""
    return old_workspace.unpack(tmp_path)


def ask(folder: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    status = run(["-C", str(folder), *words, "--json"])
    said = capsys.readouterr()
    assert status == 0, f"{words}: {said.err}"
    found = json.loads(said.out)
    return found["rows"] if found.keys() == {"as_of", "rows"} else found  # what were lists then say where they stand


@pytest.mark.norm("N40")
@pytest.mark.parametrize("name", NAMES)
def test_every_question_has_the_answer_of_then(name: str, old: Path, capsys: pytest.CaptureFixture[str]):
    differ = {}
    for item in answers(name):
        found = narrowed(ask(old / name, item["asked"], capsys), item["answer"])
        if found != item["answer"]:
            differ[" ".join(item["asked"])] = found, item["answer"]
    assert differ == {}


def test_what_is_asked_is_worth_asking():
    asked = [" ".join(item["asked"][:2]) for name in NAMES for item in answers(name)]
    assert {"status", "audit log", "backfill list"} <= {words.removesuffix(" --limit") for words in asked}
    assert sum(words.startswith("query ") for words in asked) >= 15
    assert sum(words.startswith("backfill show") for words in asked) == 4
    assert sum("--as-of" in item["asked"] for name in NAMES for item in answers(name)) >= 15
    assert all(item["answer"] for item in answers("ws") if "--as-of" not in item["asked"])


@pytest.mark.parametrize("name", NAMES)
def test_the_invariants_hold_in_it(name: str, old: Path):
    with small.reopen(old / name) as workspace:
        check_everything(workspace)


@pytest.mark.parametrize("name", NAMES)
def test_it_was_made_by_the_oldest_engine_there_is_support_for(name: str, old: Path):
    with small.reopen(old / name) as workspace:
        started = events(workspace, "topic = 'run.layer_started'")
    made_by = {json.loads(event["data"])["executor"]["duckdb"] for event in started}
    assert made_by == {"2.0.0"}
    assert tuple(map(int, duckdb.__version__.split(".")[:3])) >= (2, 0, 0)


def test_it_holds_what_that_release_read_wrongly(old: Path):
    with small.reopen(old / "ws") as workspace:
        wrong = [case["name"] for case in cases() if read_then(workspace, case) != meant(case)]
    assert wrong == [
        *("v1-retweet", "v2-retweet-with-includes", "renamed-retweet-with-includes"),
        *("v1-extended-before-full-text", "renamed-note", "cashtags", "full-text-loses-by-digest"),
        *("renamed-edit", "renamed-edit-after-midnight", "v1-edit"),
        *("count-100-plus", "count-3.0", "half-a-surrogate"),
    ]


def meant(case: dict[str, Any]) -> list[list[Any]]:
    """Day, id and tickers of each post of a case, by the rules."""
    return [[day, post_id, sorted(tickers)] for day, post_id, tickers in case["meant"]]


def read_then(workspace: Workspace, case: dict[str, Any]) -> list[list[Any]]:
    """The same, as Silver has it."""
    ids = ", ".join(f"'{post_id}'" for _, post_id, _ in case["meant"]) or "''"
    sql = (
        "select event_date::varchar, post_id, list_sort(list(ticker)) from silver_social_events_v1 "
        f"where post_id in ({ids}) group by all order by all"
    )
    return [list(row) for row in query(workspace.ledger.store, workspace.core.lake, sql).rows]


def test_the_requests_of_then_are_as_they_were_left(old: Path, capsys: pytest.CaptureFixture[str]):
    left = {run["id"]: run["status"] for run in ask(old / "ws", ["backfill", "list"], capsys)}
    assert sorted(left.values()) == ["APPROVED", "PLANNED", "SUCCESS"]
    assert recorded()["workspaces"]["ws"]["positions"].keys() == {
        "after the first run",
        "after the backfill",
        "after the second run",
    }
