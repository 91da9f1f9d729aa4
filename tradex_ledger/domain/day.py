"""A day and a cursor, and the one place where they become text, dates and other counts of days, and come from them.

A day (UTC) is the number of days since 0001-01-01, which is 1: what `date.toordinal` gives. Events, folders and people
have it as text, `YYYY-MM-DD`; engines and the source's arithmetic count from 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import NewType, cast

Day = NewType("Day", int)
"""A day (UTC): days since 0001-01-01, which is 1."""

Cursor = NewType("Cursor", str)
"""A time (UTC) that a pipeline has come to, as it is stored: six digits of a second, ending in Z. It sorts as text."""

FIRST, LAST = Day(1), Day(3_652_059)
"""The days that there are: of the years 1 to 9999."""
_EPOCH = 719_163  # 1970-01-01


@lru_cache(maxsize=1 << 15)
def iso(day: Day) -> str:
    """The day as text, `YYYY-MM-DD`."""
    return date.fromordinal(day).isoformat()


def day_of(said: str | date) -> Day:
    """The day of a date (of a time, in its own zone), of a text `YYYY-MM-DD`, or of a longer one.

    Raises `ValueError` for any other text.
    """
    return _day_of_text(said[:10]) if isinstance(said, str) else Day(said.toordinal())


@lru_cache(maxsize=1 << 15)
def _day_of_text(text: str) -> Day:
    return Day(date.fromisoformat(text).toordinal())


def exact_day(text: str) -> Day:
    """The day of a text that is a day and nothing else (ISO 8601). Raises `ValueError`."""
    return Day(date.fromisoformat(text).toordinal())


def date_of(day: Day) -> date:
    """The day as a date, for callers outside."""
    return date.fromordinal(day)


def from_epoch(days: int) -> Day:
    """The day that lies so many days after 1970-01-01."""
    return Day(days + _EPOCH)


def to_epoch(day: Day) -> int:
    """Days since 1970-01-01."""
    return day - _EPOCH


def later(day: Day, days: int) -> Day:
    """The day so many days later (below 0: earlier)."""
    return Day(day + days)


def span(first: int, last: int) -> Sequence[Day]:
    """The days of first..last, both included; none when it ends before it starts."""
    return cast("Sequence[Day]", range(first, last + 1))


def last_before(cursor: str) -> str:
    """The last day (ISO) that is whole, or begun, before a cursor: the one that people call the end of a range."""
    day = day_of(cursor)
    return iso(later(day, -1)) if cursor == start_of(day) and day > FIRST else iso(day)


def start_of(day: Day) -> Cursor:
    """The cursor that stands at the beginning of a day."""
    return Cursor(f"{iso(day)}T00:00:00.000000Z")
