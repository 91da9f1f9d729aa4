"""How much is said beside a result: nothing with -q, what is done and why with -v."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from tests import worlds
from tests.kit import small
from tests.kit.commands import paths
from tradex_ledger.cli.common import Whole
from tradex_ledger.cli.main import cli, run

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.copied(tmp_path_factory.mktemp("loudness"))


@pytest.fixture
def said(folder: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(["-C", str(folder), *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_quiet_says_the_result_and_no_more(said: Said):
    _, out, err = said("audit", "log", "--limit", "3")
    assert "as of position" in err
    assert said("audit", "log", "--limit", "3", "-q") == said("-q", "audit", "log", "--limit", "3") == (0, out, "")
    assert "as of position" in said("audit", "log", "--limit", "3")[2], "it is for one call"


def test_quiet_says_errors_yet(said: Said):
    status, out, err = said("dataset", "show", "gold_signal", "-q")
    assert (status, out) == (4, "")
    assert err.startswith("error: there is no dataset 'gold_signal'\nmend: did you mean gold_signals?")


def test_quiet_leaves_warnings_out(said: Said):
    unverified = ("query", "select count(*) from gold_signals", "--no-verify")
    _, out, err = said(*unverified)
    assert "warning: " in err
    assert said(*unverified, "-q") == (0, out, "")


def test_verbose_says_where_who_and_what_is_recorded(said: Said, folder: Path):
    days = ("--from", "2024-01-04", "--to", "2024-01-05")
    how = ("--no-override-state", "--reason", small.REASON, "--as", "ana", "-v")
    status, out, err = said("backfill", "request", "temporal", "gold_signals", *days, *how)
    assert status == 0
    assert f"the workspace {folder} (named: {folder})" in err
    assert "acts as ana (named)" in err
    assert re.search(r"\d\.\d{3} s  on record: backfill.requested of bf-\w{13}, by position \d+", err)
    assert "is worked out as of" in said("status", "-v")[2]
    assert re.search("bf-\\w{13}", out)


def test_verbose_says_what_a_verification_looks_at(said: Said):
    status, _, err = said("audit", "verify", "-v")
    assert status == 0
    assert [word for word in ("guards", "events", "tiles", "indexes") if f"the {word} are judged" not in err] == []


def test_each_command_says_what_it_does_when_it_is_quiet_for_long():
    """By the way in which all of them are made."""
    found: list[click.Command] = []

    def walk(command: click.Command, context: click.Context) -> None:
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                walk(below, click.Context(below, info_name=name, parent=context))
        else:
            found.append(command)

    walk(cli, click.Context(cli))
    groups_that_tell = 1  # `alerts`, said alone
    assert len(found) + groups_that_tell == sum(not is_group for is_group in paths(cli).values())
    assert [command.name for command in found if not isinstance(command, Whole) or not command.help] == []
