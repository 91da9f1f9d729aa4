"""Runs as they stand in lists and on cards."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from tradex_ledger.relations.runs import Run
from tradex_ledger.web.statuses import Status, status_of, title


class Line(NamedTuple):
    """A run among others: how its status is said, what it is called, its first and last day (both included)."""

    run: Run
    status: Status
    title: str
    first: date | None
    last: date


def lines_of(runs: Iterable[Run]) -> list[Line]:
    """Runs as lines, in their order."""
    return [Line(run, status_of(run), title(run), *days_of(run)) for run in runs]


def days_of(run: Run) -> tuple[date | None, date]:
    """The days of a run, both included."""
    return run.first_day, run.last_day
