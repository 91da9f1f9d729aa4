"""What is taken along rather than looked at: the report of a run, and numbers for who collects them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tradex_ledger.audit.openmetrics import CONTENT_TYPE, render
from tradex_ledger.web.frame import Frame
from tradex_ledger.web.site import Site
from tradex_ledger.workspace.mirrors import standing


def report(request: Request) -> Response:
    """The report of a run, as `tradex audit report` makes it: as of the page's position, or of the newest signed head.

    It is for keeping: opened here, it would be held to what pages of this site may do, and it brings its style along.
    """
    frame = Frame.of(request)
    position = str(frame.at.position) if frame.at.is_pinned else None
    run_id, content = frame.site.workspace.audit.report_of(str(request.path_params.get("run_id")), position)
    name = f"{run_id}.{position}.html" if position else f"{run_id}.html"
    return Response(
        content, media_type="text/html", headers={"content-disposition": f'attachment; filename="report-{name}"'}
    )


def metrics(request: Request) -> Response:
    """Where things stand, in numbers, as `tradex metrics` tells them: for who is let in, as every page is.

    They are of now; who collects often is told the same for a minute, unless something happened.
    """
    site: Site = request.app.state.site
    now = site.clock()
    frame = Frame.of(request)
    asked = ("metrics", f"{now:%Y-%m-%dT%H:%M}")
    look = site.look
    text = site.ask(frame.at, asked, lambda: render(look.metrics(now=now, mirrors=standing(look.config, look.store))))
    return Response(text, headers={"content-type": CONTENT_TYPE})
