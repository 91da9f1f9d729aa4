"""Approving with a signature: the text to sign is shown and downloaded, its signature is handed in.

Keys stay where they are: what signs is ssh-keygen, on the machine of who decides.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tradex_ledger.audit.documents.run import RunDocument
from tradex_ledger.domain.signing import APPROVE, NAMESPACE
from tradex_ledger.errors import UsageError
from tradex_ledger.web.errors import somebody
from tradex_ledger.web.frame import Frame, page
from tradex_ledger.web.pages.decide import deciding, seen_of
from tradex_ledger.web.statuses import title


class SentPrivateKeyError(UsageError):
    """Somebody handed in a private key in place of a signature."""

    code = "sent-private-key"

    def __init__(self) -> None:
        super().__init__(
            "that is a private key, and no signature: nothing of it was kept or used",
            mend="sign with it where it is: ssh-keygen -Y sign; whether it may still be trusted is for you to say",
        )


def check_signature(text: str) -> str:
    """A signature that is handed in. Raises `SentPrivateKeyError`."""
    if "PRIVATE KEY" in text:
        raise SentPrivateKeyError
    return text.strip() + "\n"


def text_of(frame: Frame, run_id: str, seen: int) -> str:
    """The text that somebody signs to approve a run as it was seen: the same until the next day, however often it is
    asked for, so that what was downloaded is what is handed in."""
    site, actor = frame.site, somebody(frame.actor)

    def made() -> str:
        with site.open_as(actor) as workspace:
            return workspace.backfills.text(run_id, APPROVE, seen=seen).text

    return site.answers.get(("text", actor, run_id, seen, f"{site.clock():%Y-%m-%d}"), made)


def sign(request: Request) -> Response:
    """The page: the consequence, the text, how it is signed, and where the signature goes."""
    frame = Frame.of(request)
    run_id = frame.site.workspace.runs.find(str(request.path_params.get("run_id")))
    seen = seen_of(request.query_params)
    found: RunDocument = frame.site.workspace.audit.run(run_id)
    return page(
        frame,
        "sign.html",
        run=found.run,
        title=title(found.run),
        deciding=deciding(frame, found),
        seen=seen,
        text=text_of(frame, run_id, seen),
        file=f"{run_id}.txt",
        namespace=NAMESPACE,
    )


def text(request: Request) -> Response:
    """The same text as a file, byte for byte."""
    frame = Frame.of(request)
    run_id = frame.site.workspace.runs.find(str(request.path_params.get("run_id")))
    said = text_of(frame, run_id, seen_of(request.query_params))
    return Response(
        said.encode(),
        media_type="text/plain; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{run_id}.txt"'},
    )
