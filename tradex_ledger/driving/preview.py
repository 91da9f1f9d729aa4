"""A window built to be looked at: into a folder of this machine, which is no part of any lake."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from tradex_ledger.driving import window
from tradex_ledger.driving.window import WindowTask
from tradex_ledger.lake.storage import StagedFile, translate


def preview(task: WindowTask) -> list[StagedFile]:
    """Build a window below the task's folder, in one that nobody else has; who made that one removes it.

    Raises: as `build_window` does.
    """
    try:
        return window.build_window(replace(task, folder=Path(tempfile.mkdtemp(dir=task.folder))))
    except OSError as error:
        raise translate(error, f"building {task} to be looked at") from error
