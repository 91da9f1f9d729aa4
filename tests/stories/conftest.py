"""The undisturbed run that the stories compare with: done once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.real import UNTIL
from tradex_ledger.workspace import Workspace


@pytest.fixture(scope="session")
def undisturbed(real_posts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace after one incremental run over all real posts. Look at it only; copy it to change it."""
    folder = tmp_path_factory.mktemp("undisturbed") / "workspace"
    with Workspace.create(folder, source=f"files:{real_posts}", actor="ana") as workspace:
        workspace.run(until=UNTIL)
        yield workspace
