"""A look at the source, as a deed: what is late there goes on record, and nothing else happens."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tradex_ledger.errors import ConflictError
from tradex_ledger.web.errors import ForgedFormError, somebody
from tradex_ledger.web.site import Site
from tradex_ledger.web.tokens import is_token

SOURCE = "source"
"""What a form of this deed is bound to, as others are to a run."""


class LookingError(ConflictError):
    """Somebody's look at the source is not over."""

    code = "looking"

    def __init__(self) -> None:
        super().__init__(
            "somebody is looking at the source just now: one look at a time",
            mend="wait for it: the first page says when the source was looked at last",
        )


def look(request: Request, form: Mapping[str, str]) -> Response:
    """Look, as who asks, and show what is known then. Raises what looking raises."""
    site: Site = request.app.state.site
    actor = somebody(request.state.actor)
    if not is_token(site.secret, form.get("token", ""), actor, SOURCE, site.clock()):
        raise ForgedFormError("the form is not of this person and this hour")
    if not site.looking.acquire(blocking=False):
        raise LookingError
    try:
        with site.open_as(actor) as workspace:
            proposed = sum(one.is_request for one in workspace.backfills.propose())
    finally:
        site.looking.release()
        site.now.forget()
    return RedirectResponse(f"/?proposed={proposed}", status_code=303)
