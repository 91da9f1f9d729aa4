"""Sending what a receiver has not heard yet: in order, one process at a time, from a position that is kept durably.

The position is put down after each event whose messages were all taken. A crash between the two tells that one event
again, by the very same bytes; where another process has come further meanwhile, this one stops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

from tradex_ledger import slow
from tradex_ledger.driving.lease import DrivenElsewhereError, held_in
from tradex_ledger.feeds.errors import FeedAheadError, FeedDownError, FeedGoneError, SentElsewhereError
from tradex_ledger.feeds.port import Feed, Message, Sink
from tradex_ledger.ledger.application import Ledger, WriterConflictError
from tradex_ledger.ledger.ask import events_of, tracked
from tradex_ledger.ledger.rows import check_row

PAGE = 200
PAUSES_S = (0.5, 1.0, 2.0)
"""Between the attempts at a message, before the receiver counts as down."""
LONGEST_PAUSE_S = 10.0
"""Who wants it later than that is down for now."""
Pause = Callable[[float], bool]
"""Waits so many seconds; False when sending is to end."""


class Sent(NamedTuple):
    """A receiver that was told all there is: how many events, and how far it has come; `again`: attempts before it had
    failed."""

    name: str
    events: int
    position: int
    again: bool = False


def send(ledger: Ledger, feed: Feed, token: str, pause: Pause, pauses: Sequence[float] = PAUSES_S) -> Sent:
    """Tell a receiver what it has not heard.

    Raises: `SentElsewhereError`, `FeedAheadError`, `FeedDownError`, `FeedGoneError`, what opening the sink raises,
    `BrokenRowError`.
    """
    known, head = tracked(ledger.store, feed.setting.follower), ledger.position()
    if (begin := (feed.setting.after or 0) if known is None else known) > head:
        raise FeedAheadError(feed.setting, begin, head)
    if known == head:
        return Sent(feed.setting.name, 0, known)  # who only looks writes nothing, and takes no lease
    with _alone(ledger, feed, token):
        reached, events = _begun(ledger, feed), 0
        with closing(feed.open_sink()) as sink:
            _make_whole(ledger, feed, sink, pause, pauses, reached)
            for position, told in _waiting(ledger, feed, sink, pause, pauses, reached):
                events += told
                reached = position
        return Sent(feed.setting.name, events, reached)


@contextmanager
def _alone(ledger: Ledger, feed: Feed, token: str) -> Iterator[None]:
    follower = feed.setting.follower
    try:
        with held_in(ledger, token, follower):
            yield
    except DrivenElsewhereError:
        raise SentElsewhereError(feed.setting.name, "another process sends to it") from None
    except WriterConflictError:
        raise SentElsewhereError(feed.setting.name, "another process has sent to it meanwhile") from None


def _begun(ledger: Ledger, feed: Feed) -> int:
    """Where it stands; where it begins is put down, so that what happens before its first delivery is not lost."""
    reached = tracked(ledger.store, feed.setting.follower)
    if reached is not None:
        return reached
    after = feed.setting.after
    start = after if after is not None else ledger.position() if feed.from_now else 0
    ledger.track(feed.setting.follower, start)
    return start


def _make_whole(ledger: Ledger, feed: Feed, sink: Sink, pause: Pause, pauses: Sequence[float], reached: int) -> None:
    """Tell again what a receiver that says how far it goes has lost of what it took: an older copy of a file, its end
    cut off. What it has, it leaves out."""
    has = sink.holds()
    if has is None or has.position > reached:
        return
    after = has.position - 1  # of that event, parts may be missing
    while found := events_of(ledger.store, feed.topics, after=after, upto=reached, limit=PAGE):
        for row in found:
            check_row(ledger.id, row)
            for message in feed.tell(ledger.store, row):
                _hand_over(feed, sink, message, pause, pauses)
        after = found[-1].position
    if sink.holds() != has:
        name, place = feed.setting.name, feed.setting.place
        slow.tell(f"{name}: {place} had lost what is behind position {has.position}; it is there again")


def _waiting(
    ledger: Ledger, feed: Feed, sink: Sink, pause: Pause, pauses: Sequence[float], reached: int
) -> Iterator[tuple[int, int]]:
    """Each position that was reached, and how many events were told to come to it."""
    store, follower = ledger.store, feed.setting.follower
    while True:
        head = store.position()
        found = events_of(store, feed.topics, after=reached, upto=head, limit=PAGE)
        for row in found:
            check_row(ledger.id, row)
            parts = 0
            for message in feed.tell(store, row):
                _check_still_ours(ledger, feed, reached)
                _hand_over(feed, sink, message, pause, pauses)
                parts = 1
            if parts:
                ledger.track(follower, row.position)
                reached = row.position
                yield reached, 1
        last = found[-1].position if len(found) == PAGE else max(head, reached)
        if last > reached:  # of what it is not told, it is told that there was nothing
            ledger.track(follower, last)
            reached = last
            yield reached, 0
        if len(found) < PAGE:
            return


def _check_still_ours(ledger: Ledger, feed: Feed, reached: int) -> None:
    """Who slept so long that another process took over must not send what is old. Raises `WriterConflictError`."""
    if tracked(ledger.store, feed.setting.follower) != reached:
        raise WriterConflictError([feed.setting.follower])


def _hand_over(feed: Feed, sink: Sink, message: Message, pause: Pause, pauses: Sequence[float]) -> None:
    """Until it is taken. Raises: `FeedDownError`, `FeedGoneError`."""
    left = iter(pauses)
    while True:
        answer = sink.deliver(message)
        if answer.wrong is None:
            return
        if answer.gone:
            raise FeedGoneError(feed.setting, message.position - 1)
        seconds = next(left, None)
        wanted = max(seconds or 0.0, answer.again_s or 0.0)
        if seconds is None or wanted > LONGEST_PAUSE_S or not pause(wanted):
            raise FeedDownError(feed.setting, message.position, answer.wrong, answer.again_s)
