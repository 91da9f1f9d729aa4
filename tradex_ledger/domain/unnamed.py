"""What lies in a lake though no event names it. No I/O here."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

FOREIGN = "foreign"


class Unnamed(NamedTuple):
    """A file, or a staging folder, that no event names: the run that wrote it, and why it stays (None: it can go)."""

    path: str
    bytes: int
    run_id: str | None
    run_status: str
    modified_at: datetime
    kept: str | None

    @property
    def is_foreign(self) -> bool:
        """Whether no run of this ledger wrote it."""
        return self.run_status == FOREIGN
