"""A pager: on a terminal alone, for what is longer than the screen, as people have it set, and free to be left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import worlds
from tests.kit.terminal import Ran, on_terminal
from tests.kit.tree import CLI

MARKS = "sed s/^/PAGED:/"
LONG = ("query", "from range(100)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.copied(tmp_path_factory.mktemp("pager"))


def ran(folder: Path, *arguments: str, stdout: int | None = None, rows: int = 24, **environment: str) -> Ran:
    command = [sys.executable, str(CLI), "-C", str(folder), *arguments]
    return on_terminal(command, rows=rows, stdout=stdout, environment={"PAGER": MARKS, **environment})


def numbers(lines: list[str]) -> list[int]:
    found = [line.strip().removeprefix("PAGED:").strip() for line in lines]
    return [int(text) for text in found if text.isdecimal()]


def test_what_is_longer_than_the_screen_is_paged_whole(folder: Path):
    shown = ran(folder, *LONG)
    assert shown.status == 0
    assert numbers(shown.lines) == list(range(100))
    assert any(line.startswith("PAGED:as of position") for line in shown.lines), "with what is said beside it"


def test_what_fits_is_not(folder: Path):
    assert "PAGED" not in ran(folder, "query", "from range(10)").raw
    assert "PAGED" not in ran(folder, *LONG, rows=200).raw
    assert "PAGED" in ran(folder, "query", "select repeat('x', 4000) as x").raw, "lines that fold are several"


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--no-pager"], {}),
        ([], {"TRADEX_PAGER": ""}),
        ([], {"TRADEX_PAGER": "cat"}),
        ([], {"TRADEX_PAGER": "/nowhere/less"}),
        ([], {"TRADEX_PAGER": "'unclosed"}),
        ([], {"TERM": "dumb"}),
    ],
)
def test_who_wants_none_has_none(folder: Path, arguments: list[str], environment: dict[str, str]):
    command = [sys.executable, str(CLI), "-C", str(folder), *arguments, *LONG]
    shown = on_terminal(command, rows=24, environment={"PAGER": MARKS, **environment})
    assert (shown.status, "PAGED" in shown.raw) == (0, False)
    assert numbers(shown.lines) == list(range(100))


def test_our_own_setting_comes_first(folder: Path):
    shown = ran(folder, *LONG, TRADEX_PAGER="sed s/^/OURS:/")
    assert ("OURS:" in shown.raw, "PAGED:" in shown.raw) == (True, False)


def test_what_is_no_terminal_has_none(folder: Path, tmp_path: Path):
    with (tmp_path / "out").open("wb") as out:
        assert ran(folder, *LONG, stdout=out.fileno()).status == 0
    assert numbers((tmp_path / "out").read_text().splitlines()) == list(range(100))


def test_who_leaves_it_has_seen_enough_and_the_command_ends_as_it_would(folder: Path):
    shown = ran(folder, "query", "from range(50000)", PAGER="head -n 2")
    assert (shown.status, numbers(shown.lines)) == (0, [0])
    assert "error" not in shown.raw
    rejected = ran(folder, "audit", "diff", "gold_signals", "--between", "1", "99999", PAGER="head -n 2")
    assert rejected.status == 4


def test_less_is_what_there_is_where_nothing_is_set(folder: Path):
    command = [sys.executable, str(CLI), "-C", str(folder), *LONG]
    shown = on_terminal(command, rows=24, environment={"PAGER": "less"}, typed=b"G" + b"q")
    assert shown.status == 0
    assert numbers([line.strip() for line in shown.lines])[:5] == [0, 1, 2, 3, 4]


def test_where_nobody_can_press_a_key_there_is_none(folder: Path):
    command = [sys.executable, str(CLI), "-C", str(folder), *LONG]
    shown = on_terminal(command, rows=24, environment={"PAGER": MARKS}, stdin=subprocess.DEVNULL)
    assert (shown.status, "PAGED" in shown.raw) == (0, False), "its output alone is a terminal"
    assert numbers(shown.lines) == list(range(100))
