"""All runs, the newest first, by status, kind and person."""

from __future__ import annotations

from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from tradex_ledger.audit.reader import Reader
from tradex_ledger.domain.person import person
from tradex_ledger.relations.runs import RUNS, Run
from tradex_ledger.web.frame import Frame, page
from tradex_ledger.web.pages.listed import lines_of
from tradex_ledger.web.statuses import STATUSES

KINDS = ("temporal", "dataset", "logical", "forced", "incremental")
PAGE = 100


class _Named(NamedTuple):
    name: str | None


_WHERE = """
    ($1 is null or status = $1) and ($2 is null or kind = $2)
    and ($3::varchar[] is null or list_contains($3, requested_by) or list_contains($3, approved_by))
    and ($4 is null or position < $4)
    order by position desc limit
"""


def runs(request: Request) -> Response:
    """The list, a page of it."""
    frame = Frame.of(request)
    status, kind, by, before = (request.query_params.get(name) or None for name in ("status", "kind", "by", "before"))
    below = int(before) if before and before.isascii() and before.isdecimal() and len(before) < 19 else None
    asked = (status, kind, by, below)

    def work_out(reader: Reader) -> list[Run]:
        names = _spellings(reader, by) if by is not None else None
        return reader.read(RUNS, f"{_WHERE} {PAGE + 1}", status, kind, names, below)

    found = frame.site.read(frame.at, ("runs", asked), work_out)
    return page(
        frame,
        "runs.html",
        lines=lines_of(found[:PAGE]),
        more=found[PAGE - 1].position if len(found) > PAGE else None,
        statuses=STATUSES,
        kinds=KINDS,
        status=status,
        kind=kind,
        by=by,
    )


def _spellings(reader: Reader, by: str) -> list[str]:
    """A name as those spell it who asked for runs, or approved them."""
    told = reader.ask(_Named, "select distinct unnest([requested_by, approved_by]) as name from runs", over=("runs",))
    return [one.name for one in told if one.name is not None and person(one.name) == person(by)]
