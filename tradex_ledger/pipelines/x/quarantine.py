"""Posts that are known to be bad, left out of Silver and Gold until somebody releases them. Bronze keeps them.

One mechanism with retractions: notices in the day of the post, delivered to the same source (`notices.py`). A post that
is named is held back whole, whatever is delivered of it, also later. Of a batch the very deliveries are that it
appended: where an earlier batch has another delivery of the same post, that one counts again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import orjson

from tradex_ledger.audit.look import Look
from tradex_ledger.audit.query import QueryOptions
from tradex_ledger.audit.reader import Reader
from tradex_ledger.clock import new_id
from tradex_ledger.domain.facts import facts_of
from tradex_ledger.domain.quarantine import RIGHT, Quarantine, Which
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.run_events import BatchAppended
from tradex_ledger.errors import EnvironmentFault, NotFoundError, UsageError
from tradex_ledger.lake.storage import sha256_of
from tradex_ledger.ledger.ask import Told, events_of, of_stream
from tradex_ledger.outside import JsonObject
from tradex_ledger.pipelines.x.notices import MADE, POSTS, Notices, notice
from tradex_ledger.pipelines.x.retract import UnknownPostError
from tradex_ledger.relations.held import QUARANTINES, Quarantined
from tradex_ledger.sources.x_posts.retractions import HOLD, RELEASE
from tradex_ledger.views import Asked
from tradex_ledger.workspace import Workspace


class UnknownBatchError(NotFoundError):
    """What is named appended nothing to the posts of Bronze."""

    code = "unknown-batch"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} appended nothing to {POSTS}",
            mend="name a run, or the position of one of its batches: tradex audit log --topic run.batch_appended",
        )


class NoticesGoneFault(EnvironmentFault):
    """What was held back is not to be read where it was laid down."""

    code = "notices-gone"

    def __init__(self, file: str, quarantine: str) -> None:
        super().__init__(
            f"the notices of {quarantine} ({file}) are not as they were laid down, and Bronze has not taken them yet",
            mend=f"put {file} back into the folder of the retractions, or run first: tradex run",
        )


class _Batch(NamedTuple):
    """What was appended to a day, and how many rows of it were there already."""

    dataset: str
    partition: str
    dropped: int


class _Laid(NamedTuple):
    """The notices that a quarantine laid down."""

    file: str
    sha256: str
    keys: int


class Key(NamedTuple):
    """A post, and one delivery of it by its revision; empty: all of them."""

    post_id: str
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """What was held back: so many posts. Of a batch: of how many of them an earlier one has another delivery, which
    counts again, and how many deliveries of it were none, since Bronze had their very keys."""

    quarantine: Quarantine
    posts: int
    keys: int
    shared: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Freed:
    """What was released of a quarantine, and how many of its posts are held back still."""

    quarantine: Quarantine
    posts: list[str]
    left: int


def quarantine(workspace: Workspace, ids: Iterable[str], *, reason: str) -> Held:
    """Hold posts of Bronze back by their ids, whatever is delivered of them.

    Raises: `NotAllowedError`, `NoRetractionsError`, `NoQuarantinesError`, `UnknownPostError`, `UsageError`.
    """
    wanted = sorted(set(ids))
    notices, why = _ready(workspace, reason)
    if not wanted or not all(one.isascii() and one.isdigit() for one in wanted):
        raise UsageError("name posts by their ids, which are numbers", mend="tradex bronze quarantine ID… --reason …")
    made = _made(workspace, f"post_id in ({', '.join(repr(one) for one in wanted)})", "''")
    if unknown := sorted(set(wanted) - {key.post_id for key in made}):
        raise UnknownPostError(unknown)
    return Held(_tell(workspace, notices, made, why, rows=wanted), len(wanted), len(wanted))


def quarantine_batches(workspace: Workspace, names: Sequence[str], *, reason: str) -> Held:
    """Hold back what batches appended to the posts: those of runs, or single ones by the positions of their events.

    Raises: as `quarantine`; `UnknownBatchError`, and what finding a run raises.
    """
    workspace.core.policy.check_may(RIGHT, workspace.actor)
    batches = {told.position: told for name in names for told in _batches(workspace, name)}
    notices, why = _ready(workspace, reason)
    where = " or ".join(sorted({f"({_same(told.stream, _batch(told).partition)})" for told in batches.values()}))
    made = _made(workspace, where, "revision")
    begun = f"(select min(ingested_at) from {POSTS} where {where})"
    ((shared,),) = workspace.query(
        f"select count(distinct post_id) from {POSTS} where not ({where}) and ingested_at < {begun} "
        f"and post_id in (select post_id from {POSTS} where {where})"
    ).rows
    told = _tell(workspace, notices, made, why, batches=sorted(batches), shared=shared)
    dropped = sum(_batch(told).dropped for told in batches.values())
    return Held(told, len({key.post_id for key in made}), len(made), shared, dropped)


def release(workspace: Workspace, quarantine_id: str, ids: Iterable[str] = (), *, reason: str) -> Freed:
    """Let go of posts that a quarantine holds back; without ids of all that are left.

    Raises: `NotAllowedError`, `NoSuchStreamError`, `NotHeldError`, `ReleasedError`, `NoticesGoneFault`.
    """
    notices, why = _ready(workspace, reason)
    found = workspace.ledger.get(Quarantine, quarantine_id)
    lines = _lines(workspace, notices, quarantine_id)
    held = sorted({str(line["id"]) for line in lines})
    going = found.left(held, sorted(set(ids)))
    now, chosen = workspace.core.clock(), set(going)
    freed = [
        {**line, "action": RELEASE, "redacted_at": notice("", "", now, now, "")["redacted_at"], "reason": why}
        for line in lines
        if line["id"] in chosen
    ]
    file = notices.lay(f"{quarantine_id}-{new_id('free', now)}.jsonl", freed)
    # A crash before this: the notices count, and no event says who told them; said again, they have one.
    found.release(held, going, keys=len(freed), reason=why, file=file, by=workspace.actor, policy=workspace.core.policy)
    workspace.ledger.append(found)
    return Freed(found, going, len(set(held) - found.released))


@dataclass(frozen=True, slots=True)
class Effect:
    """What came of a quarantine in Bronze, as of a position: how many of its notices a run has taken, and how many
    deliveries of its posts came after it was told; they are held back, too."""

    taken: int
    again: int


def quarantines(look: Look, as_of: Asked = None) -> list[Quarantined]:
    """All that was ever held back, oldest first."""
    return Reader(look.store, as_of).read(QUARANTINES, "true order by position")


def effect(workspace: Workspace, held: Quarantined, as_of: Asked = None) -> Effect:
    """What came of a quarantine. Raises what a query raises."""
    notices = Notices.of(workspace, holding=True)
    again, then = 0, QueryOptions(as_of=as_of)
    mine = f"quarantine = '{held.quarantine}' and not is_released"
    ((taken,),) = workspace.query(f"select count(*) from {notices.dataset} where {mine}", **then).rows
    if held.rows:
        since = f"ingested_at > timestamp '{held.quarantined_at}'"
        posts = ", ".join(repr(one) for one in held.rows)
        ((again,),) = workspace.query(
            f"select count(*) from {POSTS} where {since} and post_id in ({posts})", **then
        ).rows
    return Effect(taken, again)


def _ready(workspace: Workspace, reason: str) -> tuple[Notices, str]:
    """Where notices are laid, and the reason, once both may be. Nothing is laid down for who may not."""
    workspace.core.policy.check_may(RIGHT, workspace.actor)
    return Notices.of(workspace, holding=True), check_reason(reason)


def _batches(workspace: Workspace, name: str) -> list[Told]:
    """The batches of posts that a run, or the event at a position, is of. Raises `UnknownBatchError`."""
    store, topics = workspace.ledger.store, [BatchAppended.TOPIC]
    if name.isascii() and name.isdigit():
        position = int(name)
        found = events_of(store, topics, after=position - 1, upto=position)
    else:
        found = of_stream(store, workspace.ledger.find_run(name), topics)
    told = [one for one in found if _batch(one).dataset == POSTS]
    if not told:
        raise UnknownBatchError(name)
    return told


def _batch(told: Told) -> _Batch:
    return facts_of(_Batch, told.data)


def _same(run_id: str, day: str) -> str:
    """SQL: a row is of the batch that a run appended to a day."""
    return f"run_id = '{run_id}' and event_date = date '{day}'"


def _made(workspace: Workspace, where: str, revision: str) -> dict[Key, datetime]:
    """When the posts were made of which `where` holds (SQL of ours), by post and `revision` (an expression)."""
    sql = f"select post_id, {revision} as r, {MADE} from {POSTS} where {where} group by 1, 2 order by 1, 2"
    return {Key(str(post_id), str(r)): made for post_id, r, made in workspace.query(sql).rows}


def _tell(
    workspace: Workspace,
    notices: Notices,
    made: Mapping[Key, datetime],
    reason: str,
    *,
    rows: Sequence[str] = (),
    batches: Sequence[int] = (),
    shared: int = 0,
) -> Quarantine:
    now = workspace.core.clock()
    quarantine_id = new_id("quar", now)
    lines: list[JsonObject] = [
        {
            **notice(key.post_id, HOLD, when, now, reason),
            "quarantine": quarantine_id,
            **({"revision": key.revision} if key.revision else {}),
        }
        for key, when in made.items()
    ]
    file = notices.lay(f"{quarantine_id}.jsonl", lines)
    # A crash before this: the notices count, and no event says who told them; said again, they have one.
    told = Quarantine.tell(
        quarantine_id,
        Which(POSTS, list(rows), list(batches), len(made), shared),
        pipeline=workspace.core.pipeline_name,
        source=notices.source,
        reason=reason,
        file=file,
        by=workspace.actor,
        policy=workspace.core.policy,
    )
    workspace.ledger.append(told)
    return told


def _lines(workspace: Workspace, notices: Notices, quarantine_id: str) -> list[JsonObject]:
    """The notices of a quarantine as they were laid down; where they are no more, as Bronze has them."""
    (told,) = of_stream(workspace.ledger.store, quarantine_id, [Quarantine.Told.TOPIC])
    laid = facts_of(_Laid, told.data)
    path = notices.place.folder / laid.file
    try:
        if sha256_of(path) == laid.sha256:
            return [orjson.loads(line) for line in path.read_bytes().splitlines()]
    except OSError:
        pass  # Bronze has them, unless it has not taken them yet
    sql = f"select payload from {notices.dataset} where quarantine = '{quarantine_id}' and not is_released order by 1"
    found = [orjson.loads(payload) for (payload,) in workspace.query(sql).rows]
    if len(found) != laid.keys:
        raise NoticesGoneFault(laid.file, quarantine_id)
    return found
