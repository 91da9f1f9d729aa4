"""Days as people say them, and what a call lacks."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests import worlds
from tradex_ledger.cli.days import day_said
from tradex_ledger.cli.layouts.run import days_text
from tradex_ledger.cli.main import run
from tradex_ledger.errors import UsageError

NOW = datetime(2024, 3, 1, 23, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("2024-02-03", "2024-02-03", "2024-02-03"),
        ("today", "2024-03-01", "2024-03-01"),
        ("yesterday", "2024-02-29", "2024-02-29"),
        ("-7d", "2024-02-23", "2024-02-23"),
        ("-0d", "2024-03-01", "2024-03-01"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2023-12", "2023-12-01", "2023-12-31"),
    ],
)
def test_a_day_is_what_people_say(said: str, first: str, last: str) -> None:
    assert day_said(said, lambda: NOW, is_last=False) == date.fromisoformat(first)
    assert day_said(said, lambda: NOW, is_last=True) == date.fromisoformat(last)


@pytest.mark.parametrize(
    "said", ["", "2024-13", "2024-2", "-d", "7d", "+7d", "-99999d", "-1.5d", "0000-01", "Yesterday", "٢٠٢٤-٠٢"]
)
def test_what_is_no_day_is_refused(said: str) -> None:
    with pytest.raises(UsageError, match="is not a day"):
        day_said(said, lambda: datetime(2, 1, 1, tzinfo=UTC), is_last=True)


def test_a_month_is_all_its_days_and_all_that_is_missing_is_said_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = worlds.copied(tmp_path)
    asked = ["-C", str(folder), "backfill", "request", "temporal", "gold_signals"]
    assert run([*asked, "--from", "2024-01"]) == 2
    said = capsys.readouterr().err
    assert all(f"'{name}'" in said for name in ("--to", "--reason", "--override-state"))
    assert "'--from'" not in said
    reason = ("--reason", "the whole of January, INC-4211", "--no-override-state", "--dry-run")
    assert run([*asked, "--from", "2024-01", "--to", "2024-01", *reason]) == 0
    assert "goes on to 2024-01-31" in capsys.readouterr().err


def test_what_was_meant_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(worlds.copied(tmp_path))
    for words, meant in (
        (("stauts",), "status"),
        (("dataset", "show", "gold_signal"), "gold_signals"),
        (("query", "select * from gold_signal"), "gold_signals"),
        (("backfill", "lsit"), "list"),
    ):
        assert run(["-C", folder, *words]) in (2, 4)
        said = capsys.readouterr().err
        assert "did you mean" in said.lower()
        assert meant in said


def test_the_days_of_a_run_are_told_with_both_ends():
    assert days_text("2024-03-09", "2024-03-14") == "2024-03-09..2024-03-14"
    assert days_text("2024-03-11T00:00:00.000000Z", "2024-03-21T00:00:00.000000Z") == "2024-03-11..2024-03-20"
    assert days_text(None, "2024-03-01T00:00:00.000000Z") == "beginning..2024-02-29"
    assert days_text(None, "2024-03-01T06:00:00.000000Z") == "beginning..2024-03-01"
