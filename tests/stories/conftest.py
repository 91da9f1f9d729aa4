"""The undisturbed run that the stories compare with: done once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests import worlds
from tests.kit.real import UNTIL
from tradex_ledger.workspace import Workspace


@pytest.fixture(scope="session")
def undisturbed(real_posts: Path) -> Iterator[Workspace]:
    """A workspace after one incremental run over all real posts. Look at it only; copy it to change it."""

    def make(folder: Path) -> None:
        with Workspace.create(folder / "ws", source=f"files:{real_posts}", actor="ana") as workspace:
            workspace.incremental.run(last=UNTIL - timedelta(1))

    with Workspace.open(worlds.made("undisturbed", make) / "ws", actor="ana") as workspace:
        yield workspace
