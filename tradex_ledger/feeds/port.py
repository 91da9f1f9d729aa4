"""What a feed is made of: what it says of an event, and where that goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tradex_ledger.domain.feeds import FeedSetting
from tradex_ledger.ledger.ask import Told
from tradex_ledger.ledger.select import Store


class Message(NamedTuple):
    """What is told of the event at a position, as bytes; one event may make several, numbered by `part` from 1.

    The same event makes the same bytes whenever it is asked: who heard them already knows it by the `id`.
    """

    position: int
    part: int
    id: str
    body: bytes


class Holds(NamedTuple):
    """How far a receiver goes by what it holds: the position, and the part of that event, of its last message."""

    position: int
    part: int


class Answer(NamedTuple):
    """What became of a message: nothing is `wrong`, or what is; in how many seconds the receiver wants it again, if it
    said so; `gone`: it wants nothing any more.
    """

    wrong: str | None = None
    again_s: float | None = None
    gone: bool = False


TAKEN = Answer()


class Sink(Protocol):
    """Where messages go, one after the other."""

    def deliver(self, message: Message) -> Answer:
        """Hand a message over; when it was taken, that is durable there."""
        ...

    def holds(self) -> Holds | None:
        """How far what is there goes; None: there is nothing, or it does not say."""
        ...

    def close(self) -> None:
        """Let the receiver go."""
        ...


@dataclass(frozen=True, slots=True)
class Feed:
    """A receiver: the topics it is told of (none: all), what it is told of an event, and how it is reached."""

    setting: FeedSetting
    topics: tuple[str, ...]
    tell: Callable[[Store, Told], Iterator[Message]]
    open_sink: Callable[[], Sink]
    from_now: bool
