"""The package as somebody has it in a script or a notebook."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import tradex_ledger
from tests import worlds
from tests.kit import small
from tradex_ledger import Request, TradexError, Workspace
from tradex_ledger.domain import request


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.copied(tmp_path_factory.mktemp("python"))


def test_nothing_is_loaded_by_who_asks_for_nothing() -> None:
    code = "import sys, tradex_ledger; sys.exit(any(n in sys.modules for n in ('duckdb', 'tradex_ledger.workspace')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="nothing"):
        getattr(tradex_ledger, "nothing")  # noqa: B009


def test_days_are_dates_or_their_texts(week: Path) -> None:
    asked: dict[str, Any] = {
        "kind": "temporal",
        "dataset": "bronze_x_posts",
        "override_state": False,
        "reason": small.REASON,
    }
    texts: dict[str, Any] = {"first": "2024-01-04", "last": "2024-01-05"}
    by_text = Request(**texts, **asked)
    assert by_text == Request(first=date(2024, 1, 4), last=date(2024, 1, 5), **asked)
    with pytest.raises(TradexError, match="is no day"):
        Request(**{**asked, "first": "4 January"})
    assert doctest.testmod(request).failed == 0
    with Workspace.open(week, actor="ana", reading=True) as workspace:
        signals = workspace.datasets["gold_signals"]
        assert signals.at("2024-01-03").rows == signals.at(date(2024, 1, 3)).rows != []
        assert sum(len(signals.at(f"2024-01-0{day}").rows) for day in range(1, 8)) == len(signals.rows().rows)


def test_an_answer_is_what_the_libraries_have(week: Path) -> None:
    with Workspace.open(week, reading=True) as workspace:
        answer = workspace.query("select date, ticker, mentions, z, null as nothing from gold_signals order by all")
    assert answer.rows() == answer.rows
    arrow, pandas, polars = answer.arrow(), answer.pandas(), answer.polars()
    assert arrow.schema.field("date").type == pa.date32()
    assert [tuple(row.values()) for row in arrow.to_pylist()] == answer.rows == polars.rows()
    assert len(pandas) == len(answer.rows)
    assert repr(answer).startswith(f"<Answer: {len(answer.rows)} rows of date, ticker")


def test_what_a_notebook_shows_is_text(week: Path) -> None:
    with Workspace.open(week, reading=True) as workspace:
        shown = workspace.query("select '<script>alert(1)</script>' as \"<b>\"")._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "<b>" not in shown


def test_what_there_is_tells_what_it_is(week: Path) -> None:
    with Workspace.open(week, actor="ana", reading=True) as workspace:
        position = workspace.ledger.position()
        assert repr(workspace) == f"<Workspace {week}: pipeline x to 2024-01-07, {position} events, as ana>"
        assert repr(workspace.datasets["gold_signals"]) == "<Dataset gold_signals: gold, version 1>"
        assert list(workspace.datasets) == [one.dataset for one in workspace.status().datasets]
        newest, *_ = workspace.runs
        assert workspace.runs[newest.id].status == "SUCCESS"
        with pytest.raises(TradexError, match="there is no dataset"):
            workspace.datasets["gold_signal"]


def test_a_script_without_a_guard_is_run_once(tmp_path: Path) -> None:
    folder = worlds.copied(tmp_path, until=None)
    script = tmp_path / "script.py"
    script.write_text(
        "import datetime, sys\nprint('begun', flush=True)\nfrom tradex_ledger import Workspace\n"
        f"with Workspace.open({str(folder)!r}, actor='ana') as ws:\n"
        "    print(ws.incremental.run(last=datetime.date(2024, 1, 7)).status)\n"
    )
    root = str(Path(tradex_ledger.__file__).parents[1])
    told = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert told.stdout.split() == ["begun", "SUCCESS"]
