"""From the settings to feeds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tradex_ledger import resources
from tradex_ledger.config import Config
from tradex_ledger.domain.feeds import FILE, FeedSetting
from tradex_ledger.feeds import cloudevents, openlineage
from tradex_ledger.feeds.errors import FeedTopicError, NoSuchFeedError
from tradex_ledger.feeds.file import Lines
from tradex_ledger.feeds.http import Posts
from tradex_ledger.feeds.port import Feed, Sink
from tradex_ledger.feeds.secrets import signing_secrets, token
from tradex_ledger.feeds.webhook import Receiver, Webhook
from tradex_ledger.ledger.select import Store


def named(config: Config, name: str | None) -> tuple[FeedSetting, ...]:
    """Those of the settings, or the one by a name. Raises `NoSuchFeedError`."""
    if name is None:
        return config.feeds
    found = tuple(one for one in config.feeds if one.name == name)
    if not found:
        raise NoSuchFeedError(name, [one.name for one in config.feeds])
    return found


def open_feed(setting: FeedSetting, store: Store, clock: Callable[[], datetime]) -> Feed:
    """A feed of a ledger; its sink is opened by who sends. Raises: `FeedSecretError`, `FeedTopicError`."""
    if setting.kind == "webhook":
        secrets = signing_secrets(setting)
        try:
            topics = setting.takes(resources.event_topics())
        except ValueError as error:
            raise FeedTopicError(str(error)) from None
        return Feed(setting, topics, cloudevents.tell, lambda: Webhook(Posts(setting.to), secrets, clock), True)
    secret = token(setting)

    def sink() -> Sink:
        if setting.to.startswith(FILE):
            return Lines(Path(setting.to.removeprefix(FILE)), store)
        return Receiver(Posts(setting.to), secret)

    return Feed(setting, openlineage.TOPICS, openlineage.teller(setting.namespace), sink, False)
