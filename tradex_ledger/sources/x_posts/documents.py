"""A delivered line as a document: a post by itself, or a page or list of them, with what came along. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NoReturn

import orjson

from tradex_ledger.outside import Json
from tradex_ledger.sources.x_posts.elements import VALUES_MAX, has_too_many_values
from tradex_ledger.sources.x_posts.fields import Fields, included_posts, retweeted_id
from tradex_ledger.sources.x_posts.names import Unfit

_PASSED_ON_MAX = 4
"""A post passes on one other; what passes on what passes on, and so on, is no post of the platform."""
_PAGES = ("data", "statuses", "results")
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def as_text_of(line: bytes, odd: list[str]) -> tuple[str, str | None]:
    """The line as a text, and what is wrong with its bytes: they are replaced then."""
    try:
        return line.decode(), None
    except UnicodeDecodeError as error:
        odd.append("bytes that are not UTF-8")
        return line.decode(errors="replace"), f"not UTF-8 at byte {error.start + 1}"


def loads(line: bytes, odd: list[str]) -> Json:
    """The JSON value that a line is. Raises `Unfit`."""
    if has_too_many_values(line):
        raise Unfit(f"more than {VALUES_MAX} values in one line")
    try:
        document: Json = orjson.loads(line)
        return document
    except orjson.JSONDecodeError as error:
        if _LONE_SURROGATE.search(line):
            try:
                # The only reader that lets half a surrogate pass; where one is needed, it is replaced.
                found: Json = json.loads(line, parse_constant=_no_number)
            except (ValueError, RecursionError):
                pass
            else:
                odd.append("half a surrogate")
                return found
        raise Unfit(f"not JSON: {error.msg} at character {error.pos + 1}") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def is_single(document: Json) -> bool:
    """Whether a document is one thing, a post or none: no list, no page, and no answer that there is nothing."""
    if not isinstance(document, dict):
        return not isinstance(document, list)
    return has_id(document) or not (_page_of(document) is not None or _is_empty_answer(document))


def _page_of(document: Fields) -> list[Json] | None:
    """The posts of a page: of v2, or of a search of v1.1, standard or premium."""
    return next((page for name in _PAGES if isinstance(page := document.get(name), list)), None)


def has_id(fields: Fields) -> bool:
    """Whether it is named as a post is."""
    return "id" in fields or "id_str" in fields


def _is_empty_answer(document: Fields) -> bool:
    meta = document.get("meta")
    return document.get("data") is None and isinstance(meta, dict) and meta.get("result_count") == 0


def items_of(document: Json) -> Iterator[tuple[Json, Mapping[str, Fields]]]:
    """The elements of a page or a list, each with the posts that came along; errors of a page come after its posts.

    Of a list of lists, or of pages, it is theirs: so it is read alike in one line and in several.
    """
    waiting = [document]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += reversed(one)
        elif isinstance(one, dict) and not is_single(one):
            yield from _of_page(one)
        else:
            yield one, {}


def _of_page(document: Fields) -> list[tuple[Json, Mapping[str, Fields]]]:
    included = included_posts(document)
    errors = document.get("errors")
    told = [{"errors": [error], **_named(error)} for error in errors] if isinstance(errors, list) else []
    return [(item, included) for item in [*(_page_of(document) or ()), *told]]


def _named(error: Json) -> dict[str, Json]:
    return {name: error[name] for name in ("title", "detail") if name in error} if isinstance(error, dict) else {}


def payload_of(item: Json, included: Mapping[str, Fields]) -> str:
    """An element as a line of its own, with the posts that it passes on, so that it can be read again by itself.

    Raises: `Unfit`.
    """
    needed: dict[str, Fields] = {}
    post: Json | Fields = item
    while isinstance(post, dict) and (other := retweeted_id(post)) is not None:
        if other not in included or other in needed or len(needed) == _PASSED_ON_MAX:
            break
        post = needed[other] = included[other]
    document = {"data": item, "includes": {"tweets": list(needed.values())}} if needed else item
    # Python's own writer: how another spells a number (1e20, 1e+20) changes between releases, and Bronze knows what was
    # rejected by this text.
    try:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        return text if _is_whole(text) else json.dumps(document, separators=(",", ":"))
    except RecursionError:
        raise Unfit("nested too deeply") from None


def _is_whole(text: str) -> bool:
    """Whether a text can be written: half a surrogate cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def named_error(document: Fields) -> str:
    """What an answer says of its error, or of the first of its errors."""
    errors = document.get("errors")
    inner = [document, document.get("error"), errors[0] if isinstance(errors, list) and errors else None]
    told = [part.get(name) for part in inner if isinstance(part, dict) for name in ("detail", "message", "title")]
    return next((text for text in [*told, document.get("error")] if isinstance(text, str) and text), "unnamed")


def is_disconnect(error: Json) -> bool:
    """Whether an error is how a stream of v2 says that it ends."""
    return isinstance(error, dict) and ("disconnect_type" in error or error.get("title") == "operational-disconnect")
