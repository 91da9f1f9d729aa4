"""What the platform answers, taken apart once, in either vocabulary of v2. Pure.

An answer of another shape is none: it is never read half (`StrangeAnswerError`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import orjson

from tradex_ledger.domain.day import Day, day_of
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.outside import Json, JsonObject
from tradex_ledger.sources.x_posts.documents import named_error

_SAID_MAX = 200


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """How the platform calls things: since summer 2026 a tweet is a post."""

    fields_parameter: str
    fields: str
    total: str


_COMMON = "created_at,lang,public_metrics,edit_controls,entities,withheld"
NEW = Vocabulary("post.fields", f"{_COMMON},note_post", "total_post_count")
OLD = Vocabulary(
    "tweet.fields",
    f"{_COMMON},note_tweet,author_id,referenced_tweets,edit_history_tweet_ids",
    "total_tweet_count",
)


class StrangeAnswerError(EnvironmentFault):
    """The platform answered in a shape that this release does not know."""

    code = "strange-answer"

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"the X API answered in a shape that is not known here: {problem}",
            mend="nothing of it was taken; see whether there is a newer release, and tell its makers",
        )


def _object(body: bytes) -> dict[str, Json]:
    try:
        found: Json = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise StrangeAnswerError("no JSON") from None
    if not isinstance(found, dict):
        raise StrangeAnswerError("no JSON object")
    return found


def _inner(document: JsonObject, name: str) -> dict[str, Json]:
    found = document.get(name)
    if not isinstance(found, dict):
        raise StrangeAnswerError(f"it has no {name}")
    return found


def page_of(body: bytes) -> tuple[int, str | None]:
    """Of a page, how many posts it is of, and the cursor of the next. Raises: `StrangeAnswerError`."""
    document = _object(body)
    meta = _inner(document, "meta")
    posts, count, token = document.get("data", []), meta.get("result_count"), meta.get("next_token")
    if not isinstance(posts, list) or not all(isinstance(post, dict) for post in posts):
        raise StrangeAnswerError("its data are no posts")
    errors = document.get("errors", [])
    beside = len(errors) if isinstance(errors, list) else 0
    if type(count) is not int or not len(posts) <= count <= len(posts) + beside:  # some count what they could not show
        raise StrangeAnswerError(f"it has {len(posts)} posts and says {str(count)[:20]}")
    if token is not None and not (isinstance(token, str) and token):
        raise StrangeAnswerError("its next_token is no text")
    return len(posts), token


def has_times(body: bytes) -> bool:
    """Whether posts of a page have the fields that were asked for: a name that is not known may go unheard. Where some
    have them, the others are the reader's business."""
    posts = _object(body).get("data")
    return not isinstance(posts, list) or not posts or any("created_at" in p for p in posts if isinstance(p, dict))


def count_of(body: bytes) -> tuple[int, str | None]:
    """Of a page of counts, how many posts it counted, and the cursor of the next. Raises: `StrangeAnswerError`."""
    meta = _inner(_object(body), "meta")
    found = [meta[name] for name in (NEW.total, OLD.total) if name in meta]
    token = meta.get("next_token")
    if len(found) != 1 or type(found[0]) is not int or found[0] < 0:
        raise StrangeAnswerError("it counts nothing")
    return found[0], token if isinstance(token, str) and token else None


def usage_of(body: bytes) -> list[tuple[Day, int]]:
    """Of an answer about usage, the posts of each day. Raises: `StrangeAnswerError`."""
    project = _inner(_inner(_object(body), "data"), "daily_project_usage").get("usage") or []
    if not isinstance(project, list):
        raise StrangeAnswerError("its usage is no list")
    return [_day_used(entry) for entry in project]


def _day_used(entry: Json) -> tuple[Day, int]:
    day, rows = (entry.get("date"), entry.get("usage")) if isinstance(entry, dict) else (None, None)
    try:
        if isinstance(day, str) and isinstance(rows, str | int):
            return day_of(day[:10]), int(rows)
    except ValueError:
        pass
    raise StrangeAnswerError("a day of its usage cannot be read")


class Job(NamedTuple):
    """A compliance job: where its ids are uploaded to, and its notices downloaded from."""

    id: str
    status: str
    upload_url: str
    download_url: str


def job_of(body: bytes) -> Job:
    """The compliance job of an answer. Raises: `StrangeAnswerError`."""
    data = _inner(_object(body), "data")
    found = [value for name in Job._fields if isinstance(value := data.get(name), str)]
    if len(found) != len(Job._fields):
        raise StrangeAnswerError("its job has no id, status or addresses")
    return Job._make(found)


def problem_of(body: bytes) -> str:
    """What a refusal says, in one short line; nothing of it is believed."""
    try:
        document = _object(body)
    except StrangeAnswerError:
        return "no reason given"
    said = named_error(document)
    errors = document.get("errors")
    parameters = [
        f"{name}: {value}"
        for error in (errors if isinstance(errors, list) else ())
        if isinstance(error, dict) and isinstance(error.get("parameters"), dict)
        for name, value in _parameters(error).items()
    ]
    return " ".join("; ".join([said, *parameters]).split())[:_SAID_MAX]


def _parameters(error: JsonObject) -> JsonObject:
    found = error.get("parameters")
    return found if isinstance(found, dict) else {}
