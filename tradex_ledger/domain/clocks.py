"""What is on record of clocks that differ: each note is a stream of its own with one event. No I/O here, no clock."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from tradex_ledger.domain.base import Aggregate, CreatedEvent

TOLERANCE = timedelta(minutes=1)
"""Clocks of several machines differ by so much, and nothing is wrong."""
LAG = timedelta(days=2)
"""A cursor that is further back is behind: the day before yesterday is whole."""
HELD_BACK = "ledger.clock_held_back"


class ClockNote(Aggregate):
    """Something about the clock of whoever wrote, or a cursor that is far from it."""

    TOPIC: ClassVar[str] = "ledger"

    class HeldBack(CreatedEvent):
        """The clock was behind the last event: the save that this event stands in bears that one's time instead."""

        TOPIC: ClassVar[str] = HELD_BACK
        clock: str
        last_at: str

    class Accepted(CreatedEvent):
        """A person vouched for a clock that is further from the last event than the policy allows."""

        TOPIC: ClassVar[str] = "ledger.clock_accepted"
        clock: str
        believed: str
        newest_post: str | None
        allowed_hours: int

    class CursorAhead(CreatedEvent):
        """A cursor was found that lies in the future: until then, no incremental run has anything to do."""

        TOPIC: ClassVar[str] = "ledger.cursor_ahead"
        pipeline: str
        cursor: str
        clock: str
        put_back: str | None

    class CursorBehind(CreatedEvent):
        """A cursor was found to be days behind the clock: no incremental run has brought it on."""

        TOPIC: ClassVar[str] = "ledger.cursor_behind"
        pipeline: str
        cursor: str
        clock: str
        days: int

    @classmethod
    def held_back(cls, note_id: str, *, clock: str, last_at: str, by: str) -> ClockNote:
        """Put on record that a save bears the time of the last event, and not what the clock says."""
        return cls._create(cls.HeldBack, id=note_id, by=by, clock=clock, last_at=last_at)

    @classmethod
    def accept(
        cls, note_id: str, *, clock: str, believed: str, newest_post: str | None, allowed_hours: int, by: str
    ) -> ClockNote:
        """Put on record that somebody says the clock is right. Times are stored ones, `newest_post` is a day."""
        facts = {"clock": clock, "believed": believed, "newest_post": newest_post, "allowed_hours": allowed_hours}
        return cls._create(cls.Accepted, id=note_id, by=by, **facts)

    @classmethod
    def cursor_ahead(
        cls, note_id: str, *, pipeline: str, cursor: str, clock: str, put_back: str | None, by: str
    ) -> ClockNote:
        """Put on record that a cursor lies in the future; `put_back` is where it stood before it did."""
        facts = {"pipeline": pipeline, "cursor": cursor, "clock": clock, "put_back": put_back}
        return cls._create(cls.CursorAhead, id=note_id, by=by, **facts)

    @classmethod
    def cursor_behind(cls, note_id: str, *, pipeline: str, cursor: str, clock: str, days: int, by: str) -> ClockNote:
        """Put on record that a cursor is so many days behind."""
        return cls._create(
            cls.CursorBehind, id=note_id, by=by, pipeline=pipeline, cursor=cursor, clock=clock, days=days
        )
