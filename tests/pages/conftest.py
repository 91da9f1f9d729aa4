"""A stage for the blocks of a page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import february, small
from tests.kit.examples import Stage, stage
from tests.kit.february import Staged
from tradex_ledger.workspace import Workspace


def run(folder: Path) -> None:
    """What was delivered in time was run."""
    february.deliver(folder / "posts", (1, 2), (9, 11))
    worlds.define(folder / "ws" / "pipeline")
    ws = worlds.create(folder, pipeline="pipeline", from_start=True)
    with Workspace.open(ws, actor="ana", clock=small.Ticking(worlds.RAN)) as workspace:
        workspace.incremental.run(last=february.LAST)


def mended(folder: Path) -> None:
    """What came late was taken in by a backfill."""
    shutil.copytree(worlds.made("february", run), folder, symlinks=True, dirs_exist_ok=True)
    february.deliver(folder / "posts", (3, 8))
    february.driven(folder / "ws", february.ordered(folder / "ws"))


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Staged]:
    """The stage of a page, with the workspace `ws` on it that all commands are for; each block has to be played."""
    made: list[Stage] = []

    def of(page: str, world: str = "mended", name: str = "at") -> Stage:
        folder = tmp_path / name
        folder.mkdir()
        if world == "run":
            worlds.copy("february", run, folder)
        elif world == "mended":
            worlds.copy("february-mended", mended, folder)
        made.append(stage(page, folder, capsys, monkeypatch))
        if world != "none":
            monkeypatch.setenv("TRADEX_WORKSPACE", str(folder / "ws"))
            with Workspace.open(folder / "ws", actor="ana") as workspace:
                runs = [str(row[0]) for row in workspace.query("select run_id from runs order by last_position").rows]
            made[-1].meant |= {"run-…": runs[0], "run-1m83": runs[0], "bf-1m83": runs[-1], "bf-…": runs[-1]}
        return made[-1]

    yield of
    assert [str(block) for one in made for block in one.left] == []
