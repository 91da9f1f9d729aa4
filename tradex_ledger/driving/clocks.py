"""Whether the clock of this machine can be right: a run moves the cursor by it, and nothing takes that back unasked.

A clock is believed as far as it is told of in steps of at most `clock_hours`: from the last time that somebody
vouched for it (a run up to its own day, a forced override, a person who said that it is right), by the times of the
events since then. One that is further ahead is right, too, if a row is near it: rows are dated where they are made. So
a workspace that nobody touched for months goes on without a question if its source was filled meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tradex_ledger.domain.clocks import HELD_BACK
from tradex_ledger.domain.day import Day, day_of, iso
from tradex_ledger.driving.ahead import newest_delivered, newest_in_bronze
from tradex_ledger.driving.execution import Execution
from tradex_ledger.errors import RefusedError
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.ledger.ask import Told, events_of, has_topic, newest, newest_first, of_stream, times_after
from tradex_ledger.ledger.entry import format_time, parse_time
from tradex_ledger.ledger.select import Store
from tradex_ledger.planning.catalog import Catalog
from tradex_ledger.planning.scope import Scope

_VOUCHES = ("ledger.clock_accepted", "pipeline_state.overridden", "pipeline_state.advanced")
_A_DAY = timedelta(days=1)


class ClockDoubtfulError(RefusedError):
    """The clock is further from the last known time than the policy allows; a person can say that it is right."""

    code = "clock-doubtful"

    def __init__(self, doubt: Doubt) -> None:
        self.doubt = doubt
        apart, ahead = doubt.clock - doubt.believed, doubt.clock > doubt.believed
        newest = f", and the newest {doubt.row} is of {doubt.newest_post or 'no day at all'}" if ahead else ""
        then = "would take the days until then for done" if ahead else "would write under a time that is long past"
        super().__init__(
            f"the clock says {_shown(doubt.clock)}, {_length(apart)} {'after' if ahead else 'before'} the last time "
            f"that is known to be right ({_shown(doubt.believed)}){newest}: more than the {doubt.allowed_hours} hours "
            f"that clock_hours under [policy] allows; a run {then}",
            mend="set the clock of this machine right; if it is right, say so (it is put on record): "
            "tradex run --clock-is-right"
            + (f"; or name a day that does not depend on it: tradex run --to {doubt.believed - _A_DAY:%Y-%m-%d}"),
        )


@dataclass(frozen=True, slots=True)
class Doubt:
    """A clock, the last time that is known to be right, and the day of the newest row (and what such a
    one is called), where that was asked for."""

    clock: datetime
    believed: datetime
    newest_post: str | None
    allowed_hours: int
    row: str


def find_doubt(ex: Execution, catalog: Callable[[], Catalog]) -> Doubt | None:
    """Why the clock of this machine is not simply believed; None: it is. The source is read only where all else fails.

    A ledger without a run has no cursor that could be moved too far, and is never in doubt.
    """
    hours, now = ex.scope.policy.clock_hours, ex.scope.clock().astimezone(UTC)
    allowed = timedelta(hours=hours)
    known = _believed(ex.scope.ledger.store, now, allowed) if hours else None
    if known is None or abs(now - known) <= allowed:
        return None
    newest = None
    if now > known:
        enough = day_of(now - allowed)
        days = (newest_in_bronze(ex.scope, catalog()), newest_delivered(ex, enough))
        newest = max((day for day in days if day is not None), default=None)
        if newest is not None and newest >= enough:
            return None
    return Doubt(now, known, None if newest is None else iso(newest), hours, ex.scope.words.row())


def leans_on_the_clock(scope: Scope, until: Day) -> bool:
    """Whether a day (ordinal) that was named is the clock's own, or nearly: a day of long ago is right by any clock."""
    return until >= day_of(scope.clock().astimezone(UTC) - timedelta(hours=scope.policy.clock_hours))


def _believed(store: Store, now: datetime, allowed: timedelta) -> datetime | None:
    """The last time that is known to be right; None in a ledger without a run."""
    found = _vouched(store)
    if found is None:
        first = events_of(store, (), limit=1)
        if not first or not has_topic(store, *_VOUCHES):
            return None
        found = first[0].position, parse_time(first[0].at)
    position, known = found
    if abs(now - known) <= allowed:
        return known
    told = [(first, parse_time(at)) for first, at in times_after(store, position, but=HELD_BACK)]
    told += [(row.position, _clock_in(row)) for row in events_of(store, [HELD_BACK], after=position)]
    for _, moment in sorted(told):
        if abs(moment - known) <= allowed:
            known = moment
    return known


def _vouched(store: Store) -> tuple[int, datetime] | None:
    """The position and the clock of the last event by which somebody vouched for that clock."""
    for row in newest_first(store, _VOUCHES):
        moment = _clock_at(store, row)
        if row.topic != "pipeline_state.advanced":
            return row.position, moment
        # A run up to a day of long ago says nothing of the clock; one may have gone on past midnight.
        if day_of(row.data["cursor"]) >= day_of(moment - 2 * _A_DAY):
            return row.position, moment
    return None


def _clock_at(store: Store, row: Told) -> datetime:
    """What the clock said when an event was saved, which may bear a later time."""
    held = newest(store, [HELD_BACK], before=row.position)
    return _clock_in(held) if held is not None and held.at == row.at else parse_time(row.at)


def _clock_in(row: Told) -> datetime:
    return parse_time(row.data["clock"])


def last_at(ledger: Ledger) -> datetime | None:
    """The time of the ledger: that of its last event."""
    last = newest(ledger.store)
    return None if last is None else parse_time(last.at)


def time_of_now(scope: Scope) -> datetime:
    """The time that an event of now would bear: that of the clock, or of the last event where the clock is behind it.

    What was delivered by now is judged by it: rows of days that were asked for, and approved, are no rows of the
    future because the machine that drives has the wrong time.
    """
    now, last = scope.clock().astimezone(UTC), last_at(scope.ledger)
    return now if last is None else max(now, last)


def last_place_before(ledger: Ledger, stream: str, now: datetime) -> str | None:
    """The last cursor of a pipeline that does not lie in the future."""
    limit = format_time(now)
    cursors = (row.data.get("cursor") for row in of_stream(ledger.store, stream))
    return next((str(cursor) for cursor in cursors if cursor is not None and cursor <= limit), None)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"


def _length(apart: timedelta) -> str:
    hours = abs(apart) // timedelta(hours=1)
    return f"{hours} hours" if hours < 96 else f"{hours // 24} days"
