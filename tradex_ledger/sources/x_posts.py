"""Posts as the X platform delivers them, v1.1 or v2, one JSON object a line: pure reading, no I/O.

A line that is no usable post is a value (`Rejected`), never an exception: it is kept with its reason, since
nothing is dropped in silence.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

# Goes up whenever the same line would be read as other columns: it is part of Bronze's logic version.
VERSION = 2

DAY_US = 86_400_000_000
_SECOND_US = 1_000_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_LATEST_US = (date(9999, 12, 31).toordinal() - _EPOCH_ORDINAL) * DAY_US
_COUNT_MAX = 2**53
_QUOTED_MAX = 60

# An id is a snowflake: milliseconds since this moment, above 22 bits of machine and sequence.
_SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
_SNOWFLAKE_MIN = 2**40
# X lets a post be edited for an hour at most; a first id much older than its edit is no snowflake of it.
_EDIT_WINDOW_MAX_US = 30 * DAY_US

# A table and not strptime: %b reads the names of the machine's locale.
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_V1_DAY = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([0-9]{2})  ([+-][0-9]{4}) ([0-9]{4})")
_V2_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T")
_V2_REST = re.compile(r"(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])")
_TIME_MAX = 40


class Post(NamedTuple):
    """One delivered version of a post; times are UTC microseconds, the day is days, both since 1970-01-01."""

    payload: str
    post_id: str
    author_id: str
    created_at: int
    event_date: int
    text: str
    lang: str | None
    is_retweet: bool
    likes: int
    retweets: int
    revision: str
    revised_at: int


class Rejected(NamedTuple):
    """A line that is no usable post, why, and its time where that could still be read."""

    reason: str
    raw: str
    created_at: int | None
    event_date: int | None


class _Unfit(Exception):
    """The sentence that says why a line is no usable post."""


def parse_post(line: bytes) -> Post | Rejected:
    """Read one line as delivered; bytes and characters in reasons are counted from 1. Never raises."""
    line = line.rstrip(b"\r\n")
    try:
        payload = line.decode()
    except UnicodeDecodeError as error:
        return Rejected(f"not UTF-8 at byte {error.start + 1}", line.decode(errors="replace"), None, None)
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        return Rejected(f"not JSON: {error.msg} at character {error.pos + 1}", payload, None, None)
    try:
        fields = _one_post(document)
    except _Unfit as unfit:
        return Rejected(str(unfit), payload, None, None)
    try:
        if "id_str" in fields or isinstance(fields.get("user"), dict):
            return _v1_post(payload, fields)
        return _v2_post(payload, fields)
    except _Unfit as unfit:
        created_at = _time(fields.get("created_at"))
        return Rejected(str(unfit), payload, created_at, None if created_at is None else created_at // DAY_US)


def _one_post(document: Any) -> dict[str, Any]:
    """The object that holds the post's fields: v2 may wrap it in `data`."""
    if not isinstance(document, dict):
        raise _Unfit(f"{_quoted(document)}, not an object")
    if "data" not in document or "id" in document or "id_str" in document:
        return document
    data = document["data"]
    if isinstance(data, list):
        raise _Unfit("a page of posts (data is a list): one post a line is expected")
    if not isinstance(data, dict):
        raise _Unfit(f"data is {_quoted(data)}, not an object")
    return data


def _v1_post(payload: str, fields: dict[str, Any]) -> Post:
    post_id = _identifier(fields, "id_str", "id", missing="no id")
    user = fields.get("user")
    author_id = _identifier(user if isinstance(user, dict) else {}, "id_str", "id", missing="no author")
    created_at = _created_at(fields)
    text = fields.get("full_text")
    if text is None and isinstance(extended := fields.get("extended_tweet"), dict):
        text = extended.get("full_text")  # the streaming API's place for what `text` cuts off
    return _post(
        (payload, post_id, author_id, created_at, created_at),
        text if text is not None else fields.get("text"),
        fields.get("lang"),
        isinstance(fields.get("retweeted_status"), dict),
        _count("favorite_count", fields),
        _count("retweet_count", fields),
    )


def _v2_post(payload: str, fields: dict[str, Any]) -> Post:
    own_id = _identifier(fields, "id", "id", missing="no id")
    author_id = _identifier(fields, "author_id", "author_id", missing="no author_id")
    revised_at = _created_at(fields)
    post_id, created_at = _first_version(own_id, revised_at, fields.get("edit_history_tweet_ids"))
    note = fields.get("note_tweet")
    text = note.get("text") if isinstance(note, dict) else None
    metrics = fields.get("public_metrics")
    if metrics is None:
        metrics = {}
    if not isinstance(metrics, dict):
        raise _Unfit(f"public_metrics is {_quoted(metrics)}, not an object")
    references = fields.get("referenced_tweets")
    return _post(
        (payload, post_id, author_id, created_at, revised_at),
        text if text is not None else fields.get("text"),
        fields.get("lang"),
        isinstance(references, list)
        and any(isinstance(item, dict) and item.get("type") == "retweeted" for item in references),
        _count("like_count", metrics),
        _count("retweet_count", metrics),
    )


def _post(
    head: tuple[str, str, str, int, int], text: Any, lang: Any, is_retweet: bool, likes: int, retweets: int
) -> Post:
    payload, post_id, author_id, created_at, revised_at = head
    if not isinstance(text, str):
        raise _Unfit("no text" if text is None else f"text is {_quoted(text)}, not a text")
    return Post(
        payload,
        post_id,
        author_id,
        created_at,
        created_at // DAY_US,
        text,
        lang if isinstance(lang, str) else None,
        is_retweet,
        likes,
        retweets,
        hashlib.sha256(text.encode()).hexdigest(),
        revised_at,
    )


def _first_version(own_id: str, revised_at: int, history: Any) -> tuple[str, int]:
    """The post that a version belongs to, and when that was created.

    Every edit has an id of its own; the history lists all ids, oldest first. All versions carry the first
    id and its time, so that a post stays in one partition even when it is edited after midnight.
    """
    first = history[0] if isinstance(history, list) and history else own_id
    if not isinstance(first, str) or first == own_id or not (first.isascii() and first.isdigit()):
        return own_id, revised_at
    if len(first) > 20 or int(first) < _SNOWFLAKE_MIN:
        return first, revised_at
    created_at = ((int(first) >> 22) + _SNOWFLAKE_EPOCH_MS) * 1000
    # created_at is delivered in whole seconds, so the first id may seem up to a second younger.
    plausible = -_SECOND_US < revised_at - created_at < _EDIT_WINDOW_MAX_US
    return first, created_at if plausible else revised_at


def _identifier(fields: dict[str, Any], name: str, otherwise: str, *, missing: str) -> str:
    value = fields.get(name)
    if isinstance(value, str) and value:
        return value
    value = fields.get(otherwise)
    if isinstance(value, str) and value:
        return value
    if type(value) is int:
        return str(value)
    raise _Unfit(missing if value is None or value == "" else f"{missing}: {_quoted(value)}")


def _count(name: str, fields: dict[str, Any]) -> int:
    """How often, 0 where the platform did not say."""
    value = fields.get(name)
    if value is None:
        return 0
    if type(value) is not int:
        raise _Unfit(f"counts are not integers: {name} is {_quoted(value)}")
    if not 0 <= value <= _COUNT_MAX:
        raise _Unfit(f"counts are not between 0 and 2^53: {name} is {value}")
    return value


def _created_at(fields: dict[str, Any]) -> int:
    value = fields.get("created_at")
    created_at = _time(value)
    if created_at is None:
        raise _Unfit("no created_at" if value is None else f"created_at is not a time: {_quoted(value)}")
    return created_at


def _time(value: Any) -> int | None:
    """A platform's time as UTC microseconds since 1970, None if it is none (or none after 1970).

    `Tue Feb 11 21:45:52 +0000 2014` or `2014-02-11T21:45:52.000Z`: both hold the clock in the same place, and
    the rest hardly changes from one line to the next, so the parts are read once and remembered.
    """
    if not isinstance(value, str) or len(value) > _TIME_MAX:
        return None
    clock_us = _clock_us(value[11:19])
    if value[10:11] == "T":
        day_us, rest_us = _v2_day_us(value[:11]), _v2_rest_us(value[19:])
    else:
        day_us, rest_us = _v1_day_us(value[:11] + value[19:]), 0
    if clock_us is None or day_us is None or rest_us is None:
        return None
    moment_us = day_us + clock_us + rest_us
    return moment_us if 0 <= moment_us < _LATEST_US else None


@lru_cache(maxsize=100_000)
def _clock_us(text: str) -> int | None:
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    hours, minutes, seconds = map(int, found.groups())
    return (hours * 3600 + minutes * 60 + seconds) * _SECOND_US


@lru_cache(maxsize=4096)
def _v1_day_us(text: str) -> int | None:
    """The start of `Tue Feb 11  +0000 2014` (a v1.1 time without its clock)."""
    found = _V1_DAY.fullmatch(text)
    if found is None:
        return None
    month, day, offset, year = found.groups()
    start_us = _start_us(int(year), _MONTHS.get(month, 0), int(day))
    return None if start_us is None else start_us - _offset_us(offset)


@lru_cache(maxsize=4096)
def _v2_day_us(text: str) -> int | None:
    found = _V2_DAY.fullmatch(text)
    return None if found is None else _start_us(*map(int, found.groups()))


@lru_cache(maxsize=4096)
def _v2_rest_us(text: str) -> int | None:
    """Fraction of a second and distance to UTC: what follows the clock in a v2 time."""
    found = _V2_REST.fullmatch(text)
    if found is None:
        return None
    fraction, offset = found.groups()
    return int((fraction or "")[:6].ljust(6, "0")) - _offset_us(offset)


def _start_us(year: int, month: int, day: int) -> int | None:
    try:
        return (date(year, month, day).toordinal() - _EPOCH_ORDINAL) * DAY_US
    except ValueError:
        return None


def _offset_us(offset: str) -> int:
    """The distance to UTC of `Z`, `+0530` or `-05:00`."""
    if offset == "Z":
        return 0
    seconds = int(offset[1:3]) * 3600 + int(offset[-2:]) * 60
    return (-seconds if offset[0] == "-" else seconds) * _SECOND_US


def _quoted(value: Any) -> str:
    """A value for a sentence: short, and never as deep as the value itself may be."""
    if isinstance(value, dict):
        return "a JSON object"
    if isinstance(value, list):
        return "a JSON list"
    if isinstance(value, str) and len(value) > _QUOTED_MAX:
        return repr(value[:_QUOTED_MAX]) + "…"
    return "null" if value is None else repr(value)
