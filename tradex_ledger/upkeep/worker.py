"""The worker: it follows the ledger and drives what is approved, the most urgent first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tradex_ledger.domain.policy import PeakHoursError
from tradex_ledger.domain.request import PRIORITIES
from tradex_ledger.domain.run import Run
from tradex_ledger.driving.lease import DrivenElsewhereError, QuotaError
from tradex_ledger.errors import TradexError
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.relations.runs import WORK
from tradex_ledger.views import resolve, shared_views

WAITS = (DrivenElsewhereError, QuotaError, PeakHoursError)
"""Why a run has to wait; nothing is wrong with it."""


def runnable(ledger: Ledger) -> list[str]:
    """Backfills that wait for a driver, or whose driver may be dead: by priority, then in order of request."""
    with shared_views(ledger.store, resolve(ledger.store, None), "work") as connection:
        found = WORK.read(connection, "for_worker")
    found.sort(key=lambda run: (-PRIORITIES.index(run.priority), run.position))
    return [run.run_id for run in found]


def work(
    ledger: Ledger, drive: Callable[[str], Run], wait: Callable[[], bool], *, once: bool
) -> Iterator[tuple[str, Run | TradexError]]:
    """Drive what is runnable, one after the other; yields each run with its end, or with the error that ended it.

    `wait` pauses between looks at the ledger and returns False when the worker shall end. A run that another process
    drives is left to it, and looked at again: its driver may die. One that is refused before anything of it is
    recorded (its plan is outdated, say) stays runnable: it is told of once, tried again after each wait, and stands in
    nobody's way. One that has to wait (`WAITS`: for a place, for the end of peak hours) is told of when nothing else
    is left to drive, once for each reason.
    """
    tried: set[str] = set()
    told: dict[str, str] = {}
    while True:
        driven = False
        waiting: dict[str, TradexError] = {}
        for run_id in runnable(ledger):
            if run_id in tried:
                continue
            try:
                yield run_id, drive(run_id)
            except WAITS as error:
                waiting[run_id] = error
                continue  # its turn comes
            except TradexError as error:
                tried.add(run_id)
                if told.get(run_id) != error.message:
                    told[run_id] = error.message
                    yield run_id, error
            driven = True
            break  # look again: something more urgent may have been approved meanwhile
        if driven:
            continue
        for run_id, reason in waiting.items():
            if told.get(run_id) != reason.code:
                told[run_id] = reason.code
                yield run_id, reason
        if once or not wait():
            return
        tried.clear()
