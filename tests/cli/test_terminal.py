"""Whole commands on a terminal: they say soon what they do, in lines that fit, and nothing of a result is lost."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import worlds
from tests.cli import told_demo
from tests.kit import small
from tests.kit.terminal import Ran, on_terminal
from tests.kit.tree import CLI
from tradex_ledger.cli.main import run
from tradex_ledger.cli.stages import cells
from tradex_ledger.pipelines.x.demo import story

SOON_S = 0.5
COLOURS: dict[str, str] = {}
NO_COLOURS, DUMB = {"NO_COLOR": "1"}, {"TERM": "dumb"}
TERMINALS = [(COLOURS, 100), (COLOURS, 80), (COLOURS, 40), (NO_COLOURS, 40), (DUMB, 80)]
TERMINALS_ARE = ["colours 100", "colours 80", "colours 40", "no colours 40", "dumb 80"]
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_IDS = re.compile(r"(?:run|bf)-[0-9a-z]{13}")


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A workspace, and a backfill in it that can be run."""
    folder = worlds.copied(tmp_path_factory.mktemp("terminal"))
    with small.reopen(folder) as workspace:
        run_id = small.request(workspace)
        workspace.backfills.approve(run_id)
    return folder, run_id


@pytest.fixture(scope="module")
def filed(waiting: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the same run says of itself where standard output is a file."""
    folder = tmp_path_factory.mktemp("filed")
    mine, out = Path(shutil.copytree(waiting[0], folder / "ws")), folder / "out"
    with out.open("wb") as file:
        assert ran(mine, "backfill", "run", waiting[1], stdout=file.fileno()).status == 0
    return out.read_text().splitlines()


def ran(
    folder: Path,
    *arguments: str,
    columns: int = 80,
    stdout: int | None = None,
    environment: Mapping[str, str] = {},
) -> Ran:
    command = [sys.executable, str(CLI), "-C", str(folder), *arguments]
    return on_terminal(command, columns=columns, environment=environment, stdout=stdout)


def told(lines: list[str]) -> list[str]:
    """Lines without what another run of the same has otherwise: ids, times, and how wide columns are."""
    return [" ".join(re.sub(r"\d+(?:[.:]\d+)+(?: s|Z)?", "T", _IDS.sub("ID", line)).split()) for line in lines]


@pytest.mark.parametrize(("environment", "columns"), TERMINALS, ids=TERMINALS_ARE)
def test_a_run_says_soon_what_it_does_in_lines_that_fit_and_its_result_is_whole(
    waiting: tuple[Path, str], filed: list[str], tmp_path: Path, columns: int, environment: dict[str, str]
):
    folder, run_id = waiting
    mine = Path(shutil.copytree(folder, tmp_path / "ws"))
    shown = ran(mine, "backfill", "run", run_id, columns=columns, environment=environment)
    assert shown.status == 0, shown.raw
    is_drawn = environment.get("TERM") != "dumb"  # else they are lines of a log, which are not cut
    quiet = shown.longest_silence_s() if is_drawn else shown.moments[0]
    assert quiet < 4 * SOON_S, "a machine that has much to do may be late, and by so much"
    lines = [line.rstrip() for line in shown.lines]
    begins = next(n for n, line in enumerate(lines) if re.match(r"run +bf-", line))
    above = lines[:begins]
    assert not is_drawn or all(cells(line) < columns for line in above if "warning" not in line)
    (head,) = [line for line in above if line.startswith(run_id)]
    stages = above[above.index(head) + 1 :]
    assert [line.split()[0] for line in stages if line][-1].startswith("publish")
    if not is_drawn:
        assert "\x1b" not in shown.raw
    if environment.get("NO_COLOR"):
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", shown.raw)
    assert "status" in "".join(lines[begins:])
    facts = [re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", line) for line in told(filed) if "\t" not in line]
    assert all(cells(line) <= columns for line in lines[begins : lines.index("", begins)])
    words = set(" ".join(told([_COLOUR.sub("", line) for line in lines[begins:]])).split())
    missing = set(" ".join(facts[: facts.index("")]).split()) - words
    assert not missing, "of what goes into a file, the terminal has all facts"


def test_the_demo_says_soon_that_it_is_at_work_and_shows_each_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "demo"
    command = [sys.executable, str(CLI), "demo", "--dir", str(folder)]
    shown = on_terminal(command, columns=80)
    assert shown.status == 0
    assert "demo: the whole story" in shown.raw.split("==")[0], "before the first step"
    steps = [line for line in shown.lines if line.startswith("== ")]
    again = json.loads((told_demo.told() / "told.json").read_text("utf-8"))["steps"]
    monkeypatch.setattr(story, "tell", lambda *_, **__: [story.Step(**step) for step in again])
    assert run(["demo", "--dir", str(folder)]) == 0  # where standard output is no terminal
    whole = [line for line in capsys.readouterr().out.splitlines() if line.startswith("== ")]
    assert len(steps) == len(whole)
    assert all(line.startswith(step) for line, step in zip(whole, steps, strict=True)), "folded between words"
    assert len([line for line in shown.lines if re.match(r"(run|bf)-\S+  \d+ of \d+ partitions", line)]) == 5


def test_with_json_and_when_asked_to_be_quiet_nothing_is_drawn(waiting: tuple[Path, str]):
    for how in ("--json", "-q"):
        shown = ran(waiting[0], "audit", "verify", how)
        assert shown.status == 0
        assert "\x1b[J" not in shown.raw
