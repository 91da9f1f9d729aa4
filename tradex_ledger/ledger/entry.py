"""The entry: an event as the exact bytes that are stored once and hashed.

One line of UTF-8 JSON with sorted keys, no floats, integers within ±(2^53-1). For such values the
result equals RFC 8785 (JSON Canonicalization Scheme).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from gc import get_referents
from typing import Any, NamedTuple, TypeAlias

import orjson

from tradex_ledger.domain.facts import Facts
from tradex_ledger.errors import UsageError

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 100
Said: TypeAlias = tuple[str, int, str, str, Facts, int]
"""stream, version, topic, by, data, v: what an event says before it has a position and a time."""
_STATE_KEYS = 3  # by, data, v
_STRICT = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_KINDS = frozenset({str, int, bool, type(None), dict, list, tuple})


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


_FIELDS = [*Entry._fields]


def canonical(value: object) -> bytes:
    """The one byte form of a value.

    Raises: NotCanonicalError, naming the place such as `data.rows`.
    """
    try:
        text = orjson.dumps(value, option=_STRICT)
        if text.isascii() and _is_plain([value]):
            return text
    except orjson.JSONEncodeError:
        pass  # what it is, and where, is told below
    _check(value, 0)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def canonical_each(values: Sequence[object]) -> list[bytes]:
    """The one byte form of each value, as `canonical`; where all are plain, at half of the cost.

    Raises: NotCanonicalError, naming the place in the first of them that has one.
    """
    try:
        texts = [orjson.dumps(value, option=_STRICT) for value in values]
    except orjson.JSONEncodeError:
        return [*map(canonical, values)]  # what it is, and where, is told there
    if not _is_plain(values):
        return [*map(canonical, values)]
    return [text if text.isascii() else canonical(value) for text, value in zip(texts, values, strict=True)]


def entries(ledger: str, first: int, at: str, said: Sequence[Said]) -> list[bytes]:
    """The entries of one save, which begins at a position. Raises: `NotCanonicalError`."""
    return canonical_each(
        [
            {
                "at": at,
                "by": by,
                "data": data,
                "ledger": ledger,
                "position": position,
                "stream": stream,
                "topic": topic,
                "v": v,
                "version": version,
            }
            for position, (stream, version, topic, by, data, v) in enumerate(said, first)
        ]
    )


def compose(ledger: str, position: int, at: str, stream: str, version: int, topic: str, *, state: bytes) -> bytes:
    """The entry of one event with a state: see `said_in`."""
    return entries(ledger, position, at, [(stream, version, topic, *said_in(state))])[0]


def said_in(state: bytes) -> tuple[str, Facts, int]:
    """What a state says: `by`, `data` and `v`, when it is canonical `{"by":…,"data":{…},"v":N}`, N from 1.

    Any other state is kept as opaque bytes under version 0 of no author, so `state_of` gives it back.
    """
    try:
        match orjson.loads(state):
            case {"by": str(by), "data": dict(data), "v": int(v)} as value if len(value) == _STATE_KEYS:
                if type(v) is int and v >= 1 and canonical(value) == state:
                    return by, data, v
    except (orjson.JSONDecodeError, NotCanonicalError):
        pass
    return "", {"opaque": b64encode(state).decode()}, 0


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
        if [*fields] == _FIELDS:  # as they are written: half of what it costs to look for each
            return Entry._make(fields.values())
        return Entry(**fields)
    except (orjson.JSONDecodeError, TypeError, AttributeError) as error:
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


def _is_plain(values: Sequence[object]) -> bool:
    """Whether nothing in values is of a kind, or nested as deep, as the ledger does not hold.

    What `_check` looks at besides, texts, keys and integers, orjson has seen to. Level by level, whose kinds are
    looked at together, and then all that its containers hold: a walk from each to the next costs thrice as much.
    """
    level = values
    for _ in range(MAX_DEPTH):
        if not _KINDS.issuperset(map(type, level)):
            return False
        level = get_referents(*level)  # of a text, a number, a truth and nothing: none
        if not level:
            return True
    return False  # as deep as allowed, or deeper


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
