"""Posts that are to be shown no more: by a person's word, or by a compliance job of the platform.

The notices are laid down where retractions are delivered to, and the event names them: the next run that takes them
leaves the posts out. A crash between the two leaves notices that count all the same, and whoever says it again adds the
event. Whether a pipeline has a place for retractions is its own business (`examples/retractions`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from tradex_ledger.clock import new_id
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.request import check_order
from tradex_ledger.domain.retraction import Retraction
from tradex_ledger.driving.execution import Progress, silent
from tradex_ledger.errors import NotFoundError, UsageError
from tradex_ledger.pipelines.x.notices import MADE, POSTS, Notices, notice
from tradex_ledger.sources.source import Row
from tradex_ledger.sources.x_api.answers import StrangeAnswerError
from tradex_ledger.sources.x_api.place import XApiPlace
from tradex_ledger.sources.x_posts.retractions import notice_of
from tradex_ledger.workspace import Workspace

_WHENEVER = 1 << 62
"""The platform's clock and ours need not agree on when it told: it is stamped with ours."""


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
    Notices.of(workspace)  # where nobody takes them there may be no posts either
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
    notices = Notices.of(workspace)
    check_order(day_of(first), day_of(last))
    days = f"event_date between date '{first}' and date '{last}'"
    made = _made(workspace, f"{days} and post_id not in ({notices.retracted})")
    if not made:
        return Checked(0, None)
    with XApiPlace("compliance", workspace.config.folder).asking() as asking:
        found = asking.retracted(sorted(made), progress)
    why: dict[str, str] = {}
    for line in found.notices.splitlines():
        told = notice_of(line, _WHENEVER)
        post_id, reason = (str(told.values[1]), str(told.values[3])) if isinstance(told, Row) else ("", "")
        if post_id not in made:
            raise StrangeAnswerError("a notice that names none of the posts that it was asked about")
        why[post_id] = reason
    because = f"the platform says so: {', '.join(sorted(set(why.values())))}"
    return Checked(len(made), _tell(workspace, why, made, reason=because, job=found.job) if why else None)


def _check_may(workspace: Workspace) -> None:
    workspace.core.policy.check_may("retract", workspace.actor)


def _made(workspace: Workspace, where: str) -> dict[str, datetime]:
    """When the posts were made of which `where` holds (SQL of ours)."""
    sql = f"select post_id, {MADE} from {POSTS} where {where} group by 1 order by 1"
    return {str(row[0]): row[1] for row in workspace.query(sql).rows}


def _tell(
    workspace: Workspace, why: Mapping[str, str], made: Mapping[str, datetime], *, reason: str, job: str | None
) -> Retraction:
    now = workspace.core.clock()
    notices, retraction_id = Notices.of(workspace), new_id("retr", now)
    lines = [notice(post_id, "delete", made[post_id], now, said) for post_id, said in sorted(why.items())]
    file = notices.lay(f"{retraction_id}.jsonl", lines)
    # A crash before this: the notices count, and no event says who told them; said again, they have one.
    told = Retraction.tell(
        retraction_id,
        pipeline=workspace.core.pipeline_name,
        source=notices.source,
        rows=sorted(why),
        reason=reason,
        job=job,
        file=file,
        by=workspace.actor,
    )
    workspace.ledger.append(told)
    return told
