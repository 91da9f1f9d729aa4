"""What came before the part that is judged, for rules that look back: taken as it lies there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tradex_ledger.ledger.select import Store, read

_LONGEST = 100_000
"""Events of one save at most, that are looked for."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The events of a ledger up to a position; up to 0 there are none."""

    store: Store
    upto: int

    def of(self, stream: str) -> Iterator[str]:
        """The entries of a stream, in order."""
        rows = self.store.select(read("stream"), stream=stream) if self.upto else []
        return (row[-1] for row in rows if row[0] <= self.upto)

    def version(self, stream: str) -> int:
        """The last version of a stream; 0 when it had not begun."""
        return int(self.store.select(read("stream_version"), stream=stream, upto=self.upto)[0][0]) if self.upto else 0

    def last_save(self) -> Iterator[str]:
        """The entries that were saved at the very end, in order."""
        last = self.store.select(read("range"), first=self.upto, last=self.upto) if self.upto else []
        if not last:
            return iter(())
        found = self.store.select(read("saved_at"), at=last[0][4], upto=self.upto, low=self.upto - _LONGEST)
        return (row[-1] for row in found)
