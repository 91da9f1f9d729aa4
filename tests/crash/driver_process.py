"""One process that drives: `python -m tests.crash.driver_process FOLDER run DAY…` or `… FOLDER drive ID`.

With TRADEX_TEST_GATE=FOLDER it opens the workspace, says that it is ready by a file of its process id in that
folder, and waits there for a file `go`.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from tradex_ledger.domain.incremental import NothingToRunError
from tradex_ledger.workspace import Workspace


def wait_at(gate: Path) -> None:
    """Start together with the others."""
    (gate / str(os.getpid())).touch()
    while not (gate / "go").exists():
        time.sleep(0.005)


def main(folder: str, action: str, *arguments: str) -> None:
    """Open, wait at the gate if there is one, drive."""
    with Workspace.open(folder) as workspace:
        workspace.core.execution().prepare()
        if gate := os.environ.get("TRADEX_TEST_GATE"):
            wait_at(Path(gate))
        for argument in arguments:
            if action == "run":
                # The driver before this one may have been killed when all was done already.
                with suppress(NothingToRunError):
                    workspace.incremental.run(last=date.fromisoformat(argument) - timedelta(1))
            else:
                workspace.runs.drive(argument)


if __name__ == "__main__":
    main(*sys.argv[1:])
