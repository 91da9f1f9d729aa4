"""Who is told of the ledger's events, and how far they have come."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tradex_ledger.ledger.ask import tracked

if TYPE_CHECKING:
    from tradex_ledger.config import Config
    from tradex_ledger.ledger.select import Store


class FeedDocument(NamedTuple):
    """A receiver: how far it has come (None: it was told nothing yet), and how many positions the ledger is further.

    Of where it is only the host is said: the rest of a URL may be a secret.
    """

    name: str
    kind: str
    to: str
    topics: list[str]
    position: int | None
    behind: int


class SentDocument(NamedTuple):
    """A receiver that was told what there was: of how many events, and how far it has come."""

    name: str
    events: int
    position: int


def feeds(store: Store, config: Config) -> list[FeedDocument]:
    """All that the settings name."""
    found = []
    for one in config.feeds:
        reached, head = tracked(store, one.follower), store.position()
        begin = one.after or (head if one.kind == "webhook" and one.after is None else 0)
        behind = max(head - (begin if reached is None else reached), 0)
        found.append(FeedDocument(one.name, one.kind, one.place, list(one.topics), reached, behind))
    return found
