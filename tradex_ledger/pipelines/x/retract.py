"""Posts that are to be shown no more: by a person's word, or by a compliance job of the platform.

The notices are laid down where retractions are delivered to, and the event names them: the next run that takes them
leaves the posts out. A crash between the two leaves notices that count all the same, and whoever says it again adds the
event. Whether a pipeline has a place for retractions is its own business (`examples/retractions`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import orjson

from tradex_ledger.clock import new_id
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.request import check_order
from tradex_ledger.domain.retraction import Retraction
from tradex_ledger.driving.execution import Progress, silent
from tradex_ledger.errors import NotFoundError, RefusedError, UsageError
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.sources.called import lay_down
from tradex_ledger.sources.files import FilesPlace
from tradex_ledger.sources.source import Row
from tradex_ledger.sources.x_api.answers import StrangeAnswerError
from tradex_ledger.sources.x_api.place import XApiPlace
from tradex_ledger.sources.x_posts.retractions import notice_of
from tradex_ledger.workspace import Workspace

READER = "x_retractions"
_WHENEVER = 1 << 62
"""The platform's clock and ours need not agree on when it told: it is stamped with ours."""


class NoRetractionsError(RefusedError):
    """The pipeline leaves out nothing: nobody reads retractions."""

    code = "no-retractions"

    def __init__(self) -> None:
        super().__init__(
            "no dataset of this pipeline has retractions, so nothing would be left out",
            mend="give it one, as examples/retractions does, and a folder for its source",
        )


class UnknownPostError(NotFoundError):
    """Bronze has no such post."""

    code = "unknown-post"

    def __init__(self, ids: Sequence[str]) -> None:
        more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
        super().__init__(
            f"Bronze has no post {', '.join(ids[:3])}{more}",
            mend='name posts by the id of their first version: tradex query "select post_id from bronze_x_posts …"',
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """How many posts the platform was asked about, and what was recorded of those that are gone."""

    posts: int
    retraction: Retraction | None


def retract(workspace: Workspace, ids: Iterable[str], *, reason: str) -> Retraction:
    """Say that some posts of Bronze are to be shown no more.

    Raises: `NotAllowedError`, `NoRetractionsError`, `UnknownPostError`, `UsageError` for what is no id.
    """
    wanted = sorted(set(ids))
    _check_may(workspace)
    if not wanted or not all(one.isascii() and one.isdigit() for one in wanted):
        raise UsageError("name posts by their ids, which are numbers", mend="tradex retract ID… --reason …")
    made = _made(workspace, f"post_id in ({', '.join(repr(one) for one in wanted)})")
    if unknown := [one for one in wanted if one not in made]:
        raise UnknownPostError(unknown)
    why = check_reason(reason)
    return _tell(workspace, dict.fromkeys(wanted, why), made, reason=why, job=None)


def check(workspace: Workspace, first: date, last: date, progress: Progress = silent) -> Checked:
    """Ask the platform which posts of some days (both included) are gone, and retract those. It costs nothing.

    Of days without posts it is not asked.

    Raises: `NotAllowedError`, `NoRetractionsError`, `RangeError`, and what a conversation with the platform raises.
    """
    _check_may(workspace)
    _place(workspace)
    check_order(day_of(first), day_of(last))
    days = f"event_date between date '{first}' and date '{last}'"
    made = _made(workspace, f"{days} and post_id not in (select post_id from bronze_x_retractions)")
    if not made:
        return Checked(0, None)
    with XApiPlace("compliance", workspace.config.folder).asking() as asking:
        found = asking.retracted(sorted(made), progress)
    why: dict[str, str] = {}
    for line in found.notices.splitlines():
        notice = notice_of(line, _WHENEVER)
        post_id, reason = (str(notice.values[1]), str(notice.values[3])) if isinstance(notice, Row) else ("", "")
        if post_id not in made:
            raise StrangeAnswerError("a notice that names none of the posts that it was asked about")
        why[post_id] = reason
    told = f"the platform says so: {', '.join(sorted(set(why.values())))}"
    return Checked(len(made), _tell(workspace, why, made, reason=told, job=found.job) if why else None)


def _check_may(workspace: Workspace) -> None:
    workspace.core.policy.check_may("retract", workspace.actor)


def _place(workspace: Workspace) -> tuple[str, FilesPlace]:
    """The source of retractions, and the folder that they are delivered to. Raises `NoRetractionsError`."""
    scope = workspace.core.scope()
    for intake in scope.intakes:
        place = scope.sources[intake.source].place
        if (intake.rows.reader or intake.source) == READER and isinstance(place, FilesPlace):
            return intake.source, place
    raise NoRetractionsError


def _made(workspace: Workspace, where: str) -> dict[str, datetime]:
    """When the posts were made of which `where` holds (SQL of ours)."""
    sql = f"select post_id, min(created_at) from bronze_x_posts where {where} group by 1 order by 1"
    return {str(row[0]): row[1] for row in workspace.query(sql).rows}


def _tell(
    workspace: Workspace, why: Mapping[str, str], made: Mapping[str, datetime], *, reason: str, job: str | None
) -> Retraction:
    now = workspace.core.clock()
    source, place = _place(workspace)
    retraction_id = new_id("retr", now)
    lines = [
        {
            "id": post_id,
            "action": "delete",
            "created_at": f"{made[post_id].isoformat(timespec='milliseconds')}Z",
            "redacted_at": format_time(now),
            "reason": said,
        }
        for post_id, said in sorted(why.items())
    ]
    body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    name = f"{retraction_id}.jsonl"
    try:
        lay_down(place.folder / name, body)
    except OSError as error:
        raise translate(error, f"laying down {name}") from error
    # A crash before this: the notices count, and no event says who told them; said again, they have one.
    told = Retraction.tell(
        retraction_id,
        pipeline=workspace.core.pipeline_name,
        source=source,
        rows=sorted(why),
        reason=reason,
        job=job,
        file=(name, hashlib.sha256(body).hexdigest()),
        by=workspace.actor,
    )
    workspace.ledger.append(told)
    return told
