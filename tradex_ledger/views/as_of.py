"""What an answer is as of: a position, whatever was said for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from tradex_ledger.errors import NotFoundError, UsageError
from tradex_ledger.ledger.ask import END, last_position, of_stream
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.ledger.named import RUNS, find_run
from tradex_ledger.ledger.rows import time_at
from tradex_ledger.ledger.select import Store

_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?", re.DOTALL).fullmatch
_DIGITS = 18  # of a position: no ledger has more, and Python makes no number of thousands
_FIRST = datetime.min.replace(tzinfo=UTC)
_BEFORE = "^"
"""Behind a run: as of before it."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """A position, and the time (UTC) of the event at it; what every answer is a query as of."""

    position: int
    at: str | None


class Now(AsOf):
    """The newest position, where none was asked for: what is told of today beside the ledger belongs to this answer."""

    __slots__ = ()


Asked: TypeAlias = AsOf | str | None
"""What is said for it: a position, a day, a time, a run; what was made of that already; None: now."""


class NoSuchPositionError(NotFoundError):
    """The ledger does not reach to that position, or begins after that time."""

    code = "no-such-position"


def resolve(store: Store, as_of: Asked, *, by_file: bool = True) -> AsOf:
    """Turn `--as-of` into a position. Times are UTC.

    A day means its end: everything that happened on it is included; a run its last event, and `bf-…^` all before its
    first; a checkpoint its size, unless files are not to be looked at. Raises `NoSuchPositionError`, `UsageError`, and
    what `find_run` and `sealing.as_of.position_of` raise.
    """
    if isinstance(as_of, AsOf):
        return as_of
    newest = last_position(store)
    position = newest if as_of is None else _position(store, as_of, newest, by_file=by_file)
    if position > newest or (position < 1 and as_of is not None):
        raise NoSuchPositionError(
            f"there is nothing as of {as_of!r}: the ledger holds the positions 1 to {newest}",
            mend="see what happened when: tradex audit log",
        )
    return (Now if as_of is None else AsOf)(position, time_at(store, position, newest))


def is_past(as_of: Asked) -> bool:
    """Whether a position was asked for, be it the newest."""
    return as_of is not None and not isinstance(as_of, Now)


def between(store: Store, since: str | None, until: str | None) -> tuple[int, int]:
    """The first and the last position of a span that is asked for by its ends, both of them in it.

    An end is a position, a day (all of it), a time, or a run (its first event, its last). Raises what `resolve` raises.
    """
    first = 1 if since is None else _since(store, since)
    return first, END if until is None else max(0, _position(store, until, last_position(store), by_file=False))


def _since(store: Store, said: str) -> int:
    if said.isascii() and said.isdecimal():
        return int(said) if len(said) <= _DIGITS else END
    if said.startswith(RUNS):
        return begun(store, find_run(store, said.removesuffix(_BEFORE)))
    moment = _moment(said, is_last=False)
    if moment == _FIRST:
        return 1  # there is no time before it
    return last_position(store, at=format_time(moment - timedelta(microseconds=1))) + 1


def begun(store: Store, run_id: str) -> int:
    """The position of a run's first event."""
    return of_stream(store, run_id)[-1].position


def _position(store: Store, as_of: str, newest: int, *, by_file: bool) -> int:
    if as_of.isascii() and as_of.isdecimal():
        return int(as_of) if len(as_of) <= _DIGITS else newest + 1
    if as_of.startswith(RUNS):
        return _of_run(store, as_of)
    sealed = _checkpoint(store, as_of) if by_file else None
    return last_position(store, at=_time(as_of)) if sealed is None else sealed


def _of_run(store: Store, as_of: str) -> int:
    run_id = find_run(store, as_of.removesuffix(_BEFORE))
    told = of_stream(store, run_id)  # the newest first
    return told[-1].position - 1 if as_of.endswith(_BEFORE) else told[0].position


def _checkpoint(store: Store, value: str) -> int | None:
    """The position of a checkpoint file; None of a text that names no file. What can be a time is none."""
    if "\0" in value or _TIME(value):
        return None
    from tradex_ledger.sealing.as_of import position_of

    return position_of(store, Path(value))


def _time(value: str) -> str:
    return format_time(_moment(value, is_last=True))


def _moment(value: str, *, is_last: bool) -> datetime:
    """A moment that was said, in UTC; of a day the last one, or the first."""
    try:
        if len(value) < len("2026-01-10"):
            raise ValueError(value)  # a week, or a day in another form: Python makes the first moment of it
        moment = datetime.fromisoformat(value)
        if len(value) == len("2026-01-10") and is_last:
            moment = moment.replace(hour=23, minute=59, second=59, microsecond=999_999)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):  # in UTC it would be of the year 0, or 10000
        raise UsageError(
            f"{value!r} is no position, no time, no run and no checkpoint",
            mend="give a position (--as-of 120), a day (--as-of 2026-01-10), a time (--as-of 2026-01-10T12:00:00Z), "
            "a run (--as-of bf-1m83, or bf-1m83^ for before it) or a checkpoint file",
        ) from None
