"""Ids as the X platform delivers them, and those of a post's versions, wherever it lists them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tradex_ledger.outside import Json, JsonObject
from tradex_ledger.sources.x_posts.time import snowflake_us

SURROGATE = re.compile("[\ud800-\udfff]")
_ID_DIGITS_MAX = 20

_HISTORIES = (
    "edit_history_tweet_ids",  # v2
    "edit_history_post_ids",
    "edit_history",  # v1.1
    "edit_info",  # the archive
    "edit_control",
)
_WITHIN = (
    *("initial_tweet_id", "initial_post_id", "edit_tweet_ids", "edit_post_ids", "edit_control_initial"),
    *("initialTweetId", "initialPostId", "editTweetIds", "editPostIds", "editControlInitial", "initial", "edit"),
)
_NESTED_MAX = 4


def id_text(value: Json) -> str | None:
    """An id, delivered as a text or as a number, as a text."""
    if isinstance(value, str) and value:
        return None if SURROGATE.search(value) else value
    return str(value) if type(value) is int else None


def history_of(fields: JsonObject, own_id: str, odd: list[str]) -> list[str]:
    """The ids of a post's versions, the own one among them, oldest first; none where the platform lists none.

    The platform's ids are times: their own order is that of the versions, however they are listed.
    """
    listed = [item for name in _HISTORIES for item in _items(fields.get(name), 0)]
    ids = [text for item in listed if (text := id_text(item)) is not None and _is_number(text)]
    if len(ids) < len(listed):
        odd.append("an edit history that cannot be read")
    if not ids:
        return []
    known = list(dict.fromkeys([*ids, own_id]))
    return sorted(known, key=int) if all(snowflake_us(text) is not None for text in known) else known


def _items(value: Json, depth: int) -> Iterator[Json]:
    """What stands for an id in a history: an element of a list, or of an object what is known by its name."""
    if value is None:
        return
    if isinstance(value, list):
        yield from (item for item in value if item is not None)
    elif isinstance(value, dict) and depth < _NESTED_MAX:
        for name in _WITHIN:
            inner = value.get(name)
            if isinstance(inner, list | dict):
                yield from _items(inner, depth + 1)
            elif inner is not None:
                yield inner
    else:
        yield None


def _is_number(text: str) -> bool:
    return len(text) <= _ID_DIGITS_MAX and text.isascii() and text.isdigit() and int(text) > 0
