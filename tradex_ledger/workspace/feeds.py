"""Feeds and subscriptions: who is told of the ledger's events. Nothing is put on record by it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tradex_ledger.attempts import noted
from tradex_ledger.audit.documents.feeds import FeedDocument, SentDocument
from tradex_ledger.audit.documents.feeds import feeds as documents
from tradex_ledger.clock import new_token
from tradex_ledger.errors import ConflictError, EnvironmentFault, TradexError

if TYPE_CHECKING:
    from tradex_ledger.feeds.follow import Followers
    from tradex_ledger.feeds.send import Pause, Sent
    from tradex_ledger.workspace.core import Core


class Feeds:
    """What the settings name under [feeds] and [subscriptions]: `workspace.feeds.send()`."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def all(self) -> list[FeedDocument]:
        """How far each has come."""
        return documents(self.core.ledger.store, self.core.settings)

    def send(self, name: str | None = None, right: str = "deliver") -> tuple[list[SentDocument], list[TradexError]]:
        """Tell each (or the one by a name) what it has not heard; what went wrong with one keeps nothing from others.

        Raises: `NotAllowedError`, `NoSuchFeedError`.
        """
        from tradex_ledger.feeds.open import named

        self.core.policy.check_may(right, self.core.actor)
        sent, wrong = [], list[TradexError]()
        for one in named(self.core.settings, name):
            try:
                found = self._send(one.name, _slept)
            except (EnvironmentFault, ConflictError) as error:
                wrong.append(error)
                continue
            sent.append(SentDocument(found.name, found.events, found.position))
        return sent, wrong

    def follow(self, name: str | None = None, *, every_s: float, right: str = "deliver") -> Followers:
        """Who sends on and on, once it is started; it is to be stopped. Raises what `send` raises."""
        from tradex_ledger.feeds.follow import Followers
        from tradex_ledger.feeds.open import named

        self.core.policy.check_may(right, self.core.actor)
        names = [one.name for one in named(self.core.settings, name)]
        if names:
            assert self.core.ledger.engine is not None  # opened once, for all threads
        return Followers(names, self._send_on, every_s)

    def _send_on(self, name: str, pause: Pause) -> Sent:
        return self._send(name, pause, pauses=())

    def _send(self, name: str, pause: Pause, pauses: tuple[float, ...] | None = None) -> Sent:
        """By the settings as they are now. Raises what `feeds.send.send` raises."""
        from tradex_ledger.feeds.open import named, open_feed
        from tradex_ledger.feeds.send import PAUSES_S, send

        ledger = self.core.ledger
        (setting,) = named(self.core.settings, name)
        with noted(self.core.config.folder, setting.follower, ledger.id, self.core.clock):
            feed = open_feed(setting, ledger.store, self.core.clock)
            return send(ledger, feed, new_token(), pause, PAUSES_S if pauses is None else pauses)


def _slept(seconds: float) -> bool:
    time.sleep(seconds)
    return True
