"""Some days of the calendar: worked out of what those days follow from, and not of all days that there ever were.

It is the calendar's own statement, and that of what is stale. What they find as history and catalog are the days that
are asked for, with those that their inputs are of, and the first and last day of each dataset: between them lies all
that was processed.
"""

from __future__ import annotations

from datetime import date

from tradex_ledger.views import projected
from tradex_ledger.views.parts import LARGE
from tradex_ledger.views.view import View

CALENDAR = "calendar"
STALE = "stale_partitions"
_LIMITED = ("partitions", "recent_history")
_REACH = """
    select min(least(r.first, 0)), max(greatest(r.last, 0))
    from (select unnest(reads) as r from logic_versions where is_current)
"""
# Before its first post there is nothing of X but what has no day, or a wrong one: see the projections.
_EDGES = """
    select list(distinct day) from (
        select unnest([min(partition), min(partition) filter (partition >= date '2006-03-21'), max(partition)]) as day
        from partitions
        group by dataset
    ) where day is not null
"""


def calendar(view: View, first: date, last: date) -> str:
    """Work out the calendar from one day to another, both included; returns the name of the table."""
    schema = f"days_{len(view.prepared)}"
    view.prepared.add(schema)
    # What these two read, and no more: what is behind it is kept, and would cost all of history.
    view.begin(sorted({*projected.written_over(CALENDAR), *projected.written_over(STALE)} - {STALE}))
    for name in projected.written_over(STALE):
        view.add(name)
    view.events.add_older(projected.own_topics(STALE) or ())
    connection = view.connection
    connection.execute(f"create schema {schema}")
    days = _days(view, first, last)
    for name in _LIMITED:
        # As tables: they are asked several times, and what is large in them by nobody.
        connection.execute(f"create table {schema}.{name} as select * exclude ({LARGE}) from main.{name} where {days}")
    view.create(f"{schema}.{STALE}", projected.sql(STALE), schema)
    for name in projected.written_over(CALENDAR):
        if name != STALE:
            view.add(name)
    asked = f"select * from ({projected.sql(CALENDAR)}) where day between date '{first}' and date '{last}'"
    view.create(f"{schema}.{CALENDAR}", asked, schema)
    return f"{schema}.{CALENDAR}"


def _days(view: View, first: date, last: date) -> str:
    """The condition that a partition is of a day that those days follow from."""
    reach = view.connection.execute(_REACH).fetchone()
    before, behind = reach or (0, 0)
    edges = view.connection.execute(_EDGES).fetchone()
    ends = ", ".join(f"date '{day}'" for day in sorted(edges[0] or ())) if edges else ""
    wanted = f"partition between date '{first}' + {before or 0} and date '{last}' + {behind or 0}"
    return f"({wanted} or partition in ({ends}))" if ends else wanted
