"""Days, times, sizes and durations for people, as of nothing but themselves."""

from __future__ import annotations

from datetime import UTC, date, datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NONE = "–"


def day(value: date | str | None) -> str:
    """`2014-02-18` is 18 Feb 2014."""
    if value is None:
        return _NONE
    found = _date(value)
    return f"{found.day} {_MONTHS[found.month - 1]} {found.year}"


def short_day(value: date | str) -> str:
    """Without its year."""
    found = _date(value)
    return f"{found.day} {_MONTHS[found.month - 1]}"


def month(value: date) -> str:
    """The month of a day, in full."""
    return f"{value:%B} {value.year}"


def days(first: date | str | None, last: date | str | None) -> str:
    """Days from one to another, both included: 24–27 Feb 2014."""
    if first is None or last is None:
        return day(last if first is None else first)
    begin, end = _date(first), _date(last)
    if begin == end:
        return day(begin)
    if begin.year != end.year:
        return f"{day(begin)} – {day(end)}"
    if begin.month != end.month:
        return f"{short_day(begin)} – {day(end)}"
    return f"{begin.day}–{day(end)}"


def moment(value: datetime | str | None, *, seconds: bool = False) -> str:
    """A time (UTC): 1 Mar 2014 07:30."""
    if value is None:
        return _NONE
    found = _time(value)
    return f"{day(found.date())} {found:%H:%M:%S}" if seconds else f"{day(found.date())} {found:%H:%M}"


def clock(value: datetime | str) -> str:
    """The time of day."""
    return f"{_time(value):%H:%M:%S}"


def number(value: float | None) -> str:
    """With a thin space between thousands."""
    if value is None:
        return _NONE
    return f"{value:,}".replace(",", "\u2009")


def size(value: int | None) -> str:
    """Bytes: 246.9 KB."""
    if value is None:
        return _NONE
    found = float(value)
    for unit in ("B", "KB", "MB", "GB"):
        if found < 1000:
            return f"{found:.0f} {unit}" if unit == "B" else f"{found:.1f} {unit}"
        found /= 1000
    return f"{found:.1f} TB"


def duration(seconds: float | None) -> str:
    """How long something took: 2.3 s, 12 min, 3 h, 4 days."""
    if seconds is None:
        return _NONE
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length or (seconds >= length and unit != "days"):
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s"


def value(found: object) -> str:
    """A value of a row: of a number with a point six digits, of an instant no zone, since all are UTC."""
    if found is None:
        return _NONE
    if isinstance(found, float):
        return f"{found:.6g}"
    if isinstance(found, datetime):
        return f"{_time(found):%Y-%m-%d %H:%M:%S}"
    return str(found)


def many(count: int, one: str, more: str = "") -> str:
    """A count with its noun."""
    return f"{number(count)} {one if count == 1 else more or one + 's'}"


def _date(value: date | str) -> date:
    if isinstance(value, str):
        return _time(value).date()
    return value.date() if isinstance(value, datetime) else value


def _time(value: datetime | str) -> datetime:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
