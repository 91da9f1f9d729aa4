"""Who follows the ledger, a mirror or a receiver, and is behind it or fails: each a sentence, and what helps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from tradex_ledger.audit.report_words import long
from tradex_ledger.domain.feeds import MOST_LACKING

if TYPE_CHECKING:
    from tradex_ledger.attempts import Failed
    from tradex_ledger.audit.documents.feeds import FeedDocument
    from tradex_ledger.audit.documents.mirrors import MirrorDocument

PATIENCE = timedelta(minutes=15)
"""A mirror is kept up by each save, a worker tells within seconds: who lacks something for longer is behind."""


class Behind(NamedTuple):
    """A follower that needs somebody: of what kind the trouble is, the sentence, and the command that helps."""

    kind: str
    message: str
    command: str


def behind(mirrors: Sequence[MirrorDocument], feeds: Sequence[FeedDocument], now: datetime) -> Iterator[Behind]:
    """Those that need somebody: whose place is not as it should be, who lack something and whose last attempt failed,
    or who have lacked it for longer than `PATIENCE`."""
    for mirror in mirrors:
        if mirror.problem:
            yield Behind("mirror", mirror.problem, mirror.command)
        elif mirror.behind and _is_late(mirror.since, mirror.failed, now):
            what = f"{_many(mirror.behind)} after which readers see something else"
            said = _said(f"the mirror {mirror.name}", mirror.position, what, mirror.since, mirror.failed, now)
            yield Behind("mirror behind", said, mirror.command)
    for feed in feeds:
        command = f"tradex feed send {feed.name}"
        if feed.problem:
            yield Behind("feed", feed.problem, command)
        elif feed.waiting and _is_late(feed.since, feed.failed, now):
            said = _said(feed.name, feed.position, f"{_many(feed.waiting)}", feed.since, feed.failed, now)
            yield Behind("feed behind", said, command)


def lag(since: str | None, now: datetime) -> timedelta:
    """How long something has waited; none, where nothing does, or by a clock that is behind."""
    if since is None:
        return timedelta()
    return max(now - datetime.fromisoformat(since).astimezone(UTC), timedelta())


def _is_late(since: str | None, failed: Failed | None, now: datetime) -> bool:
    return failed is not None or lag(since, now) > PATIENCE


def _many(events: int) -> str:
    return f"{events}{' or more' if events == MOST_LACKING else ''} event{'' if events == 1 else 's'}"


def _said(name: str, position: int | None, lacks: str, since: str | None, failed: Failed | None, now: datetime) -> str:
    for_long = f", for {long(lag(since, now))}" if since else ""
    said = f"{name} is as of position {position or 0} and lacks {lacks}{for_long}"
    if failed is None:
        return said
    times = f"the last {failed.tries} attempts" if failed.tries > 1 else "the last attempt"
    when = f", at {failed.at[:19].replace('T', ' ')} UTC" if failed.at else ""
    return f"{said}; {times} failed{when}: {failed.error}"
