"""Days of a dataset that stay as they are, for a reason that somebody gave. No I/O here."""

from __future__ import annotations

from dataclasses import dataclass

from tradex_ledger.domain.day import Day, iso
from tradex_ledger.domain.facts import Facts


@dataclass(frozen=True, slots=True)
class Protection:
    """The days first..last (both included), and why they are held."""

    first: Day
    last: Day
    reason: str

    @property
    def days(self) -> str:
        """The days as text: `2024-01-03..2024-01-05`."""
        return f"{iso(self.first)}..{iso(self.last)}"

    def holds(self, first: Day, last: Day) -> bool:
        """Whether one of the days first..last (both included) is among them."""
        return first <= self.last and self.first <= last

    def to_event(self) -> Facts:
        """As events carry it."""
        return {"first": iso(self.first), "last": iso(self.last), "reason": self.reason}
