"""A request that was split: its parts that wait, with what each would do, and one approval for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from tradex_ledger.audit.documents.run import RunDocument
from tradex_ledger.web.errors import somebody
from tradex_ledger.web.frame import Frame, page
from tradex_ledger.web.pages.listed import Line, lines_of
from tradex_ledger.workspace import Workspace


class Parts(NamedTuple):
    """The parts, what is to be said of the consequence, and a digest of all that is approved with one tick."""

    lines: list[Line]
    warnings: list[str]
    digest: str


def parts_of(workspace: Workspace, run_id: str) -> Parts:
    """The parts of the request of a run that wait for an approval."""
    found = [workspace.audit.run(one) for one in workspace.backfills.parts(run_id)]
    return Parts(lines_of(one.run for one in found), _warnings(found), _digest(found))


def _warnings(found: Sequence[RunDocument]) -> list[str]:
    return list(dict.fromkeys(said for one in found if one.judgement for said in one.judgement.warnings))


def _digest(found: Sequence[RunDocument]) -> str:
    said = [f"{one.id} {one.plan.digest if one.plan else ''}" for one in found]
    return hashlib.sha256("\n".join([*said, *_warnings(found)]).encode()).hexdigest()[:32]


def parts(request: Request) -> Response:
    """The page."""
    frame = Frame.of(request)
    site, actor = frame.site, somebody(frame.actor)
    run_id = site.workspace.runs.find(str(request.path_params.get("run_id")))
    found = site.ask(frame.at, ("parts", run_id), lambda: parts_of(site.workspace, run_id))
    return page(
        frame,
        "split.html",
        run_id=run_id,
        found=found,
        may={line.run.run_id: site.workspace.backfills.may(actor, line.run.run_id)["approve"] for line in found.lines},
        token=frame.token(run_id),
    )


def waiting(frame: Frame, found: RunDocument) -> int:
    """How many parts of its request wait, a run among them; 0 of one that was not split."""
    if not found.run.request_group or found.status != "PLANNED":
        return 0
    backfills = frame.site.workspace.backfills
    return len(frame.site.ask(frame.at, ("waiting parts", found.id), lambda: backfills.parts(found.id)))


def is_same(workspace: Workspace, run_id: str, form: Mapping[str, str]) -> Parts | None:
    """The parts, if they are what the form was shown with, and would do what it said."""
    found = parts_of(workspace, run_id)
    return found if form.get("parts") == found.digest else None
