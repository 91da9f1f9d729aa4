"""What taking back what a run published would do, before anybody does it."""

from __future__ import annotations

from datetime import date
from itertools import groupby
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from tradex_ledger.web.errors import somebody
from tradex_ledger.web.frame import Frame, page
from tradex_ledger.web.pages.decide import deciding
from tradex_ledger.web.statuses import title
from tradex_ledger.workspace import Workspace


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


class InTheWay(NamedTuple):
    """What refuses it, and what helps."""

    message: str
    mend: str


class Preview(NamedTuple):
    """The whole of it, days that are alike together."""

    back: list[Back]
    stale: list[Stale]
    in_the_way: list[InTheWay]


def preview(workspace: Workspace, run_id: str) -> Preview:
    """What taking back a run would do now. Raises `WrongStateError`."""
    found = workspace.backfills.reversal(run_id)
    back, stale = list[Back](), list[Stale]()
    for (dataset, now, then), alike in groupby(found.again, key=lambda one: (one.dataset, one.run_id, one.run_id_then)):
        days = list(alike)
        rows, rows_then = sum(day.rows or 0 for day in days), sum(day.rows_then or 0 for day in days)
        first, last = days[0].partition, days[-1].partition
        back.append(Back(dataset, len(days), first, last, now, then, rows, rows_then))
    for (dataset, reason), some in groupby(found.stale, key=lambda one: (one.dataset, one.reason)):
        partitions = [one.partition for one in some]
        stale.append(Stale(dataset, len(partitions), partitions[0], partitions[-1], reason))
    return Preview(back, stale, [InTheWay(one.message, one.mend) for one in found.in_the_way])


def reversal(request: Request) -> Response:
    """The page. Raises `WrongStateError` where nothing of the run is published."""
    frame = Frame.of(request)
    site, actor = frame.site, somebody(frame.actor)
    run_id = site.workspace.runs.find(str(request.path_params.get("run_id")))

    def work_out() -> Preview:
        with site.open_as(actor) as workspace:
            return preview(workspace, run_id)

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
