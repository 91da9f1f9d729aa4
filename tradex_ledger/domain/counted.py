"""A count that a source was asked for: what plans are estimated by. No I/O here.

Each is a stream of its own with one event, as a look is: it disturbs nobody. It costs money, so it is on record even
where a plan is only tried.
"""

from __future__ import annotations

from typing import ClassVar

from tradex_ledger.domain.base import Aggregate, CreatedEvent
from tradex_ledger.domain.day import Cursor
from tradex_ledger.domain.spending import Spent


class SourceCount(Aggregate):
    """How many rows a source had of some days, when it was asked."""

    TOPIC: ClassVar[str] = "source_count"

    def __init__(self) -> None:
        self.rows: int = 0

    class Taken(CreatedEvent):
        """A source counted what it has."""

        TOPIC: ClassVar[str] = "source_count.taken"
        pipeline: str
        source: str
        cursor_from: str
        cursor_to: str
        rows: int
        calls: int
        micros: int

        def apply(self, aggregate: SourceCount) -> None:
            aggregate.rows = self.rows

    @classmethod
    def take(
        cls, count_id: str, *, pipeline: str, source: str, days: tuple[Cursor, Cursor], spent: Spent, by: str
    ) -> SourceCount:
        """Put on record what a source counted between two cursors: the rows, in how many calls, and what that costs."""
        facts = {**spent.to_event(), "cursor_from": days[0], "cursor_to": days[1]}
        return cls._create(cls.Taken, id=count_id, pipeline=pipeline, source=source, by=by, **facts)
