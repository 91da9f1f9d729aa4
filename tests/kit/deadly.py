"""A lake in whose `place` a worker dies: of its task, or when all is done and before it tells."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.lake.local import LocalLake
from tradex_ledger.lake.storage import StagedFile


@dataclass(frozen=True)
class DeadlyLake(LocalLake):
    """Who places a file in the folder `deadly` dies: each time, or `once`, after all is placed (a file tells that it
    was)."""

    deadly: str = ""
    once: Path | None = None

    def place(self, staged: Mapping[str, StagedFile], run_id: str, taken: Collection[str] = ()) -> list[LakeFile]:
        """Place, and die."""
        is_deadly = self.deadly in staged
        if is_deadly and self.once is None:
            os.kill(os.getpid(), signal.SIGKILL)
        placed = super().place(staged, run_id, taken)
        if is_deadly and self.once is not None and not self.once.exists():
            self.once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return placed
