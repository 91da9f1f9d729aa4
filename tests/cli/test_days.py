"""Days as people say them, and what a call lacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import click
import pytest

from tests import worlds
from tests.kit.commands import paths
from tradex_ledger.cli.days import DAY, LAST_DAY, day_said
from tradex_ledger.cli.main import cli, run
from tradex_ledger.domain.day import last_before
from tradex_ledger.errors import UsageError
from tradex_ledger.workspace import Workspace

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
    "said",
    [
        "",
        "2024-13",
        "2024-2",
        "2024-W10",
        "2024W10",
        "-d",
        "7d",
        "+7d",
        "-99999d",
        "-1.5d",
        "0000-01",
        "Yesterday",
        "٢٠٢٤-٠٢",
    ],
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
        (("verify",), "did you mean tradex audit verify?"),
        (("audit", "approve", "bf-1"), "did you mean tradex backfill approve or "),
    ):
        assert run(["-C", folder, *words]) in (2, 4)
        said = capsys.readouterr().err
        assert "did you mean" in said.lower()
        assert meant in said


def test_which_of_several_days_is_none_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(worlds.copied(tmp_path))
    assert run(["-C", folder, "calendar", "--from", "2024-01-02", "--to", "2024-01-32"]) == 2
    assert "'--to': '2024-01-32' is not a day" in capsys.readouterr().err
    assert run(["-C", folder, "audit", "why", "gold_signals", "x"]) == 2
    assert "'DAY': 'x' is not a day" in capsys.readouterr().err


def test_the_last_day_before_a_cursor_is_the_one_that_is_said():
    assert last_before("2024-03-01T00:00:00.000000Z") == "2024-02-29"
    assert last_before("2024-03-01T06:00:00.000000Z") == "2024-03-01"


def options() -> Iterator[tuple[str, click.Option]]:
    """Every option of every command, with the command's words."""
    for words in paths(cli):
        made: click.Command | None = cli
        for word in words.split():
            assert isinstance(made, click.Group)
            made = made.get_command(click.Context(made), word)
        assert made is not None
        yield from ((words, each) for each in made.params if isinstance(each, click.Option))


def test_both_ends_of_every_range_are_included_and_called_from_and_to():
    ends = [(words, each) for words, each in options() if "--to" in each.opts and each.type is LAST_DAY]
    assert {words for words, _ in ends} > {"run", "backfill request temporal", "calendar", "dataset protect"}
    begins = [(words, each) for words, each in options() if "--from" in each.opts and each.type is DAY]
    assert {words for words, _ in ends} - {words for words, _ in begins} == {"run"}
    assert [(words, each.help) for words, each in [*begins, *ends] if "included" not in str(each.help)] == []
    untils = {words for words, each in options() if "--until" in each.opts and not each.hidden}
    assert untils == {"run", "audit log", "alerts ack"}
    assert not [words for words, each in options() if "exclu" in str(each.help)]


def test_a_run_takes_its_last_day_in_and_until_is_the_day_after_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    ws = worlds.copied(tmp_path, days=3, until=2, thin=True)
    asked = ["-C", str(ws), "run"]
    assert run([*asked, "--until", "2024-01-04", "--to", "2024-01-03"]) == 2
    assert "--to 2024-01-03 and --until 2024-01-04 both name the end" in capsys.readouterr().err
    with Workspace.open(ws) as workspace, pytest.raises(UsageError, match="both name the end"):
        workspace.incremental.run("2024-01-04", last="2024-01-03")
    assert run([*asked, "--json", "--until", "2024-01-03"]) == 0
    assert json.loads(capsys.readouterr().out)["last_day"] == "2024-01-02"
    capsys.readouterr()
    assert run([*asked, "--json", "--to", "2024-01-03"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["first_day"], made["last_day"]) == ("2024-01-03", "2024-01-03")
    assert made["range_to"] == "2024-01-04T00:00:00.000000Z", "as the event has it"
    assert run(["-C", str(ws), "status"]) == 0
    assert "pipeline x: processed to 2024-01-03" in capsys.readouterr().out
