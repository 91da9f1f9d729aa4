"""What an extraction asks the source for. No I/O here."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tradex_ledger.domain.day import Cursor
from tradex_ledger.domain.facts import Facts


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was created in [cursor_from, cursor_to), at a source; None: from its beginning, up to its end.

    `mode` is that of the run: incremental or backfill.
    """

    mode: str
    cursor_from: Cursor | None
    cursor_to: Cursor | None
    source: str

    @property
    def is_incremental(self) -> bool:
        """Whether it is that of an incremental run."""
        return self.mode == "incremental"

    def to_event(self) -> Facts:
        """As events carry it."""
        return asdict(self)
