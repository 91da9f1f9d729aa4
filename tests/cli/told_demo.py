"""The demo, told once for all who look at it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests import worlds
from tests.kit.tree import CLI


def told() -> Path:
    """A folder with the workspace that the demo left, `tradex-demo`, and all that it said, `told.json`. Look only."""

    def tell(folder: Path) -> None:
        with (folder / "told.json").open("wb") as file:
            subprocess.run([sys.executable, str(CLI), "demo", "--json"], cwd=folder, stdout=file, check=True)

    return worlds.made("demo", tell)
