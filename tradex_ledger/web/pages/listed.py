"""Runs as they stand in lists and on cards."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple

from tradex_ledger.relations.runs import Run
from tradex_ledger.web.statuses import Status, status_of, title


class Line(NamedTuple):
    """A run among others: how its status is said, what it is called, its first and last day (both included)."""

    run: Run
    status: Status
    title: str
    first: str | date | None
    last: str | date | None


def lines_of(runs: Iterable[Run]) -> list[Line]:
    """Runs as lines, in their order."""
    return [Line(run, status_of(run), title(run), *days_of(run)) for run in runs]


def days_of(run: Run) -> tuple[str | date | None, str | date | None]:
    """The days of a run, both included: a cursor is the beginning of the first day that is not in it."""
    if run.run_kind == "backfill":
        return run.range_from, run.range_to
    last = (datetime.fromisoformat(run.range_to) - timedelta(microseconds=1)).date()
    return (run.range_from[:10] if run.range_from else None), last
