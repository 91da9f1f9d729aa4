"""One run: what it is for, what it touches and why, what it cost, how it went, and what can be decided on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tradex_ledger.audit.diff import Differing
from tradex_ledger.audit.documents.plan import Share
from tradex_ledger.audit.documents.run import RunDocument
from tradex_ledger.audit.draw.grid import plan_grid
from tradex_ledger.audit.draw.times import life, work
from tradex_ledger.audit.draw.words import days, many
from tradex_ledger.audit.lived import cells_of, steps_of
from tradex_ledger.audit.log import Line, Log, story
from tradex_ledger.audit.reader import Reader
from tradex_ledger.audit.report_words import begins
from tradex_ledger.errors import TradexError
from tradex_ledger.ledger.ask import of_stream
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.relations.runs import RUNS
from tradex_ledger.views import AsOf, NoSuchPositionError
from tradex_ledger.web.at import At
from tradex_ledger.web.draw.bands import bands
from tradex_ledger.web.draw.closure import Arrow, Box, closure
from tradex_ledger.web.frame import Frame, page
from tradex_ledger.web.pages import went
from tradex_ledger.web.pages.decide import Deciding, deciding
from tradex_ledger.web.pages.listed import days_of
from tradex_ledger.web.pages.log import by_day
from tradex_ledger.web.pages.parts import waiting
from tradex_ledger.web.pages.rows import Changed, changed
from tradex_ledger.web.site import Site
from tradex_ledger.web.statuses import status_of, title

SAMPLES = 8


class Because(NamedTuple):
    """A dataset of the plan: why it is in it, what was built of it, and rows, with how many more than before."""

    share: Share
    because: list[str]
    built: str
    rows: int | None
    more: int | None

    @property
    def days(self) -> int:
        """Of how many days: of Bronze those that are asked for."""
        return self.share.partitions or _length(self.share)


@dataclass(frozen=True, slots=True)
class Whole:
    """What the page is made of, as of a position."""

    document: RunDocument
    entries: list[Entry]
    because: list[Because]
    touches: Markup | None
    grid: Markup | None
    costs: list[tuple[object, Markup]]
    life: Markup
    work: Markup | None
    begins: str
    decisions: list[went.Decision]
    lines: list[tuple[date, list[Line]]]


def run(request: Request) -> Response:
    """The page."""
    frame = Frame.of(request)
    site, at = frame.site, frame.at
    run_id = site.workspace.runs.find(str(request.path_params.get("run_id")))
    found = site.read(at, ("run", run_id), lambda reader: _whole(reader, site, at, run_id))
    wanted = found.document.status == "HELD" or "rows" in request.query_params
    rows = site.ask(at, ("changed", run_id), lambda: _changed(site, at, found.document)) if wanted else None
    return page(
        frame,
        "run.html",
        found=found,
        run=found.document.run,
        title=title(found.document.run),
        status=status_of(found.document.run),
        days=days_of(found.document.run),
        changed=rows,
        may_compare=found.document.run.built_partitions > 0,
        deciding=_deciding(frame, found.document),
        parts=waiting(frame, found.document) if frame.may_decide else 0,
        done=request.query_params.get("done"),
    )


def _deciding(frame: Frame, found: RunDocument) -> Deciding | None:
    return deciding(frame, found) if frame.may_decide else None


def entries_of(site: Site, at: At, run_id: str) -> list[Entry]:
    """The events of a run as of a position, oldest first. Raises `NoSuchPositionError` where it has none yet."""
    told = [one for one in of_stream(site.store, run_id) if one.position <= at.position]
    if not told:
        raise NoSuchPositionError(
            f"{run_id} was not asked for yet as of position {at.position}",
            mend=f"look at it as it is now: /runs/{run_id}",
        )
    return [entry_of(site.store.ledger, one) for one in reversed(told)]


def _document(reader: Reader, site: Site, at: At, run_id: str) -> RunDocument:
    """While it waits, definitions and policy of today judge it; of one that was decided the record says why."""
    waits = reader.read(RUNS, "run_id = ? and status = 'PLANNED'", run_id)
    told = at.as_of if waits else AsOf(at.position, at.as_of.at)
    return site.workspace.audit.run(run_id, told, over=reader)


def _whole(reader: Reader, site: Site, at: At, run_id: str) -> Whole:
    entries = entries_of(site, at, run_id)
    document = _document(reader, site, at, run_id)
    built = went.built_of(entries)
    judged = document.judgement
    shares = judged.by_dataset if judged else went.shares_of(entries)
    cells = cells_of(entries)
    bars = went.bars_of(reader, run_id)
    return Whole(
        document=document,
        entries=entries,
        because=_because(document, shares, built),
        touches=_touches(document, shares),
        grid=plan_grid([share.dataset for share in shares], cells) if cells else None,
        costs=[*bands(went.costs_of(reader, run_id))],
        life=life(steps_of(entries, document.status)),
        work=work(bars) if bars else None,
        begins=begins((bar.workers, bar.is_told) for bar in bars),
        decisions=went.decisions_of(entries),
        lines=by_day(story(Log(at.as_of, entries))),
    )


def _because(document: RunDocument, shares: Sequence[Share], built: went.Built) -> list[Because]:
    edges = document.judgement.edges if document.judgement else []
    found = []
    for share in shares:
        said = [went.in_words(edge, share.layer) for edge in edges if edge.dataset == share.dataset]
        total = built.totals.get(share.dataset)
        found.append(
            Because(
                share,
                said,
                total.said if total else "–",
                total.rows if total else None,
                total.more if total else None,
            )
        )
    return found


def _touches(document: RunDocument, shares: Sequence[Share]) -> Markup | None:
    if not document.judgement or not shares:
        return None
    boxes = [
        Box(
            share.dataset,
            share.layer,
            f"{many(_length(share), 'day')}, {days(share.first, share.last)}",
            is_asked=share.dataset == document.run.subject,
        )
        for share in shares
    ]
    arrows = [
        Arrow(edge.because.removeprefix("reads "), edge.dataset, went.reach(edge))
        for edge in document.judgement.edges
        if edge.first is not None
    ]
    return closure(boxes, arrows, f"{len(boxes)} datasets and what each reads")


def _length(share: Share) -> int:
    return (datetime.fromisoformat(share.last) - datetime.fromisoformat(share.first)).days + 1


def _changed(site: Site, at: At, document: RunDocument) -> Changed | TradexError:
    """Which rows readers would get otherwise, or get since; a file that is gone is told, and ends no page."""
    audit = site.workspace.audit
    try:
        found: list[Differing] = audit.diff(document.id, as_of=at.as_of, samples=SAMPLES)
    except TradexError as error:
        return error
    return changed(found, SAMPLES)
