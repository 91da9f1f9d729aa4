"""Up to which day a calendar is shown."""

from __future__ import annotations

from datetime import date, timedelta

from starlette.requests import Request

from tradex_ledger.domain.day import date_of, exact_day
from tradex_ledger.errors import UsageError

DAY = timedelta(days=1)


def day_from(said: str) -> date:
    """A day of an address. Raises `UsageError`."""
    try:
        return date_of(exact_day(said))
    except ValueError:
        raise UsageError(f"{said[:40]!r} is no day", mend="write it as 2014-02-18") from None


def until(request: Request) -> date | None:
    """The last day that is asked for (`?until=`); None: the newest. Raises `UsageError`."""
    said = request.query_params.get("until")
    return day_from(said) if said else None
