"""Rows that are to be shown no more: who said so, why, and which. No I/O here.

Each is a stream of its own with one event. What leaves them out is a dataset that reads the notices as it reads any
other input; the notices themselves lie in a delivered file, which the event names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tradex_ledger.domain.base import Aggregate, CreatedEvent
from tradex_ledger.domain.reason import check_reason


class Retraction(Aggregate):
    """What was retracted together."""

    TOPIC: ClassVar[str] = "retraction"

    def __init__(self) -> None:
        self.rows: list[str] = []

    class Told(CreatedEvent):
        """Somebody, or the platform that the rows are of, said that they are to be shown no more."""

        TOPIC: ClassVar[str] = "retraction.told"
        pipeline: str
        source: str
        rows: list[str]
        reason: str
        job: str | None
        file: str
        sha256: str

        def apply(self, aggregate: Retraction) -> None:
            aggregate.rows = list(self.rows)

    @classmethod
    def tell(
        cls,
        retraction_id: str,
        *,
        pipeline: str,
        source: str,
        rows: Sequence[str],
        reason: str,
        job: str | None,
        file: tuple[str, str],
        by: str,
    ) -> Retraction:
        """Put on record which rows (by the first column of their key) are retracted and why; `job` is the platform's,
        where that told. `file` has the notices: its name relative to the source, and its digest (SHA-256, hex).
        """
        facts = {"rows": list(rows), "reason": check_reason(reason), "job": job, "file": file[0], "sha256": file[1]}
        return cls._create(cls.Told, id=retraction_id, pipeline=pipeline, source=source, by=by, **facts)
