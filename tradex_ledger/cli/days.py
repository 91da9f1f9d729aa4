"""Days as people say them: `2014-02-28`, `today`, `yesterday`, `-7d`, and a month, `2014-02`. All of them in UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta

import click

from tradex_ledger.clock import utc_now
from tradex_ledger.errors import UsageError

_AGO = re.compile(r"-([0-9]{1,5})d")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_WEEK = re.compile(r"[0-9]{4}-?W[0-9]{2}")
_WORDS = {"today": 0, "yesterday": 1}


def day_said(text: str, now: Callable[[], datetime], *, is_last: bool) -> date:
    """The day that is meant; a month is its first day, or (`is_last`) its last. Raises `UsageError`."""
    try:
        if (ago := _WORDS.get(text)) is not None:
            return now().date() - timedelta(days=ago)
        if found := _AGO.fullmatch(text):
            return now().date() - timedelta(days=int(found[1]))
        if found := _MONTH.fullmatch(text):
            first = date(int(found[1]), int(found[2]), 1)
            return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1) if is_last else first
        if _WEEK.fullmatch(text):
            raise ValueError(text)  # Python makes its Monday of it
        return date.fromisoformat(text)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is not a day",
            mend="write it as YYYY-MM-DD, for example 2014-02-28; or yesterday, -7d, or a month, 2014-02",
        ) from None


class DayType(click.ParamType[date]):
    """A day: see `day_said`. `is_last`: of a month that is named, the last one is meant."""

    name = "day"

    def __init__(self, *, is_last: bool = False) -> None:
        self.is_last = is_last

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return day_said(str(value), utc_now, is_last=self.is_last)
        except UsageError as error:  # a call may have several days
            hint = "" if param is None else f"{param.get_error_hint(ctx)}: "
            raise UsageError(f"{hint}{error.message}", mend=error.mend) from None


class MomentType(click.ParamType[str]):
    """A moment that the ledger is asked as of, or from or until: days as people say them, all else as it is."""

    name = "moment"

    def __init__(self, *, is_last: bool) -> None:
        self.is_last = is_last

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        del param, ctx
        text = str(value)
        if text not in _WORDS and not _AGO.fullmatch(text) and not _MONTH.fullmatch(text):
            return text
        return day_said(text, utc_now, is_last=self.is_last).isoformat()


DAY = DayType()
LAST_DAY = DayType(is_last=True)
SINCE, UNTIL = MomentType(is_last=False), MomentType(is_last=True)
