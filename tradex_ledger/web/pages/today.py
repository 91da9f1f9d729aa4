"""Today: the verdict in a sentence, what waits for a person, the days, the newest runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from tradex_ledger.audit.documents.calendar import Calendar, calendar
from tradex_ledger.audit.documents.feeds import feeds
from tradex_ledger.audit.documents.followers import Behind, behind
from tradex_ledger.audit.draw.words import many
from tradex_ledger.audit.reader import Reader
from tradex_ledger.relations.runs import PIPELINE_STATE, RUNS, SOURCE_LOOKS, PipelineState, SourceLook, newest
from tradex_ledger.web.draw.calendar import drawn
from tradex_ledger.web.frame import Frame, page
from tradex_ledger.web.pages.listed import Line, lines_of
from tradex_ledger.web.pages.look import SOURCE
from tradex_ledger.web.pages.until import DAY, until
from tradex_ledger.web.statuses import status_of, urgency
from tradex_ledger.workspace.mirrors import standing

NEWEST = 8
_ACTIVE = "status in (select status from lifecycle where is_active) order by position desc"


_READ = (
    "event_days", "publications", "source_looks", "moments", "pipeline_state", "protections", "datasets",
    "signs", "runs",
)  # fmt: skip
"""What the page reads beside the history of partitions; those last for which events of before have to be found."""
_LOOKS = ("stale", "missing")
_SIGNS = ("failed", "late at the source")


class Stand(NamedTuple):
    """Where things stand as of a position; `looked` is the newest look at the source for what is late."""

    states: list[PipelineState]
    waits: list[Line]
    at_work: list[Line]
    newest: list[Line]
    calendar: Calendar
    looked: SourceLook | None


def today(request: Request) -> Response:
    """The first page."""
    frame = Frame.of(request)
    last = until(request)
    found = frame.site.read(frame.at, ("today", last), lambda reader: _stand(reader, last))
    late = [] if frame.at.is_pinned else _behind(frame)
    return page(
        frame,
        "today.html",
        found=found,
        verdict=verdict(found, late),
        behind=late,
        look=needing_a_look(found.calendar),
        drawn=frame.site.ask(frame.at, ("drawn", last), lambda: drawn(found.calendar, frame.at)),
        day=DAY,
        token=frame.token(SOURCE) if frame.may_decide else None,
        proposed=_number(request.query_params.get("proposed")) if frame.may_decide else None,
    )


def _behind(frame: Frame) -> list[Behind]:
    """Who follows the ledger and is behind it: of now, and looked at once a minute, or when something happened."""
    site, now = frame.site, frame.site.clock()
    look, asked = site.look, ("behind", f"{now:%Y-%m-%dT%H:%M}")

    def found() -> list[Behind]:
        return list(behind(standing(look.config, look.store), feeds(look.store, look.config), now))

    return site.ask(frame.at, asked, found)


def _number(said: str | None) -> int | None:
    return int(said) if said and said.isascii() and said.isdecimal() and len(said) < 6 else None


def _stand(reader: Reader, last: date | None) -> Stand:
    reader.begin(_READ)
    drawn_of = calendar(reader, last=last)
    active = reader.read(RUNS, _ACTIVE)
    looks = reader.read(SOURCE_LOOKS, "late_posts is not null order by position desc limit 1")
    return Stand(
        states=reader.read(PIPELINE_STATE, "true order by pipeline"),
        waits=lines_of(sorted((run for run in active if status_of(run).asks), key=urgency)),
        at_work=lines_of(run for run in active if not status_of(run).asks),
        newest=lines_of(reader.read(RUNS, newest(NEWEST))),
        calendar=drawn_of,
        looked=looks[0] if looks else None,
    )


def needing_a_look(found: Calendar) -> int:
    """Cells of the newest days of which somebody should see what is the matter."""
    return sum(cell.fill in _LOOKS or cell.sign in _SIGNS for cell in found.cells)


def unprocessed(found: Calendar) -> int:
    """The days that are over and that nobody has processed, by the time of the position."""
    ahead = {cell.day for cell in found.cells if cell.fill == "not processed yet" and cell.standing == "read"}
    return len(ahead) + found.unprocessed


def verdict(found: Stand, late: Sequence[Behind] = ()) -> str:
    """Where things stand, in one sentence."""
    waits, works, ahead = len(found.waits), len(found.at_work), unprocessed(found.calendar)
    said = [
        *([f"{many(waits, 'run')} {'waits' if waits == 1 else 'wait'} for a person"] if waits else []),
        *([f"{many(works, 'run')} at work"] if works else []),
        *([f"{many(ahead, 'day')} not processed yet"] if ahead else []),
        *([f"{len(late)} of those who follow {'is' if len(late) == 1 else 'are'} behind"] if late else []),
    ]
    return ", ".join(said) or ("All quiet" if found.newest else "Nothing ran yet")
