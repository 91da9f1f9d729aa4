"""The entry: an event as the exact bytes that are stored once and hashed.

One line of UTF-8 JSON with sorted keys, no floats, integers within ±(2^53-1). For such values the
result equals RFC 8785 (JSON Canonicalization Scheme).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from tradex_ledger.domain.facts import Facts
from tradex_ledger.errors import UsageError

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 100
_STATE_KEYS = 3  # by, data, v
_STRICT = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_SCALARS = frozenset({str, int, bool, type(None)})
_CONTAINERS = frozenset({dict, list, tuple})
_KINDS = _SCALARS | _CONTAINERS


class NotCanonicalError(UsageError, TypeError):
    """A value that has no place in the ledger, and where it sits."""

    code = "not-canonical"

    def __init__(self, reason: str, path: str = "") -> None:
        self.reason = reason
        self.path = path
        super().__init__(f"{path or 'the value'} {reason}")

    def under(self, key: str) -> NotCanonicalError:
        """The same fault, seen from the container around it."""
        joint = "." if self.path and not self.path.startswith("[") else ""
        return NotCanonicalError(self.reason, f"{key}{joint}{self.path}")


class Entry(NamedTuple):
    """An event as the ledger holds it."""

    at: str
    by: str
    data: Facts
    ledger: str
    position: int
    stream: str
    topic: str
    v: int
    version: int


def canonical(value: object) -> bytes:
    """The one byte form of a value.

    Raises: NotCanonicalError, naming the place such as `data.rows`.
    """
    try:
        text = orjson.dumps(value, option=_STRICT)
        if text.isascii() and _is_plain(value, 0):
            return text
    except orjson.JSONEncodeError:
        pass  # what it is, and where, is told below
    _check(value, 0)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def compose(
    ledger: str,
    position: int,
    at: str,
    stream: str,
    version: int,
    topic: str,
    *,
    state: bytes,
    checked: bool = False,
) -> bytes:
    """The entry of an event whose state is canonical `{"by":…,"data":{…},"v":N}`, N from 1.

    Any other state is kept as opaque bytes under version 0 of no author, so `state_of` gives it back.
    `checked` says that the state is known to be of that form, which is dear to find out.
    """
    if not checked and not _is_event_state(state):
        state = b'{"by":"","data":{"opaque":"%b"},"v":0}' % b64encode(state)
    # Spliced, not parsed and written again: `by` and `data` sort before the names of the envelope,
    # `v` and `version` after them. The last `,"v":` is the state's own, since quotes inside texts
    # are escaped and everything in `data` comes before it.
    text = state.decode()
    cut = text.rindex(',"v":')
    return (
        f'{{"at":"{at}",{text[1:cut]},"ledger":{quoted(ledger)},"position":{position},'
        f'"stream":{quoted(stream)},"topic":{quoted(topic)}{text[cut:-1]},"version":{version}}}'
    ).encode()


def state_of(entry: bytes) -> bytes:
    """What a recorder hands back as an event's state: the whole entry, or the opaque bytes given to it."""
    end = entry.rindex(b',"version":')
    if entry.endswith(b',"v":0', 0, end):
        return b64decode(parse(entry).data["opaque"])
    return entry


def parse(entry: bytes | str) -> Entry:
    """The fields of an entry.

    Raises: NotCanonicalError if the bytes are no entry.
    """
    try:
        fields = orjson.loads(entry)
        return Entry(**fields)
    except (orjson.JSONDecodeError, TypeError) as error:
        raise NotCanonicalError(f"is no entry: {error}") from error


def format_time(moment: datetime) -> str:
    """A time as entries write it: UTC with six digits of a second, so that texts sort as times do.

    Raises: `UsageError` for a time without a zone.
    """
    if moment.tzinfo is None:
        raise UsageError(f"the time {moment.isoformat()} names no time zone", mend="add one, such as Z")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_time(text: str) -> datetime:
    """The time (UTC) that `format_time` wrote. Raises: `UsageError` for any other text."""
    refusal = UsageError(f"{text!r} is no time of the form 2026-01-31T23:59:59.000000Z")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise refusal from error
    if moment.tzinfo is None or format_time(moment) != text:
        raise refusal
    return moment


@lru_cache(maxsize=1024)
def quoted(text: str) -> str:
    """A text as JSON writes it."""
    return orjson.dumps(text).decode()


def _is_event_state(state: bytes) -> bool:
    """Whether a state is, byte for byte, what `canonical` makes of an event."""
    try:
        match orjson.loads(state):
            case {"by": str(), "data": dict(), "v": int(v)} as value if len(value) == _STATE_KEYS:
                return type(v) is int and v >= 1 and canonical(value) == state
        return False
    except (orjson.JSONDecodeError, NotCanonicalError):
        return False


def _is_plain(value: Any, depth: int) -> bool:
    """Whether nothing in a value is of a kind, or nested as deep, as the ledger does not hold.

    What `_check` looks at besides, texts, keys and integers, orjson has seen to. A look at the kinds of all that a
    container holds at once costs a third of one look each.
    """
    if type(value) in _SCALARS:
        return True
    if type(value) not in _CONTAINERS or depth == MAX_DEPTH:
        return False
    items = value.values() if type(value) is dict else value
    kinds = {*map(type, items)}
    if kinds <= _SCALARS:
        return True
    if not kinds <= _KINDS:
        return False
    for item in items:  # noqa: SIM110 — a generator would cost as much again
        if type(item) in _CONTAINERS and not _is_plain(item, depth + 1):
            return False
    return True


def _check(value: Any, depth: int) -> None:
    # Exact types: a subclass (an enum, say) would be written in a way of its own and read back as another.
    kind = type(value)
    if kind is str:
        if not value.isascii():
            _check_text(value)
    elif kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise NotCanonicalError(f"is {value}, beyond ±(2^53-1)")
    elif kind is dict or kind is list or kind is tuple:
        if depth == MAX_DEPTH:
            raise NotCanonicalError(f"is nested more than {MAX_DEPTH} deep")
        if kind is dict:
            _check_items(value, depth + 1)
        else:
            _check_elements(value, depth + 1)
    elif kind is not bool and value is not None:
        raise NotCanonicalError(f"is of type {kind.__name__}, which the ledger does not hold")


def _check_items(items: dict[object, object], depth: int) -> None:
    for key, item in items.items():
        if type(key) is not str or not key.isascii():
            raise NotCanonicalError(f"has the key {key!r}, which is no ASCII text")
        try:
            _check(item, depth)
        except NotCanonicalError as error:
            raise error.under(key) from None


def _check_elements(elements: Sequence[object], depth: int) -> None:
    for index, element in enumerate(elements):
        try:
            _check(element, depth)
        except NotCanonicalError as error:
            raise error.under(f"[{index}]") from None


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NotCanonicalError(f"is {text!a}, which is not Unicode text") from error
