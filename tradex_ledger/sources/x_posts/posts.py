"""What the X platform delivers, v1.1 or v2, as posts: pure reading, no I/O.

A line holds one post; or a page of posts (`{"data": […]}`, with what came along in `includes`), a list of them, or a
part of the archive (`{"tweet": …}`). What is no usable post is a value (`Rejected`), never an exception: it is kept
with its reason, since nothing is dropped in silence. Only what the key, the day and the text need can reject a post:
any other field that cannot be read becomes null (or the replacement character), and is counted (`odd`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import orjson

from tradex_ledger.outside import Json
from tradex_ledger.sources.moments import DAY_US
from tradex_ledger.sources.source import Rejected
from tradex_ledger.sources.x_posts.documents import (
    as_text_of,
    has_id,
    is_disconnect,
    is_single,
    items_of,
    loads,
    named_error,
    payload_of,
)
from tradex_ledger.sources.x_posts.fields import (
    Fields,
    Said,
    Version,
    author,
    count,
    identifier,
    included_posts,
    is_retweet_v1,
    is_retweet_v2,
    language,
    quoted,
    said_v1,
    said_v2,
    version_of,
)
from tradex_ledger.sources.x_posts.names import REPOSTED, Unfit, check_vocabulary
from tradex_ledger.sources.x_posts.time import FIRST_POST_US, as_text, may_be, milliseconds_us, time_us

_CONTROLS = (
    *("delete", "limit", "scrub_geo", "status_withheld", "user_withheld", "withheld", "disconnect", "warning"),
    *("friends", "friends_str", "event", "for_user", "control", "direct_message", "drop", "undrop", "tweet_edit"),
    *("user_delete", "user_undelete", "user_protect", "user_unprotect", "user_suspend", "user_unsuspend"),
    *("post_delete", "post_withheld", "post_edit", "user_profile_modification", "status_complaint"),
)
_UNFOLDED_MAX = 32
_UNFOLDED_FREE = 1 << 20
_SAMPLE = 1_000
_REPLACED = "�"
_CONTROL_REASON = "control message: {}"


class Post(NamedTuple):
    """One delivered version of a post; times are UTC microseconds, the day is days, both since 1970-01-01.

    `odd` are the fields that could not be read, each by what was wrong with it; it is no column.
    """

    payload: str
    post_id: str
    author_id: str | None
    created_at: int
    event_date: int
    text: str
    lang: str | None
    is_retweet: bool | None
    likes: int | None
    retweets: int | None
    revision: str
    revised_at: int
    is_whole: bool
    odd: tuple[str, ...] = ()


class _Early(Unfit):
    """A post that is younger than its delivery: a clock is wrong, here or there; read later, it may be none."""


def parse_line(line: bytes, delivered_us: int | None = None) -> list[Post | Rejected]:
    """All that `iter_line` finds."""
    return list(iter_line(line, delivered_us))


def iter_line(line: bytes, delivered_us: int | None = None) -> Iterator[Post | Rejected]:
    """All that one line (or one element of a longer document) holds, in its order, one by one. Never raises.

    `delivered_us` is when it was delivered, at the latest: no post is younger. Bytes and characters in reasons are
    counted from 1.
    """
    line = line.rstrip(b"\r\n")
    odd: list[str] = []
    payload, flaw = as_text_of(line, odd)
    try:
        document = loads(line if flaw is None else payload.encode(), odd)
    except Unfit as unfit:
        yield Rejected(flaw or str(unfit), payload, None, None)
        return
    if is_single(document):
        one = _one(payload, document, delivered_us, odd)
        yield one if flaw is None else _unspoilt(one, flaw)
        return
    left = _UNFOLDED_FREE + _UNFOLDED_MAX * len(line)
    for item, included in items_of(document):
        # A post that came along once is part of each that passes it on: a page of them could fill a disk.
        found = _item(item, included, payload, delivered_us, odd) if left > 0 else _too_much(item, payload)
        left -= len(found.payload if isinstance(found, Post) else found.raw)
        yield found if flaw is None else _unspoilt(found, flaw)


def _too_much(item: Json, line: str) -> Rejected:
    try:
        raw = payload_of(item, {})
    except Unfit:
        raw = line[:_SAMPLE]
    return Rejected(f"in a line whose posts unfold to more than {_UNFOLDED_MAX} times its length", raw, None, None)


def _unspoilt(found: Post | Rejected, flaw: str) -> Post | Rejected:
    """A post whose bytes were replaced, where that takes nothing from its key and its text; else it is rejected."""
    if isinstance(found, Post) and _REPLACED in found.post_id + found.text:
        return Rejected(flaw, found.payload, found.created_at, found.event_date)
    return found


# -- one post


def _item(
    item: Json, included: Mapping[str, Fields], line: str, delivered_us: int | None, odd: list[str]
) -> Post | Rejected:
    """One of several in a line."""
    try:
        payload = payload_of(item, included)
    except Unfit as unfit:
        return Rejected(str(unfit), line, None, None)
    return _one(payload, item, delivered_us, odd, included)


def _one(
    payload: str,
    document: Json,
    delivered_us: int | None,
    flaws: list[str],
    came_along: Mapping[str, Fields] | None = None,
) -> Post | Rejected:
    odd = list(flaws)
    try:
        if not isinstance(document, dict):
            raise Unfit(f"{quoted(document)}, not an object")
        fields = _fields(document)
        control = _control(fields)
        if control is not None:
            return _rejected_control(payload, control, fields, delivered_us)
        included = included_posts(document) if came_along is None else came_along
        if "id_str" in fields or isinstance(fields.get("user"), dict) or isinstance(fields.get("full_text"), str):
            return _v1_post(payload, fields, delivered_us, odd)
        return _v2_post(payload, fields, included, delivered_us, odd)
    except Unfit as unfit:
        created_at = _time_of(document, delivered_us)
        day = None if created_at is None else created_at // DAY_US
        return Rejected(str(unfit), payload, created_at, day, "early" if isinstance(unfit, _Early) else "")


def _fields(document: Fields) -> Fields:
    """The object that holds the post's fields: v2 may wrap it in `data`, the archive in `tweet`. Raises: `Unfit`."""
    if has_id(document):
        return document
    for wrapper in ("data", "tweet", "post"):
        if wrapper in document:
            wrapped = document[wrapper]
            if not isinstance(wrapped, dict):
                raise Unfit(f"{wrapper} is {quoted(wrapped)}, not an object")
            return wrapped
    errors = document.get("errors")
    if isinstance(errors, list) and any(map(is_disconnect, errors)):
        return {"disconnect": errors}
    if set(document) & {"errors", "error", "detail", "title"}:
        raise Unfit(f"an error and no post: {quoted(named_error(document))}")
    return document


def _control(fields: Fields) -> str | None:
    """The class of a message that a stream sends beside posts; None for anything else."""
    return None if has_id(fields) else next((name for name in _CONTROLS if name in fields), None)


def _rejected_control(payload: str, control: str, fields: Fields, delivered_us: int | None) -> Rejected:
    inner = fields[control]
    told = [fields, inner] if isinstance(inner, dict) else [fields]
    moments = [m for part in told if (m := milliseconds_us(part.get("timestamp_ms"))) is not None]
    moments += [m for part in told for name in ("event_at", "created_at") if (m := time_us(part.get(name))) is not None]
    moment = next((m for m in moments if may_be(m, delivered_us)), None)
    day = None if moment is None else moment // DAY_US
    return Rejected(_CONTROL_REASON.format(control), payload, moment, day, "control")


def _time_of(document: Json, delivered_us: int | None) -> int | None:
    """The time of what is no usable post, when it has one that may be true."""
    try:
        moment = time_us(_fields(document).get("created_at")) if isinstance(document, dict) else None
    except Unfit:
        return None
    return moment if moment is not None and may_be(moment, delivered_us) else None


def _v1_post(payload: str, fields: Fields, delivered_us: int | None, odd: list[str]) -> Post:
    post_id = identifier(fields, "id_str", "id", missing="no id")
    version = version_of(fields, post_id, _created_at(fields, delivered_us), odd)
    said = said_v1(fields, odd)
    author_id = author(fields.get("user"), ("id_str", "id"), odd)
    counts = (count(fields, ("favorite_count",), odd), count(fields, REPOSTED, odd))
    return _post(payload, version, said, (author_id, language(fields, odd), is_retweet_v1(fields, odd)), counts, odd)


def _v2_post(
    payload: str, fields: Fields, included: Mapping[str, Fields], delivered_us: int | None, odd: list[str]
) -> Post:
    post_id = identifier(fields, "id", missing="no id")
    check_vocabulary(fields)
    version = version_of(fields, post_id, _created_at(fields, delivered_us), odd)
    said = said_v2(fields, included, odd)
    author_id = author(fields, ("author_id",), odd)
    metrics = fields.get("public_metrics")
    counts = (count(metrics, ("like_count",), odd), count(metrics, REPOSTED, odd))
    return _post(payload, version, said, (author_id, language(fields, odd), is_retweet_v2(fields, odd)), counts, odd)


def _created_at(fields: Fields, delivered_us: int | None) -> int:
    value = fields.get("created_at")
    created_at = time_us(value)
    if created_at is None:
        raise Unfit("no created_at" if value is None else f"created_at is not a time: {quoted(value)}")
    if created_at < FIRST_POST_US:
        raise Unfit(f"created_at {as_text(created_at)} lies before the platform's first post (2006-03-21)")
    if not may_be(created_at, delivered_us):
        raise _Early(f"created_at {as_text(created_at)} lies after its delivery")
    return created_at


def _post(
    payload: str,
    version: Version,
    said: Said,
    about: tuple[str | None, str | None, bool | None],
    counts: tuple[int | None, int | None],
    odd: list[str],
) -> Post:
    author_id, lang, is_retweet = about
    return Post(
        payload,
        version.post_id,
        author_id,
        version.created_at,
        version.created_at // DAY_US,
        said.text,
        lang,
        is_retweet,
        *counts,
        revision_of(version.own_id, said.delivered),
        version.revised_at,
        said.is_whole,
        tuple(dict.fromkeys(odd)),
    )


def revision_of(own_id: str, delivered: tuple[str, ...]) -> str:
    """What tells one delivery of a post from another: SHA-256 (hex) over the version's id and the texts as delivered.

    It follows from what was delivered, not from how that is read: it never changes with `VERSION`.
    """
    return hashlib.sha256(orjson.dumps([own_id, *dict.fromkeys(delivered)])).hexdigest()
