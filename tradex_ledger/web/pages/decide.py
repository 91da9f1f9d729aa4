"""Deciding on a run: who may and who may not and why, the consequence first, and the deed itself.

The domain decides. What stands here sees to it that a person has seen what is decided on: the form carries the plan's
digest, the position that was shown, and what was said of the consequence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tradex_ledger.audit.documents.run import RunDocument
from tradex_ledger.audit.draw.words import day, many
from tradex_ledger.audit.reader import Reader
from tradex_ledger.domain.approval import in_words
from tradex_ledger.errors import ConflictError, NotFoundError, UsageError
from tradex_ledger.ledger.ask import events_of
from tradex_ledger.relations.runs import RUNS, Run
from tradex_ledger.web.errors import ForgedFormError, somebody
from tradex_ledger.web.frame import Frame
from tradex_ledger.web.site import Site
from tradex_ledger.web.statuses import status_of
from tradex_ledger.web.tokens import is_token
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace.approvals import Handed
from tradex_ledger.workspace.deciding import May

_MOVES = ("dataset.published", "dataset.reverted", "dataset.logic_versioned", "dataset.partitions_protected")
_BESIDE = "status in (select status from lifecycle where is_active) and run_id <> ? order by position desc"


class OtherConsequenceError(ConflictError):
    """What would happen is other than what was ticked."""

    code = "other-consequence"

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"what would happen once {run_id} is published is other by now than what the page said",
            mend="open the page again, and decide on what it says now",
        )


class NotTickedError(UsageError):
    """A consequence was not accepted."""

    code = "not-ticked"

    def __init__(self, warnings: Sequence[str]) -> None:
        super().__init__(
            f"nothing was approved, since nobody ticked that this may be: {'; '.join(warnings)}",
            mend="go back, read what stands in red, and tick it if it may be so",
        )


class NoDeedError(NotFoundError):
    """There is no such deed."""

    code = "no-deed"

    def __init__(self, deed: str) -> None:
        super().__init__(f"there is no deed {deed[:40]!r}", mend=f"one of: {', '.join(DEEDS)}")


@dataclass(frozen=True, slots=True)
class Check:
    """A fact beside the decision, with a run that it names; `is_fine`, or something to think of."""

    said: str
    is_fine: bool
    run_id: str | None = None
    after: str = ""


@dataclass(frozen=True, slots=True)
class Deciding:
    """What a person is shown who may decide, or may not: by deed, the warnings with their digest, and the facts."""

    may: Mapping[str, May]
    warnings: list[str]
    warned: str
    checks: list[Check]
    needed: str | None
    digest: str
    token: str
    expires: datetime | None


def warned_of(warnings: Sequence[str]) -> str:
    """A digest of what was said of the consequence."""
    return hashlib.sha256("\n".join(warnings).encode()).hexdigest()[:16]


def deciding(frame: Frame, found: RunDocument) -> Deciding:
    """What can be decided on a run now, by who looks at the page."""
    site, judged = frame.site, found.judgement
    warnings = judged.warnings if judged else []
    return Deciding(
        may=_may(frame, found.id),
        warnings=warnings,
        warned=warned_of(warnings),
        checks=_checks_of(site, frame, found) if found.status == "PLANNED" else [],
        needed=in_words(judged.approval) if judged and judged.approval else None,
        digest=found.plan.digest if found.plan else "",
        token=frame.token(found.id),
        expires=_expires(site, found) if found.status == "PLANNED" else None,
    )


def _may(frame: Frame, run_id: str) -> Mapping[str, May]:
    """By position, and by minute: a request expires by the clock alone."""
    site, actor = frame.site, frame.actor or ""
    asked = ("may", actor, run_id, f"{site.clock():%Y-%m-%dT%H:%M}")
    return site.read(frame.at, asked, lambda reader: site.workspace.backfills.may(actor, run_id, over=reader))


def _expires(site: Site, found: RunDocument) -> datetime | None:
    kept = site.workspace.core.policy_to_look.expire_days
    return found.run.requested_at + timedelta(days=kept) if kept else None


def _checks_of(site: Site, frame: Frame, found: RunDocument) -> list[Check]:
    return site.read(frame.at, ("checks", found.id), lambda reader: _checks(reader, site, found))


def _checks(reader: Reader, site: Site, found: RunDocument) -> list[Check]:
    shares = [share for share in found.shares([]) if share.partitions]
    adds = "; Bronze is only added to" if found.asked and "bronze" in found.asked.layers else ""
    rebuilds = f"Rebuilds {many(found.run.planned_partitions, 'partition')} of {many(len(shares), 'dataset')}{adds}"
    checks = [Check(rebuilds, is_fine=True)]
    if found.state:
        before = day(found.state.cursor_before) if found.state.cursor_before else "the beginning"
        checks.append(
            Check(f"Moves the pipeline state from {before} to {day(found.state.cursor_after)}", is_fine=False)
        )
    else:
        checks.append(Check("The pipeline state stays where it is", is_fine=True))
    checks.append(_moved(site, found))
    datasets = {*found.run.datasets, found.run.subject}
    for other in reader.read(RUNS, _BESIDE, found.id):
        if datasets & _datasets(other):
            checks.append(Check("Shares datasets with", False, other.run_id, f", {status_of(other).words}"))
    if not found.run.review:
        checks.append(Check("Published as soon as it is built, unless you hold it: nobody compares first", False))
    return checks


def _datasets(run: Run) -> set[str]:
    return {*run.datasets, run.subject}


def _moved(site: Site, found: RunDocument) -> Check:
    """Whether anything that it reads or writes was changed since it was planned."""
    base = found.plan.base if found.plan else 0
    streams = {f"dataset-{name}" for name in (*found.run.datasets, found.run.subject)}
    moved = [one for one in events_of(site.store, _MOVES, after=base) if one.stream in streams]
    if not moved:
        return Check("Nothing it reads or writes has changed since it was planned", is_fine=True)
    names = ", ".join(sorted({one.stream.removeprefix("dataset-") for one in moved}))
    return Check(f"Changed since it was planned: {names}; it is built on what there is then", is_fine=False)


# -- the deed


def decide(request: Request, form: Mapping[str, str]) -> Response:
    """Do a deed, and show the run as it is then."""
    site: Site = request.app.state.site
    actor = somebody(request.state.actor)
    deed, run_id = str(request.path_params.get("deed")), str(request.path_params.get("run_id"))
    if deed not in DEEDS:
        raise NoDeedError(deed)
    if not is_token(site.secret, form.get("token", ""), actor, run_id, site.clock()):
        raise ForgedFormError("the form is not of this person, this run and this hour")
    with site.open_as(actor) as workspace:
        DEEDS[deed](workspace, run_id, form)
    site.now.forget()
    return RedirectResponse(f"/runs/{run_id}?done={deed}", status_code=303)


def _approve(workspace: Workspace, run_id: str, form: Mapping[str, str]) -> None:
    judged = workspace.audit.run(run_id).judgement
    warnings = judged.warnings if judged else []
    if form.get("warned", "") != warned_of(warnings):
        raise OtherConsequenceError(run_id)
    if warnings and form.get("accepted") != "yes":
        raise NotTickedError(warnings)
    workspace.backfills.approve(
        run_id,
        plan_digest=form.get("digest", ""),
        comment=form.get("comment") or None,
        hold=form.get("hold") == "yes",
        seen=seen_of(form),
        signed=_handed(form),
    )


def _approve_all(workspace: Workspace, run_id: str, form: Mapping[str, str]) -> None:
    from tradex_ledger.web.pages.parts import is_same

    if (found := is_same(workspace, run_id, form)) is None:
        raise OtherConsequenceError(run_id)
    if found.warnings and form.get("accepted") != "yes":
        raise NotTickedError(found.warnings)
    workspace.backfills.approve_all(
        [line.run.run_id for line in found.lines],
        comment=form.get("comment") or None,
        hold=form.get("hold") == "yes",
        seen=seen_of(form),
    )


def _handed(form: Mapping[str, str]) -> Handed | None:
    """What was signed, and the signature, where the form has one."""
    if not form.get("signature"):
        return None
    from tradex_ledger.web.pages.sign import check_signature

    return Handed(form.get("text", ""), check_signature(form["signature"]))


def seen_of(form: Mapping[str, str]) -> int:
    """The position that was shown. Raises `UsageError`."""
    said = form.get("seen", "")
    if not (said.isascii() and said.isdecimal() and len(said) < 19):
        raise UsageError(f"{said[:40]!r} is no position", mend="open the page again, and decide there")
    return int(said)


def _reason(form: Mapping[str, str]) -> str:
    return form.get("reason", "").strip()


DEEDS: Mapping[str, Callable[[Workspace, str, Mapping[str, str]], object]] = {
    "approve": _approve,
    "approve-all": _approve_all,
    "reject": lambda ws, run_id, form: ws.backfills.reject(run_id, reason=_reason(form), seen=seen_of(form)),
    "release": lambda ws, run_id, form: ws.runs.release(run_id, reason=_reason(form)),
    "cancel": lambda ws, run_id, form: ws.runs.cancel(run_id, reason=_reason(form)),
    "pause": lambda ws, run_id, form: ws.backfills.pause(run_id, reason=_reason(form)),
    "resume": lambda ws, run_id, _: ws.backfills.resume(run_id),
    "revert": lambda ws, run_id, form: ws.backfills.revert(run_id, reason=_reason(form)),
}
"""What can be done to a run, by its address."""
