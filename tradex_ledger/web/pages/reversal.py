"""What taking back what a run published would do, before anybody does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from tradex_ledger.web.errors import NobodyError
from tradex_ledger.web.frame import Frame, page
from tradex_ledger.web.pages.decide import deciding
from tradex_ledger.web.statuses import title

if TYPE_CHECKING:
    from tradex_ledger.upkeep.reversal import Again, InTheWay, Outdated, Reversal


class Back(NamedTuple):
    """Days of a dataset that readers would get of another run: of which now, and then (None: nothing)."""

    dataset: str
    days: int
    first: date
    last: date
    run_id: str | None
    run_id_then: str | None
    rows: int
    rows_then: int


class Stale(NamedTuple):
    """Days of a dataset that would have to be built again, and why."""

    dataset: str
    days: int
    first: date
    last: date
    reason: str


@dataclass(frozen=True, slots=True)
class Preview:
    """The whole of it, days that are alike together."""

    back: list[Back]
    stale: list[Stale]
    in_the_way: list[InTheWay]


def preview(found: Reversal) -> Preview:
    """A reversal, laid out."""
    again = groupby(found.again, key=lambda one: (one.dataset, one.run_id, one.run_id_then))
    stale = groupby(found.stale, key=lambda one: (one.dataset, one.reason))
    return Preview(
        [_back(list(some)) for _, some in again], [_stale(list(some)) for _, some in stale], found.in_the_way
    )


def _back(some: Sequence[Again]) -> Back:
    one, then = some[0], sum(day.rows_then or 0 for day in some)
    first, last = some[0].partition, some[-1].partition
    return Back(one.dataset, len(some), first, last, one.run_id, one.run_id_then, sum(d.rows or 0 for d in some), then)


def _stale(some: Sequence[Outdated]) -> Stale:
    return Stale(some[0].dataset, len(some), some[0].partition, some[-1].partition, some[0].reason)


def reversal(request: Request) -> Response:
    """The page. Raises `WrongStateError` where nothing of the run is published."""
    frame = Frame.of(request)
    site, actor = frame.site, frame.actor
    if actor is None:
        raise NobodyError
    run_id = site.workspace.runs.find(str(request.path_params.get("run_id")))

    def work_out() -> Preview:
        with site.open_as(actor) as workspace:
            return preview(workspace.backfills.reversal(run_id))

    found = site.ask(frame.at, ("reversal", actor, run_id), work_out)
    document = site.workspace.audit.run(run_id)
    return page(
        frame,
        "reversal.html",
        found=found,
        run=document.run,
        title=title(document.run),
        deciding=deciding(frame, document),
    )
