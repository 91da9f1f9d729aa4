"""Times as the X platform writes them, v1.1 and v2: UTC microseconds since 1970. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache

from tradex_ledger.domain.day import LAST, day_of, to_epoch
from tradex_ledger.outside import Json
from tradex_ledger.sources.moments import DAY_US

_SECOND_US = 1_000_000
FIRST_POST_US = to_epoch(day_of("2006-03-21")) * DAY_US
"""The day of the platform's first post: nothing was created there before."""
_LATEST_US = to_epoch(LAST) * DAY_US

# An id is a snowflake: milliseconds since this moment, above 22 bits of machine and sequence.
_SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
_SNOWFLAKE_MIN = 2**40
_ID_DIGITS_MAX = 20

# A table and not strptime: %b reads the names of the machine's locale.
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_OFFSET = r"[+-](?:0[0-9]|1[0-4]):?[0-5][0-9]"
_V1_DAY = re.compile(rf"[A-Z][a-z]{{2}} ([A-Z][a-z]{{2}}) ([0-9]{{2}})  ({_OFFSET}) ([0-9]{{4}})")
_V2_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T")
_V2_REST = re.compile(rf"(?:\.([0-9]{{1,9}}))?(Z|{_OFFSET})")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])")
_TIME_MAX = 40
# A clock here may be behind the platform's by so much.
_AHEAD_MAX_US = 3_600_000_000
_MILLISECONDS = re.compile(r"[0-9]{1,15}")


def time_us(value: Json) -> int | None:
    """A platform's time as UTC microseconds since 1970, None if it is none (or none after 1970).

    `Tue Feb 11 21:45:52 +0000 2014` or `2014-02-11T21:45:52.000Z`: both hold the clock in the same place, and
    the rest hardly changes from one line to the next, so the parts are read once and remembered.
    """
    if not isinstance(value, str) or len(value) > _TIME_MAX:
        return None
    clock_us = _clock_us(value[11:19])
    if value[10:11] == "T":
        day_us, rest_us = _v2_day_us(value[:11]), _v2_rest_us(value[19:])
    else:
        day_us, rest_us = _v1_day_us(value[:11] + value[19:]), 0
    if clock_us is None or day_us is None or rest_us is None:
        return None
    moment_us = day_us + clock_us + rest_us
    return moment_us if 0 <= moment_us < _LATEST_US else None


def milliseconds_us(value: Json) -> int | None:
    """Milliseconds since 1970, a number or a text, as microseconds; None for anything else."""
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not _MILLISECONDS.fullmatch(text):
        return None
    moment_us = int(text) * 1000
    return moment_us if moment_us < _LATEST_US else None


def may_be(moment_us: int, delivered_us: int | None) -> bool:
    """Whether something may have been made then that had been delivered by that other moment."""
    return moment_us >= FIRST_POST_US and (delivered_us is None or moment_us <= delivered_us + _AHEAD_MAX_US)


def snowflake_us(post_id: str) -> int | None:
    """When the post with that id was made, to the millisecond; None for an id that is no snowflake."""
    if len(post_id) > _ID_DIGITS_MAX or not (post_id.isascii() and post_id.isdigit()):
        return None
    number = int(post_id)
    return None if number < _SNOWFLAKE_MIN else ((number >> 22) + _SNOWFLAKE_EPOCH_MS) * 1000


def as_text(moment_us: int) -> str:
    """A time for a sentence: `2014-02-11T21:45:52Z`."""
    return f"{datetime.fromtimestamp(moment_us // _SECOND_US, UTC):%Y-%m-%dT%H:%M:%S}Z"


@lru_cache(maxsize=100_000)
def _clock_us(text: str) -> int | None:
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    hours, minutes, seconds = map(int, found.groups())
    return (hours * 3600 + minutes * 60 + seconds) * _SECOND_US


@lru_cache(maxsize=4096)
def _v1_day_us(text: str) -> int | None:
    """The start of `Tue Feb 11  +0000 2014` (a v1.1 time without its clock)."""
    found = _V1_DAY.fullmatch(text)
    if found is None:
        return None
    month, day, offset, year = found.groups()
    start_us = _start_us(int(year), _MONTHS.get(month, 0), int(day))
    return None if start_us is None else start_us - _offset_us(offset)


@lru_cache(maxsize=4096)
def _v2_day_us(text: str) -> int | None:
    found = _V2_DAY.fullmatch(text)
    return None if found is None else _start_us(*map(int, found.groups()))


@lru_cache(maxsize=4096)
def _v2_rest_us(text: str) -> int | None:
    """Fraction of a second and distance to UTC: what follows the clock in a v2 time."""
    found = _V2_REST.fullmatch(text)
    if found is None:
        return None
    fraction, offset = found.groups()
    return int((fraction or "")[:6].ljust(6, "0")) - _offset_us(offset)


def _start_us(year: int, month: int, day: int) -> int | None:
    try:
        return to_epoch(day_of(date(year, month, day))) * DAY_US
    except ValueError:
        return None


def _offset_us(offset: str) -> int:
    """The distance to UTC of `Z`, `+0530` or `-05:00`."""
    if offset == "Z":
        return 0
    seconds = int(offset[1:3]) * 3600 + int(offset[-2:]) * 60
    return (-seconds if offset[0] == "-" else seconds) * _SECOND_US
