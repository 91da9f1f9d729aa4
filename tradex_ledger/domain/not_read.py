"""What was not read of a source. It loads nothing: who only asks what stands where shows it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tradex_ledger.domain.facts import Facts


@dataclass(frozen=True, slots=True)
class NotRead:
    """What was not read for one reason (`why`): how many, and the names of the first few."""

    why: str
    count: int
    names: list[str]

    def to_event(self) -> Facts:
        """As events carry it."""
        return asdict(self)
