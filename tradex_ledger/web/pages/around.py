"""What stands around a page and is fetched by itself: the slider of all moments, for a page that is pinned."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tradex_ledger.web.at import At, at_of
from tradex_ledger.web.draw.slider import MOST, slider
from tradex_ledger.web.frame import Frame
from tradex_ledger.web.moments import around
from tradex_ledger.web.within import is_within


def moments(request: Request) -> Response:
    """The slider up to now, with its handle where the asking page is: the page itself must not know what came later."""
    frame = Frame.of(request)
    site = frame.site
    now: At = at_of(site.store, None)
    here = frame.at.position
    found = site.read(now, ("moments", here), lambda reader: around(reader, here, MOST))
    path = request.query_params.get("path", "/")
    return HTMLResponse(str(slider(found, frame.at, path if is_within(path) else "/")))
