"""The log as somebody looks for what happened: in a span, by a person, of a run or a dataset."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tradex_ledger.cli.days import MomentType
from tradex_ledger.cli.main import run
from tradex_ledger.ledger import ask
from tradex_ledger.ledger.select import Store
from tradex_ledger.workspace import Workspace

NOW = datetime(2024, 3, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A week, and a backfill of the fourth and fifth day that Maria approved, a day later."""
    ws = worlds.copied(tmp_path_factory.mktemp("log"))
    with small.reopen(ws) as workspace:
        run_id = small.request(workspace, 4, 5)
        with Workspace.open(ws, actor="María", clock=workspace.core.clock) as maria:
            maria.backfills.approve(run_id)
        workspace.runs.drive(run_id)
    return ws


@pytest.fixture
def told(folder: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def ask_log(*arguments: str) -> list[dict[str, Any]]:
        assert run(["-C", str(folder), "audit", "log", "--limit", "10000", "--json", *arguments]) == 0
        events: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["events"]
        return events

    return ask_log


def test_a_span_has_both_its_ends(told: Any):
    everything = told()
    assert [event["position"] for event in told("--since", "5", "--until", "9")] == [5, 6, 7, 8, 9]
    days = sorted({event["at"][:10] for event in everything})
    for day in (days[0], days[-1]):
        span = told("--since", day, "--until", day)
        assert span == [event for event in everything if event["at"][:10] == day]
    month = days[0][:7]
    assert told("--since", month, "--until", month) == [event for event in everything if event["at"][:7] == month]
    at = everything[6]["at"]
    assert told("--since", at) == [event for event in everything if event["at"] >= at]
    assert told("--since", "999999") == []


def test_a_run_as_an_end_is_all_of_it(told: Any, folder: Path):
    with Workspace.open(folder, reading=True) as workspace:
        run_id = workspace.ledger.streams_of("backfill.requested")[0]
    own = [event["position"] for event in told() if event["stream"] == run_id]
    span = told("--since", run_id, "--until", run_id)
    assert (span[0]["position"], span[-1]["position"]) == (own[0], own[-1])
    before = told("--until", f"{run_id}^")
    assert before[-1]["position"] == own[0] - 1


def test_of_a_run_what_names_it_is_told_too(told: Any, folder: Path):
    with Workspace.open(folder, reading=True) as workspace:
        run_id = workspace.ledger.streams_of("backfill.requested")[0]
    found = told("--run", run_id[:14])
    assert {event["topic"] for event in found} >= {"backfill.requested", "dataset.published", "backfill.completed"}
    assert found == [event for event in told() if event["stream"] == run_id or event["data"].get("run") == run_id]


def test_of_a_dataset_what_names_it_is_told_too(told: Any):
    found = told("--dataset", "gold_signals")
    named = [event for event in told() if '"gold_signals"' in json.dumps(event["data"]) or "signals" in event["stream"]]
    assert {event["topic"] for event in found} >= {"dataset.registered", "dataset.published", "run.partition_rebuilt"}
    assert {event["position"] for event in found} <= {event["position"] for event in named}
    assert not [event for event in found if event["data"].get("dataset", "gold_signals") != "gold_signals"]


@pytest.mark.parametrize("spelling", ["María", "MARÍA", "mari\u0301a", " maría "])
def test_a_person_is_one_in_each_spelling(told: Any, spelling: str):
    found = told("--by", spelling)
    assert [event["topic"] for event in found] == ["backfill.approved"]
    assert told("--by", "maria") == [], "which is another name"


def test_filters_are_one_statement_of_the_ledger(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """So that what is asked costs what it asks about: not more rows are read than are told, and those of a name."""
    read = []
    select = Store.select

    def counted(self: Store, statement: str, **values: Any) -> Any:
        found = select(self, statement, **values)
        if "entry" in statement.partition("from")[0]:
            read.append(len(found))
        return found

    with Workspace.open(folder, reading=True) as workspace:
        monkeypatch.setattr(type(workspace.ledger.store), "select", counted)
        found = workspace.audit.log(dataset="gold_signals", since="20", until="100", limit=5)
        assert len(found.events) == 5
        assert sum(read) <= len(found.events) + 2
        read.clear()
        assert [entry.by for entry in workspace.audit.log(by="MARÍA").events] == ["María"]
        assert sum(read) <= 2
        assert workspace.audit.log(limit=10**30).events == workspace.audit.log().events
    assert ask.About() == ask.ANY


def test_names_that_nobody_bears_are_asked_about(folder: Path, capsys: pytest.CaptureFixture[str]):
    for arguments, said in (
        (["--dataset", "gold_signal"], "did you mean gold_signals?"),
        (["--run", "bf-zzzzzz"], "there is no run"),
        (["--since", "gestern"], "a day (--as-of 2026-01-10)"),
        (["--topic", "run.publish"], "run.published"),
    ):
        assert run(["-C", str(folder), "audit", "log", *arguments]) != 0
        assert said in capsys.readouterr().err
    assert run(["-C", str(folder), "audit", "log", "--by", "nobody"]) == 0
    assert "there is no such event" in capsys.readouterr().err


def test_days_as_people_say_them_are_moments(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tradex_ledger.cli.days.utc_now", lambda: NOW)
    today = NOW.date()
    for is_last in (False, True):
        kind = MomentType(is_last=is_last)
        assert kind.convert("yesterday", None, None) == str(today - timedelta(days=1))
        assert kind.convert("-7d", None, None) == str(today - timedelta(days=7))
        assert kind.convert("2024-02", None, None) == ("2024-02-29" if is_last else "2024-02-01")
        assert [kind.convert(text, None, None) for text in ("12", "bf-1^", "x")] == ["12", "bf-1^", "x"]


def test_a_limit_that_no_database_counts_to_is_all(told: Any, folder: Path, capsys: pytest.CaptureFixture[str]):
    beyond = str(10**22)
    assert told("--limit", beyond) == told()
    assert run(["-C", str(folder), "backfill", "list", "--limit", beyond]) == 0
    assert "bf-" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["", " ", "\u200b"])
def test_of_a_name_that_nobody_sees_nothing_is_told(folder: Path, name: str, capsys: pytest.CaptureFixture[str]):
    assert run(["-C", str(folder), "audit", "log", "--by", name]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert "nothing of it can be seen" in said.err


def test_from_the_first_day_of_all_on_everything_is_told(told: Any):
    everything = told()
    assert told("--since", "0001-01-01") == everything
    assert told("--since", "0001-01-01T00:00:00.000001Z") == everything


@pytest.mark.parametrize("said", ["2024-W10", "2024W10", "2024W106"])
@pytest.mark.parametrize("end", ["--since", "--until", "--as-of"])
def test_a_week_is_no_moment(folder: Path, said: str, end: str, capsys: pytest.CaptureFixture[str]):
    assert run(["-C", str(folder), "audit", "log", end, said]) == 2
    assert "a day (--as-of 2026-01-10)" in capsys.readouterr().err


def test_the_history_of_what_had_not_begun_is_none(folder: Path, capsys: pytest.CaptureFixture[str]):
    with Workspace.open(folder, reading=True) as workspace:
        run_id = workspace.ledger.streams_of("backfill.requested")[0]
    for subject, before in ((run_id, f"{run_id}^"), ("gold_signals", "1")):
        ask_history = ["-C", str(folder), "audit", "history", subject]
        assert run([*ask_history, "--as-of", before]) == 4
        assert f"{subject} as of position" in capsys.readouterr().err
        assert run(ask_history) == 0
        capsys.readouterr()
