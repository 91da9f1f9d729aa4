"""All runs, the newest first, by status, kind and person."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tradex_ledger.audit.reader import Reader
from tradex_ledger.relations.runs import RUNS, Run
from tradex_ledger.web.frame import Frame, page
from tradex_ledger.web.pages.listed import lines_of
from tradex_ledger.web.statuses import STATUSES

KINDS = ("temporal", "dataset", "logical", "forced", "incremental")
PAGE = 100
_WHERE = """
    ($1 is null or status = $1) and ($2 is null or kind = $2)
    and ($3 is null or requested_by = $3 or approved_by = $3) and ($4 is null or position < $4)
    order by position desc limit
"""


def runs(request: Request) -> Response:
    """The list, a page of it."""
    frame = Frame.of(request)
    status, kind, by, before = (request.query_params.get(name) or None for name in ("status", "kind", "by", "before"))
    below = int(before) if before and before.isascii() and before.isdecimal() and len(before) < 19 else None
    asked = (status, kind, by, below)

    def work_out(reader: Reader) -> list[Run]:
        return reader.read(RUNS, f"{_WHERE} {PAGE + 1}", *asked)

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
