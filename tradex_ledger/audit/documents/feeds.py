"""Who is told of the ledger's events, and how far they have come."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tradex_ledger import resources
from tradex_ledger.attempts import Failed, failed
from tradex_ledger.domain.feeds import MOST_LACKING
from tradex_ledger.ledger.ask import events_of, tracked

if TYPE_CHECKING:
    from tradex_ledger.config import Config
    from tradex_ledger.domain.feeds import FeedSetting
    from tradex_ledger.ledger.select import Store


class FeedDocument(NamedTuple):
    """A receiver: how far it has come (None: it was told nothing yet), how many positions the ledger is further, how
    many of those events it is to be told of, `since` when the first of them waits, how the last attempt `failed`, and
    what is the matter with its position.

    Of where it is only the host is said: the rest of a URL may be a secret.
    """

    name: str
    kind: str
    to: str
    topics: list[str]
    position: int | None
    behind: int
    waiting: int = 0
    since: str | None = None
    failed: Failed | None = None
    problem: str | None = None


class SentDocument(NamedTuple):
    """A receiver that was told what there was: of how many events, and how far it has come."""

    name: str
    events: int
    position: int


def feeds(store: Store, config: Config) -> list[FeedDocument]:
    """All that the settings name."""
    return [_document(store, config, one) for one in config.feeds]


def _document(store: Store, config: Config, one: FeedSetting) -> FeedDocument:
    reached, head = tracked(store, one.follower), store.position()
    begin = one.after or (head if one.kind == "webhook" and one.after is None else 0)
    after = begin if reached is None else reached
    waits = events_of(store, _topics(one), after=after, upto=head, limit=MOST_LACKING) if after < head else []
    return FeedDocument(
        name=one.name,
        kind=one.kind,
        to=one.place,
        topics=list(one.topics),
        position=reached,
        behind=max(head - after, 0),
        waiting=len(waits),
        since=waits[0].at if waits else None,
        failed=failed(config.folder, one.follower, store.ledger),
        problem=one.ahead(after, head) if after > head else None,
    )


def _topics(one: FeedSetting) -> tuple[str, ...]:
    """What a subscription waits for. A feed of lineage passes few events; one that names what there is not, all."""
    try:
        return one.takes(resources.event_topics())
    except ValueError:  # said by who sends
        return ()
