"""The fields of one post as the X platform delivers it: what was said, by whom, which version of what. Pure.

Both API versions (v1.1, v2) and both vocabularies of v2 are read alike: in summer 2026 the platform renamed `tweet` to
`post` and `retweet` to `repost` in the names of fields (`note_post`, `referenced_posts`, `repost_count` …).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from tradex_ledger.outside import Json, JsonObject
from tradex_ledger.sources.moments import DAY_US
from tradex_ledger.sources.x_posts.history import SURROGATE, history_of, id_text
from tradex_ledger.sources.x_posts.names import INCLUDED, NOTES, REFERENCES, REPOSTS, Unfit
from tradex_ledger.sources.x_posts.time import snowflake_us

Fields: TypeAlias = JsonObject

_COUNT_MAX = 2**53
_COUNT_DIGITS_MAX = 16
_QUOTED_MAX = 60
_SECOND_US = 1_000_000
# X lets a post be edited for an hour at most; a first id much older than its edit is no time of it.
_EDIT_WINDOW_US = 7200 * _SECOND_US
# A time is delivered in whole seconds, and now and then by another clock than that of the ids.
_SLACK_US = 30 * _SECOND_US
_LINKS = re.compile(r"\s*+(?:https?://\S*+\s*+)*+")
_NESTED_MAX = 4


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
    if text.isascii() or SURROGATE.search(text) is None:
        return text
    odd.append("half a surrogate")
    return SURROGATE.sub("�", text)


def decoded(text: str) -> str:
    """The text with the three HTML entities decoded that the platform writes, and no others."""
    if "&" not in text:
        return text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


# -- what was said


def said_v1(fields: Fields, odd: list[str], depth: int = 0) -> Said:
    """The text of a v1.1 post: of a retweet the original's, since the platform cuts off what stands around it."""
    extended = fields.get("extended_tweet")  # the streaming API's place for what `text` cuts off
    fuller = _fuller([_inner(extended, "full_text"), fields.get("full_text")], odd)
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
    fuller = _fuller([_inner(fields.get(name), "text") for name in NOTES], odd)
    return _said(fields.get("text"), fuller, _original_v2(fields, included, odd, depth), False, odd)


def _original_v2(fields: Fields, included: Mapping[str, Fields], odd: list[str], depth: int) -> Said | None:
    """What the post says that is passed on, where it came along: beside the answer's posts, or in the reference.

    The first of them that is whole, else the first.
    """
    found = []
    for reference in _retweeted(fields) if depth < _NESTED_MAX else ():
        for original in (included.get(id_text(reference.get("id")) or ""), reference):
            if original is not None:
                with suppress(Unfit):
                    found.append(said_v2(original, included, odd, depth + 1))
    return max(found, key=lambda said: said.is_whole, default=None)


def _inner(outer: Json, name: str) -> Json:
    """A field of a field; what is no object is handed on, to be told."""
    return outer.get(name) if isinstance(outer, dict) else outer if outer is None else [outer]


def _fuller(values: Sequence[Json], odd: list[str]) -> str | None:
    """The first text among the places that may hold the whole one; nothing is said by an empty one."""
    if any(value is not None and not isinstance(value, str) for value in values):
        odd.append("a full text that is no text")
    return next((value for value in values if isinstance(value, str) and value), None)


def _said(text: Json, fuller: str | None, original: Said | None, truncated: bool, odd: list[str]) -> Said:
    own = [clean(value, odd) for value in (text, fuller) if isinstance(value, str)]
    if original is not None:
        return Said(original.text, original.is_whole, (*own, *original.delivered))
    chosen = text if fuller is None else fuller
    if not isinstance(chosen, str):
        raise Unfit("no text" if chosen is None else f"text is {quoted(chosen)}, not a text")
    # A full text may end in its author's own ellipsis; that of a retweet ends so where the platform cut it off.
    may_be_cut = truncated or _is_cut(chosen) if fuller is None else chosen.startswith("RT @") and _is_cut(chosen)
    return Said(decoded(own[-1]), not may_be_cut, tuple(own))


def _is_cut(text: str) -> bool:
    """Whether a text was cut off: it ends so, before the link to the whole that may follow."""
    return "…" in text and _LINKS.fullmatch(text[text.rindex("…") + 1 :]) is not None


def is_retweet_v1(fields: Fields, odd: list[str]) -> bool | None:
    """Whether a v1.1 post passes on another's, None where that cannot be read."""
    original = fields.get("retweeted_status")
    if original is None or isinstance(original, dict):
        return original is not None
    odd.append("an original that is no post")
    return None


def is_retweet_v2(fields: Fields, odd: list[str]) -> bool | None:
    """Whether a v2 post passes on another's, None where that cannot be read."""
    if _retweeted(fields):
        return True
    values = [value for name in REFERENCES if (value := fields.get(name)) is not None]
    if all(isinstance(value, list) and all(isinstance(item, dict) for item in value) for value in values):
        return False
    odd.append("references that cannot be read")
    return None


def retweeted_id(fields: Fields) -> str | None:
    """The id of the post that a v2 post passes on."""
    return next((found for item in _retweeted(fields) if (found := id_text(item.get("id")))), None)


def _retweeted(fields: Fields) -> list[Fields]:
    listed = [value for name in REFERENCES if isinstance(value := fields.get(name), list)]
    return [item for value in listed for item in value if isinstance(item, dict) and _is_repost(item.get("type"))]


def _is_repost(kind: Json) -> bool:
    return isinstance(kind, str) and kind in REPOSTS


def included_posts(document: Fields) -> dict[str, Fields]:
    """The posts that came along with a v2 answer (`includes`, and the posts of its page), by their ids."""
    includes = document.get("includes")
    came = [includes.get(name) for name in INCLUDED] if isinstance(includes, dict) else []
    found: dict[str, Fields] = {}
    for posts in (document.get("data"), *came):
        for post in posts if isinstance(posts, list) else ():
            if isinstance(post, dict) and (post_id := id_text(post.get("id"))):
                found[post_id] = post
    return found


# -- which version of what


def version_of(fields: Fields, own_id: str, delivered_at: int, odd: list[str]) -> Version:
    """The post that a version belongs to, and when both were made.

    Every edit has an id of its own, which is a time; the history lists all ids. All versions carry the first id and
    its time, so that a post stays in one partition even when it is edited after midnight.
    """
    ids = history_of(fields, own_id, odd)
    if not ids or ids[0] == own_id:
        return Version(own_id, own_id, delivered_at, delivered_at)
    made, first_made = snowflake_us(own_id), snowflake_us(ids[0])
    # Ids may be made up, and mean no time: then their order is all that they tell.
    created_at, revised_at = delivered_at, delivered_at + ids.index(own_id)
    if first_made is not None:
        # Some answers give every version the time of the first: the own id knows better.
        is_near = min(abs((made or 0) - delivered_at), abs(first_made - delivered_at)) < _SLACK_US
        if made is not None and is_near and 0 <= made - first_made < DAY_US:
            created_at, revised_at = min(first_made, delivered_at), max(made, delivered_at)
        elif -_SLACK_US < delivered_at - first_made < _EDIT_WINDOW_US:
            created_at = min(first_made, delivered_at)
    return Version(own_id, ids[0], created_at, revised_at)


def identifier(fields: Fields, *names: str, missing: str) -> str:
    """The first of these fields that holds an id. Raises `Unfit`."""
    values = [fields.get(name) for name in names]
    found = next((text for value in values if (text := id_text(value))), None)
    if found is not None:
        return found
    odd = next((value for value in values if value not in (None, "")), None)
    raise Unfit(missing if odd is None else f"{missing}: {quoted(odd)}")


# -- what is good to know, and never costs the post


def author(fields: Json | Fields, names: Sequence[str], odd: list[str]) -> str | None:
    """Who wrote it, None where that cannot be read."""
    if isinstance(fields, dict) and (found := next((t for n in names if (t := id_text(fields.get(n)))), None)):
        return found
    odd.append("no author")
    return None


def language(fields: Fields, odd: list[str]) -> str | None:
    """The language that the platform took it for."""
    value = fields.get("lang")
    if value is None or (isinstance(value, str) and not SURROGATE.search(value)):
        return value
    odd.append("a lang that is no text")
    return None


def count(metrics: Json | Fields, names: Sequence[str], odd: list[str]) -> int | None:
    """How often; 0 where the platform did not say, None where what it said is no count."""
    if metrics is not None and not isinstance(metrics, dict):
        odd.append("a count that is no number")
        return None
    value = first_of(metrics or {}, names)
    if value is None:
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _COUNT_DIGITS_MAX:
        value = int(value)  # the platform's archive writes them so
    if type(value) is int and 0 <= value <= _COUNT_MAX:
        return value
    odd.append("a count that is no number")
    return None


def first_of(fields: Fields, names: Sequence[str]) -> Json:
    """The first of these fields that says something."""
    return next((value for name in names if (value := fields.get(name)) is not None), None)


def quoted(value: Json) -> str:
    """A value for a sentence: short, and never as deep as the value itself may be."""
    if isinstance(value, dict):
        return "a JSON object"
    if isinstance(value, list):
        return "a JSON list"
    if isinstance(value, str):
        return repr(value if len(value) <= _QUOTED_MAX else value[:_QUOTED_MAX]) + "…" * (len(value) > _QUOTED_MAX)
    return "null" if value is None else repr(value)
