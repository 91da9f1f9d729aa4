"""What sources that are called took, as of a position."""

# No `from __future__ import annotations`: as texts, so many columns would each be compiled when this is loaded.
from datetime import date, datetime
from typing import NamedTuple

from tradex_ledger.domain.spending import Spent
from tradex_ledger.ledger.select import Store
from tradex_ledger.relations.relation import Relation
from tradex_ledger.views import add_projections, resolve, shared_views


class SourceCall(NamedTuple):
    """A page that was fetched, or a count."""

    run_id: str | None
    kind: str
    source: str
    cursor_from: str
    cursor_to: str
    page: int | None
    rows: int
    counted_rows: int | None
    calls: int
    micros: int
    month: str
    by: str
    at: datetime
    position: int


SOURCE_CALLS = Relation("source_calls", SourceCall)


class MonthOfRun(NamedTuple):
    """What a run (None: whoever had something counted) took in a calendar month (UTC), in millionths of a dollar."""

    month: str
    run_id: str | None
    rows: int
    calls: int
    micros: int


class DayOfCalls(NamedTuple):
    """What was delivered on a day (UTC), by all runs."""

    day: date
    rows: int


BY_MONTH = """
    select month, run_id, sum(rows)::bigint, sum(calls)::bigint, sum(micros)::bigint
    from source_calls group by month, run_id order by month, run_id nulls first
"""
BY_DAY = """select "at"::date as day, sum(rows)::bigint from source_calls group by day order by day"""


def spent_in(store: Store, month: str) -> Spent:
    """What was spent in a calendar month (`YYYY-MM`, UTC), by all runs and counts up to now."""
    with shared_views(store, resolve(store, None), "source_calls") as connection:
        add_projections(connection, ["source_calls"])
        found = connection.execute(
            "select coalesce(sum(rows), 0)::bigint, coalesce(sum(calls), 0)::bigint, coalesce(sum(micros), 0)::bigint "
            "from source_calls where month = ?",
            [month],
        ).fetchone()
    return Spent(*found) if found else Spent()
