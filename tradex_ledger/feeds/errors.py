"""What can go wrong with a receiver. Of its URL the host is said, and no more: the rest may be a secret."""

from __future__ import annotations

from pathlib import Path

from tradex_ledger.domain.feeds import FeedSetting
from tradex_ledger.errors import ConflictError, EnvironmentFault, NotFoundError, UsageError, meant


class FeedDownError(EnvironmentFault):
    """A message could not be handed over; it goes out with the next attempt, and none before it."""

    code = "feed-down"

    def __init__(self, setting: FeedSetting, position: int, wrong: str, again_s: float | None = None) -> None:
        super().__init__(
            f"{setting.name}: the event of position {position} did not reach {setting.place}: {wrong}; "
            "it will be sent again, and what follows waits for it",
            mend=f"see whether the receiver answers; then: tradex feed send {setting.name}",
            transient=True,
        )
        self.again_s = again_s


class FeedGoneError(EnvironmentFault):
    """A receiver says that it is there no more (410): it is asked no more until somebody says so."""

    code = "feed-gone"

    def __init__(self, setting: FeedSetting, position: int) -> None:
        super().__init__(
            f"{setting.name}: {setting.place} takes nothing any more (410 Gone); it has come to position {position}",
            mend=f"take {setting.name} out of tradex.toml, or name the receiver's new URL; then: "
            f"tradex feed send {setting.name}",
        )


class FeedAheadError(EnvironmentFault):
    """A receiver was told of events that this ledger has not, or is to be told from behind its end on."""

    code = "feed-ahead"

    def __init__(self, setting: FeedSetting, position: int, head: int) -> None:
        super().__init__(
            f"{setting.ahead(position, head)}: nothing is sent, since what follows would be passed over",
            mend=f"where `after` says so, put it right; where the ledger was put back to an earlier state, name the "
            f"receiver anew in tradex.toml, with after = {head}",
        )


class FeedSecretError(EnvironmentFault):
    """The secret of a feed is not where the settings say, or is none. It is not repeated."""

    code = "feed-secret"

    def __init__(self, setting: FeedSetting, problem: str, mend: str) -> None:
        super().__init__(f"{setting.name}: {problem}", mend=mend)


class FeedFileError(EnvironmentFault):
    """The file of a feed is not what this feed wrote."""

    code = "feed-file"

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}", mend="name another file in tradex.toml, and another name for the feed")


class FeedTopicError(UsageError):
    """A subscription names a topic that there is not."""

    code = "feed-topic"

    def __init__(self, problem: str) -> None:
        super().__init__(problem, mend='topics are those of: tradex query "select topic from topics"')


class NoSuchFeedError(NotFoundError):
    """The settings name no such feed."""

    code = "no-such-feed"

    def __init__(self, name: str, known: list[str]) -> None:
        said = f"there are {', '.join(known)}" if known else "there is none"
        super().__init__(
            f"tradex.toml has no feed and no subscription {name!r}: {said}",
            mend=f"{meant(name, known)}name one under [feeds.NAME] or [subscriptions.NAME]",
        )


class SentElsewhereError(ConflictError):
    """Another process sends to that receiver."""

    code = "sent-elsewhere"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"{name}: {why}", mend="leave it to that one; if it died, the same command goes on in a minute"
        )
