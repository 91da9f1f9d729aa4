"""What sources that are called have, as they counted it: from the ledger, so that a plan follows from it alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from tradex_ledger.datasets.intake import Intake
from tradex_ledger.domain.day import Day, iso, later, start_of
from tradex_ledger.domain.plan import Range
from tradex_ledger.domain.spending import budgets, dollars
from tradex_ledger.planning.scope import Scope
from tradex_ledger.relations.calls import SOURCE_CALLS
from tradex_ledger.sources.called import Called, spans
from tradex_ledger.views import AsOf, shared_views


@dataclass(frozen=True, slots=True)
class Counted:
    """What some days cost at sources that are called: rows, the calls for them, millionths of a dollar; `at` is when
    the oldest of the counts was taken (UTC)."""

    rows: int
    calls: int
    micros: int
    at: datetime


def called(scope: Scope, intakes: Iterable[Intake]) -> Iterator[tuple[Intake, Called]]:
    """Those of some sources that are called, with their places."""
    for intake in intakes:
        place = scope.sources[intake.source].place
        if isinstance(place, Called):
            yield intake, place


def counts(scope: Scope, place: str, position: int) -> dict[tuple[str, str], tuple[int, datetime]]:
    """The newest count of each span of a place up to a position: by its two cursors, rows and when."""
    with shared_views(scope.ledger.store, AsOf(position, None), SOURCE_CALLS.name) as connection:
        found = SOURCE_CALLS.read(connection, "kind = 'count' and source = ? order by position", place)
    return {(row.cursor_from, row.cursor_to): (row.counted_rows or 0, row.at) for row in found}


def counted(scope: Scope, intakes: Iterable[Intake], first: Day, last: Day, position: int) -> Counted | None:
    """What the days first..last cost, as counted up to a position; None where no source is called, or not all of them
    is counted."""
    rows = calls = micros = 0
    oldest: datetime | None = None
    for _, place in called(scope, intakes):
        known = counts(scope, place.describe(), position)
        for span in spans(first, later(last, 1)):
            found = known.get((start_of(span.first), start_of(span.until)))
            if found is None:
                return None
            rows += found[0]
            calls += max(1, math.ceil(found[0] / place.page_rows[1]))
            micros += found[0] * place.prices.row
            oldest = min(oldest or found[1], found[1])
    return None if oldest is None else Counted(rows, calls, micros, oldest)


def calls_of(scope: Scope, intakes: list[Intake], first: Day, last: Day, position: int) -> Range | None:
    """The calls that a plan is expected to make; None: nobody knows."""
    if not any(called(scope, intakes)):
        return Range(0, 0, 0)  # a folder of files is read, not called
    found = counted(scope, intakes, first, last, position)
    return None if found is None else Range(found.calls, found.calls, found.calls)


def told_cost(scope: Scope, intakes: list[Intake], first: Day, last: Day, run: str) -> list[str]:
    """A sentence about what the days first..last cost at sources that are called; one more where no budget has that."""
    found = counted(scope, intakes, first, last, scope.ledger.position())
    if found is None:
        return []
    days = iso(first) if first == last else f"{iso(first)} to {iso(last)}"
    told = [
        f"the source has {found.rows:,} {scope.words.row()}s of {days}: about {found.calls} calls and "
        f"{dollars(found.micros)}, as counted at {found.at:%Y-%m-%d %H:%M} UTC"
    ]
    of_run, _ = budgets(scope.policy, run, "")
    for bound, most, text in (
        (of_run.rows, found.rows, f"{of_run.rows:,} {scope.words.row()}s"),
        (of_run.calls, found.calls, f"{of_run.calls:,} calls"),
        (of_run.micros, found.micros, dollars(of_run.micros)),
    ):
        if bound and most > bound:
            told.append(
                f"that is more than the budget of a run, {text}: it will stop there, and go on once it is raised"
            )
    return told
