"""Workspaces with both mirrors, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import worlds
from tests.kit import mirrored, small


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    """A workspace of one's own with both mirrors: two runs, of which the mirrors know, and late posts to come."""

    def make(folder: Path) -> None:
        small.deliver(folder / "posts", days=5, posts_per_day=4)
        worlds.define(folder / "ws" / "pipeline", without=worlds.GOLD_OF_GOLD)
        made = worlds.create(folder, pipeline="pipeline", from_start=True, may_erase=["ana", "maria"])
        mirrored.name_mirrors(made)
        for day in (3, 5):
            with small.reopen(made) as workspace:
                workspace.incremental.run(last=small.day(day - 1))

    ws = worlds.copy("mirrored", make, tmp_path)
    with small.reopen(ws) as workspace:
        workspace.mirrors.sync()  # it was moved: the lake is found again
    return ws
