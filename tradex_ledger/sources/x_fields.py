"""The fields of one post as the X platform delivers it: what was said, by whom, which version of what. Pure.

Both API versions (v1.1, v2) and both vocabularies of v2 are read alike: in summer 2026 the platform renamed `tweet` to
`post` and `retweet` to `repost` in the names of fields (`note_post`, `referenced_posts`, `repost_count` …).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from tradex_ledger.sources.x_time import DAY_US, snowflake_us

Fields = Mapping[str, Any]

_COUNT_MAX = 2**53
_QUOTED_MAX = 60
_SECOND_US = 1_000_000
# X lets a post be edited for an hour at most; a first id much older than its edit is no snowflake of it.
_EDIT_WINDOW_MAX_US = 30 * DAY_US
_SURROGATE = re.compile("[\ud800-\udfff]")
# A text that was cut off ends so, before the link to the whole that may follow.
_CUT = re.compile(r"…\s*(?:https?://\S*\s*)*$")
_NESTED_MAX = 4

_HISTORY = ("edit_history_tweet_ids", "edit_history_post_ids")
_REFERENCES = ("referenced_tweets", "referenced_posts")
_NOTES = ("note_tweet", "note_post")
_INCLUDED = ("tweets", "posts")
_REPOSTS = frozenset({"retweeted", "reposted"})


class Unfit(Exception):
    """The sentence that says why a line is no usable post."""


class Said(NamedTuple):
    """What a post says: its text, whether that is the whole of it, and every text in which it was delivered."""

    text: str
    is_whole: bool
    delivered: tuple[str, ...]


class Version(NamedTuple):
    """Which version of which post: own id, the id of the first version, its time and the own one (microseconds)."""

    own_id: str
    post_id: str
    created_at: int
    revised_at: int


def clean(text: str, odd: list[str]) -> str:
    """The text with the replacement character for halves of surrogates, which no encoding can hold."""
    if text.isascii() or _SURROGATE.search(text) is None:
        return text
    odd.append("half a surrogate")
    return _SURROGATE.sub("�", text)


def decoded(text: str) -> str:
    """The text with the three HTML entities decoded that the platform writes, and no others."""
    if "&" not in text:
        return text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


# -- what was said


def said_v1(fields: Fields, odd: list[str], depth: int = 0) -> Said:
    """The text of a v1.1 post: of a retweet the original's, since the platform cuts off what stands around it."""
    extended = fields.get("extended_tweet")  # the streaming API's place for what `text` cuts off
    fuller = extended.get("full_text") if isinstance(extended, dict) else None
    if fuller is None:
        fuller = fields.get("full_text")
    return _said(fields.get("text"), fuller, _original_v1(fields, odd, depth), fields.get("truncated") is True, odd)


def _original_v1(fields: Fields, odd: list[str], depth: int) -> Said | None:
    original = fields.get("retweeted_status")
    if not isinstance(original, dict) or depth == _NESTED_MAX:
        return None
    try:
        return said_v1(original, odd, depth + 1)
    except Unfit:
        return None  # the retweet's own text is there still


def said_v2(fields: Fields, included: Mapping[str, Fields], odd: list[str], depth: int = 0) -> Said:
    """The text of a v2 post: the note's where there is one, and of a retweet the original's where that came along."""
    note = first_of(fields, _NOTES)
    fuller = note.get("text") if isinstance(note, dict) else None
    return _said(fields.get("text"), fuller, _original_v2(fields, included, odd, depth), False, odd)


def _original_v2(fields: Fields, included: Mapping[str, Fields], odd: list[str], depth: int) -> Said | None:
    """What the post says that is passed on, where it came along: beside the answer's posts, or in the reference."""
    if depth == _NESTED_MAX:
        return None
    for reference in _retweeted(fields):
        for original in (included.get(id_text(reference.get("id")) or ""), reference):
            if original is not None:
                with suppress(Unfit):
                    return said_v2(original, included, odd, depth + 1)
    return None


def _said(text: Any, fuller: Any, original: Said | None, truncated: bool, odd: list[str]) -> Said:
    if fuller is not None and not isinstance(fuller, str):
        odd.append("a full text that is no text")
        fuller = None
    own = [clean(value, odd) for value in (text, fuller) if isinstance(value, str)]
    if original is not None:
        return Said(original.text, original.is_whole, (*own, *original.delivered))
    chosen = fuller if fuller is not None else text
    if not isinstance(chosen, str):
        raise Unfit("no text" if chosen is None else f"text is {quoted(chosen)}, not a text")
    whole = isinstance(fuller, str) or not (truncated or _CUT.search(chosen))
    return Said(decoded(own[-1]), whole, tuple(own))


def is_retweet_v1(fields: Fields) -> bool:
    """Whether a v1.1 post passes on another's."""
    return isinstance(fields.get("retweeted_status"), dict)


def is_retweet_v2(fields: Fields) -> bool:
    """Whether a v2 post passes on another's."""
    return any(True for _ in _retweeted(fields))


def retweeted_id(fields: Fields) -> str | None:
    """The id of the post that a v2 post passes on."""
    return next((found for item in _retweeted(fields) if (found := id_text(item.get("id")))), None)


def _retweeted(fields: Fields) -> list[Fields]:
    references = first_of(fields, _REFERENCES)
    if not isinstance(references, list):
        return []
    return [item for item in references if isinstance(item, dict) and item.get("type") in _REPOSTS]


def included_posts(document: Fields) -> dict[str, Fields]:
    """The posts that came along with a v2 answer (`includes`), by their ids."""
    includes = document.get("includes")
    found: dict[str, Fields] = {}
    for name in _INCLUDED:
        posts = includes.get(name) if isinstance(includes, dict) else None
        for post in posts if isinstance(posts, list) else ():
            if isinstance(post, dict) and (post_id := id_text(post.get("id"))):
                found[post_id] = post
    return found


# -- which version of what


def version_of(fields: Fields, own_id: str, delivered_at: int) -> Version:
    """The post that a version belongs to, and when both were made.

    Every edit has an id of its own; the history lists all ids, oldest first. All versions carry the first id and its
    time, so that a post stays in one partition even when it is edited after midnight.
    """
    first = next(iter(_history(fields)), own_id)
    if first == own_id:
        return Version(own_id, own_id, delivered_at, delivered_at)
    # Some answers give every version the time of the first: the own id knows better.
    revised_at = max(delivered_at, _plausible(snowflake_us(own_id), delivered_at, _EDIT_WINDOW_MAX_US))
    created_at = snowflake_us(first)
    # created_at is delivered in whole seconds, so the first id may seem up to a second younger.
    fits = created_at is not None and -_SECOND_US < revised_at - created_at < _EDIT_WINDOW_MAX_US
    return Version(own_id, first, created_at if fits and created_at is not None else delivered_at, revised_at)


def _plausible(moment_us: int | None, near_us: int, span_us: int) -> int:
    return moment_us if moment_us is not None and 0 <= moment_us - near_us < span_us else near_us


def _history(fields: Fields) -> list[str]:
    """All ids of a post's versions, oldest first, wherever the platform lists them; none where it does not."""
    listed = first_of(fields, _HISTORY)
    history = fields.get("edit_history")
    if listed is None and isinstance(history, dict):
        ids = history.get("edit_tweet_ids", history.get("edit_post_ids"))
        initial = history.get("initial_tweet_id", history.get("initial_post_id"))
        listed = [initial, *(ids if isinstance(ids, list) else ())]
    found = [id_text(item) for item in listed] if isinstance(listed, list) else []
    return [item for item in found if item is not None and item.isascii() and item.isdigit()]


def id_text(value: Any) -> str | None:
    """An id, delivered as a text or as a number, as a text."""
    if isinstance(value, str) and value:
        return None if _SURROGATE.search(value) else value
    return str(value) if type(value) is int else None


def identifier(fields: Fields, *names: str, missing: str) -> str:
    """The first of these fields that holds an id. Raises `Unfit`."""
    values = [fields.get(name) for name in names]
    found = next((text for value in values if (text := id_text(value))), None)
    if found is not None:
        return found
    odd = next((value for value in values if value not in (None, "")), None)
    raise Unfit(missing if odd is None else f"{missing}: {quoted(odd)}")


# -- what is good to know, and never costs the post


def author(fields: Any, names: Sequence[str], odd: list[str]) -> str | None:
    """Who wrote it, None where that cannot be read."""
    if isinstance(fields, dict) and (found := next((t for n in names if (t := id_text(fields.get(n)))), None)):
        return found
    odd.append("no author")
    return None


def language(fields: Fields, odd: list[str]) -> str | None:
    """The language that the platform took it for."""
    value = fields.get("lang")
    if value is None or (isinstance(value, str) and not _SURROGATE.search(value)):
        return value
    odd.append("a lang that is no text")
    return None


def count(metrics: Any, names: Sequence[str], odd: list[str]) -> int | None:
    """How often; 0 where the platform did not say, None where what it said is no count."""
    if metrics is not None and not isinstance(metrics, dict):
        odd.append("a count that is no number")
        return None
    value = first_of(metrics or {}, names)
    if value is None:
        return 0
    if type(value) is int and 0 <= value <= _COUNT_MAX:
        return value
    odd.append("a count that is no number")
    return None


def first_of(fields: Fields, names: Sequence[str]) -> Any:
    """The first of these fields that says something."""
    return next((value for name in names if (value := fields.get(name)) is not None), None)


def quoted(value: Any) -> str:
    """A value for a sentence: short, and never as deep as the value itself may be."""
    if isinstance(value, dict):
        return "a JSON object"
    if isinstance(value, list):
        return "a JSON list"
    if isinstance(value, str):
        return repr(value if len(value) <= _QUOTED_MAX else value[:_QUOTED_MAX]) + "…" * (len(value) > _QUOTED_MAX)
    return "null" if value is None else repr(value)
