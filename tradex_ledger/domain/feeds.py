"""Who is told of the ledger's events: feeds of lineage, and subscriptions. No I/O here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

FILE = "file:"
Kind = Literal["openlineage", "webhook"]
MOST_LACKING = 1_000
"""So many events that a follower of the ledger lacks, a receiver or a mirror, are counted: more are as many."""
_MOST = 32
_LAST = 2**53 - 1
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_TOPIC = re.compile(r"[a-z_]+\.(?:[a-z_]+|\*)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMESPACE = re.compile(r"[!-~]{1,255}")
_URL = re.compile(r"https?://(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?(?:/[!-\"$-~]*)?(?:\?[!-\"$-~]*)?")
_ORIGIN = re.compile(r"https?://[^/?]+")


class FeedSetting(NamedTuple):
    """One receiver: `to` is `file:PATH` or a URL. Of topics none means all; one may end in `*`.

    A secret is named by the variable of the environment or the file that holds it. `after`: it is told of what follows
    that position; None: a feed of all, a subscription of what happens from its first delivery on.
    """

    name: str
    kind: Kind
    to: str
    topics: tuple[str, ...] = ()
    secret_env: str | None = None
    secret_file: str | None = None
    after: int | None = None
    namespace: str | None = None

    @property
    def follower(self) -> str:
        """What its position, and the lease on it, are kept under."""
        return f"feed {self.name}"

    @property
    def place(self) -> str:
        """Where it sends to, as it may be told: what follows the host may be a secret."""
        found = _ORIGIN.match(self.to)
        return found[0] if found else self.to

    def ahead(self, position: int, head: int) -> str:
        """What is the matter where it has come further than its ledger."""
        return f"{self.name} has come to position {position}, and this ledger ends with {head}"

    def takes(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the topics that there are which are meant; none: all. Raises `ValueError` for one that is none."""
        found: dict[str, None] = {}
        for wanted in self.topics:
            stem = wanted.removesuffix("*")
            meant = [topic for topic in known if (topic.startswith(stem) if stem != wanted else topic == wanted)]
            if not meant:
                raise ValueError(f"{self.name} names the topic {wanted}, and there is none such")
            found.update(dict.fromkeys(meant))
        return tuple(found)


def feeds_of(feeds: object, subscriptions: object) -> tuple[FeedSetting, ...]:
    """What settings say under [feeds.NAME] and [subscriptions.NAME]. Raises `ValueError` with what is wrong.

    The values may be secrets that stand where they should not: none is repeated.
    """
    found = [*_sections("feeds", feeds, _feed), *_sections("subscriptions", subscriptions, _subscription)]
    names = [one.name for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"[feeds] and [subscriptions] both have {', '.join(twice)}: a name stands for one receiver")
    return tuple(found)


def _sections(
    section: str, values: object, make: Callable[[str, Mapping[str, object]], FeedSetting]
) -> list[FeedSetting]:
    if not isinstance(values, dict):
        raise ValueError(f"{section} is no section; begin one with [{section}.NAME]")
    found = []
    for name, one in values.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"[{section}] has a name that is none (a-z, 0-9, _, -): {name[:63]!r}")
        if not isinstance(one, dict):
            raise ValueError(f"[{section}] has {name}, which is no section; begin one with [{section}.{name}]")
        try:
            found.append(make(name, one))
        except ValueError as error:
            raise ValueError(f"[{section}.{name}] {error}") from None
    return found


def _feed(name: str, values: Mapping[str, object]) -> FeedSetting:
    _check_known(values, {"to", "token_env", "token_file", "after", "namespace"})
    to, namespace = values.get("to"), values.get("namespace")
    if not isinstance(to, str) or not (_is_file(to) or _URL.fullmatch(to)):
        raise ValueError("to must be file:PATH, or a URL (http or https, without a user or a password in it)")
    if namespace is not None and not (isinstance(namespace, str) and _NAMESPACE.fullmatch(namespace)):
        raise ValueError("namespace must be a text of visible ASCII characters")
    variable, file = _secret(values, "token")
    if _is_file(to) and (variable or file):
        raise ValueError("a file takes no token: leave token_env and token_file out")
    return FeedSetting(name, "openlineage", to, (), variable, file, _after(values), namespace)


def _subscription(name: str, values: Mapping[str, object]) -> FeedSetting:
    _check_known(values, {"url", "topics", "secret_env", "secret_file", "after"})
    url, topics = values.get("url"), values.get("topics", [])
    if not isinstance(url, str) or not _URL.fullmatch(url):
        raise ValueError("url must be a URL (http or https, without a user or a password in it)")
    if not isinstance(topics, list) or not all(isinstance(one, str) and _TOPIC.fullmatch(one) for one in topics):
        raise ValueError('topics must be a list of topics, such as "backfill.approved" or "backfill.*"')
    variable, file = _secret(values, "secret")
    if not (variable or file):
        raise ValueError("what is sent is signed: secret_env or secret_file must say where the secret is")
    return FeedSetting(name, "webhook", url, tuple(topics), variable, file, _after(values))


def _is_file(to: str) -> bool:
    return to.startswith(FILE) and len(to) > len(FILE) and "\0" not in to


def _check_known(values: Mapping[str, object], known: set[str]) -> None:
    if unknown := sorted(set(values) - known):
        raise ValueError(f"has {', '.join(unknown)}, which nobody knows; known are {', '.join(sorted(known))}")


def _secret(values: Mapping[str, object], what: str) -> tuple[str | None, str | None]:
    variable, file = values.get(f"{what}_env"), values.get(f"{what}_file")
    if variable is not None and file is not None:
        raise ValueError(f"{what}_env and {what}_file are one too many")
    if variable is not None and not (isinstance(variable, str) and _VARIABLE.fullmatch(variable)):
        raise ValueError(f"{what}_env must be the name of a variable of the environment")
    if file is not None and not (isinstance(file, str) and file and "\0" not in file):
        raise ValueError(f"{what}_file must be the path of a file")
    return (variable if isinstance(variable, str) else None), (file if isinstance(file, str) else None)


def _after(values: Mapping[str, object]) -> int | None:
    after = values.get("after")
    if after is None:
        return None
    if not isinstance(after, int) or isinstance(after, bool) or not 0 <= after <= _LAST:
        raise ValueError(f"after must be a position: a whole number from 0 to {_LAST}")
    return after
