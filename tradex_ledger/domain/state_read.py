"""Whether what a plan was bounded by still is: the state, as it was read for it. No I/O here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradex_ledger.domain.backfill_errors import StatePutBackError
from tradex_ledger.domain.day import Cursor, day_of

if TYPE_CHECKING:
    from tradex_ledger.domain.backfill import Backfill


def check_still_before(run: Backfill, cursor: Cursor | None) -> None:
    """Raise `StatePutBackError` unless all that a backfill builds lies before the cursor, as when it was planned.

    One that went on is no matter: what was before it still is. One that was put back behind some of the days means
    that these are going to be processed again, by who does not know of this backfill.
    """
    last = max((window.last for window in run.windows), default=run.request.last)
    if run.plan and run.plan.state_read and (cursor is None or last >= day_of(cursor)):
        raise StatePutBackError(run.id, run.plan.state_read, cursor)
