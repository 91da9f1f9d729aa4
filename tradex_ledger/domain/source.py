"""A look at the source: what there was, what was passed over, what is late. No I/O here.

Each look is a stream of its own with one event: whoever looks disturbs nobody, and what was seen is on record.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tradex_ledger.domain.base import Aggregate, CreatedEvent


class Look(Aggregate):
    """One look at the source, by a run or by somebody who asks what is late."""

    TOPIC: ClassVar[str] = "source"

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self.passed_over: list[dict[str, Any]] = []

    class Looked(CreatedEvent):
        """Somebody looked at the source."""

        TOPIC: ClassVar[str] = "source.looked"
        pipeline: str
        source: str
        run: str | None
        cursor_from: str | None
        cursor_to: str | None
        found: dict[str, Any]
        passed_over: list[dict[str, Any]]
        late: dict[str, Any] | None
        class_version = 2

        @staticmethod
        def upcast_v1_v2(data: dict[str, Any]) -> None:
            data["found"]["beyond"] = 0

        def apply(self, aggregate: Look) -> None:
            aggregate.found = self.found
            aggregate.passed_over = self.passed_over

    @classmethod
    def record(cls, look_id: str, *, by: str, **facts: Any) -> Look:
        """Put a look on record. `facts` are those of `Looked`."""
        return cls._create(cls.Looked, id=look_id, by=by, **facts)
