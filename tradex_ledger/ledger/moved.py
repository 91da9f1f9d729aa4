"""A ledger that was moved to another database: its last event says so, and nothing follows here."""

from __future__ import annotations

import json

from tradex_ledger.errors import RefusedError
from tradex_ledger.ledger.entry import parse


class LedgerMovedError(RefusedError):
    """The ledger goes on in another database: here it can be read, and no more."""

    code = "ledger-moved"

    def __init__(self, entry: str) -> None:
        told = parse(entry)
        to = str(told.data.get("to"))
        super().__init__(
            f"this ledger was moved to {to}, and ends here, at position {told.position}", mend=settings_line(to)
        )


def settings_line(to: str) -> str:
    """What a person is told to write where the settings name another ledger."""
    return f"write ledger = {json.dumps(to, ensure_ascii=False)} under [workspace] in tradex.toml"
