"""What came before the part that is judged, for rules that look back: taken as it lies there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tradex_ledger.ledger.select import Store, read


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
        statement = "select coalesce(max(version), 0) from events where stream = :stream and position <= :upto"
        return int(self.store.select(statement, stream=stream, upto=self.upto)[0][0]) if self.upto else 0

    def last_save(self) -> Iterator[str]:
        """The entries that were saved at the very end, in order."""
        last = self.store.select(read("range"), first=self.upto, last=self.upto) if self.upto else []
        if not last:
            return iter(())
        statement = f"{read('events')} where at = :at and position <= :upto and position > :low order by position"
        found = self.store.select(statement, at=last[0][4], upto=self.upto, low=self.upto - 100_000)
        return (row[-1] for row in found)
