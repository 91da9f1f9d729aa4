"""The bytes of an entry are the one canonical form of what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from tradex_ledger.errors import UsageError
from tradex_ledger.ledger.entry import (
    MAX_INTEGER,
    NotCanonicalError,
    canonical,
    canonical_each,
    compose,
    format_time,
    parse,
    parse_time,
    state_of,
)

AT = "2026-01-31T23:59:59.000000Z"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
keys = st.text(st.characters(max_codepoint=127), max_size=8)
scalars = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)
states = st.fixed_dictionaries({"by": texts, "data": st.dictionaries(keys, values, max_size=5), "v": st.integers(1, 9)})


class Colour(StrEnum):
    RED = "red"


class Named(str):
    """A text of a kind of its own."""


class Listed(list[int]):
    """A list of a kind of its own."""


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@given(values)
def test_canonical_bytes_equal_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.lists(values, max_size=4))
def test_many_values_are_written_as_each_is(several: list[Any]) -> None:
    assert canonical_each(several) == [canonical(value) for value in several]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"data": {"rows": 1.0}}, "data.rows"),
        ({"data": {"files": [{"bytes": 2**53}]}}, "data.files[0].bytes"),
        ({"data": {"rows": -(2**53)}}, "data.rows"),
        ({"data": [1, [float("nan")]]}, "data[1][0]"),
        ({"day": datetime(2026, 1, 1, tzinfo=UTC)}, "day"),
        ({"colour": Colour.RED}, "colour"),
        ({"data": {"é": 1}}, "data"),
        ({"data": {1: 1}}, "data"),
        ({"raw": b"x"}, "raw"),
        ({"some": {1, 2}}, "some"),
        ({"text": "\ud800"}, "text"),
        ({"deep": nested(1000)}, "deep[0][0]"),
        ({"deep": nested(99)}, "deep[0][0]"),
        ({"data": {"files": [{"rows": 1}, {"rows": 1.5}]}}, "data.files[1].rows"),
        ({"data": {"rows": [1, Colour.RED]}}, "data.rows[1]"),
        ({"data": {"id": UUID(int=1)}}, "data.id"),
        ({"data": {"id": Named("x")}}, "data.id"),
        ({"data": [Listed([1])]}, "data[0]"),
    ],
)
def test_what_has_no_place_in_the_ledger_is_refused_by_its_path(value: Any, path: str) -> None:
    with pytest.raises(NotCanonicalError) as refusal:
        canonical(value)
    assert str(refusal.value).startswith(path)
    assert refusal.value.path.startswith(path)
    assert isinstance(refusal.value, TypeError)
    with pytest.raises(NotCanonicalError) as among_others:
        canonical_each([{"data": "sound"}, {"data": "sound, ü"}, value])
    assert str(among_others.value) == str(refusal.value)


def test_the_deepest_nesting_is_held() -> None:
    assert canonical({"deep": nested(98)}) == b'{"deep":' + b"[" * 99 + b"]" * 99 + b"}"


def test_the_outermost_integers_are_held() -> None:
    assert canonical([MAX_INTEGER, -MAX_INTEGER]) == b"[9007199254740991,-9007199254740991]"


@given(states, texts, texts, texts, st.integers(1, 10**9), st.integers(0, 10**6))
@example({"by": ',"v":1', "data": {"v": ',"v":2,"version":'}, "v": 3}, ',"v":0', "s", "t", 1, 1)
def test_an_entry_is_canonical_and_says_what_was_put_in(
    state: dict[str, Any], ledger: str, stream: str, topic: str, position: int, version: int
) -> None:
    entry = compose(ledger, position, AT, stream, version, topic, state=canonical(state))
    expected = state | {
        "at": AT,
        "ledger": ledger,
        "position": position,
        "stream": stream,
        "topic": topic,
        "version": version,
    }
    assert entry == rfc8785.dumps(expected)
    assert parse(entry)._asdict() == expected
    assert state_of(entry) == entry


@given(st.binary(max_size=60))
@example(b'{"by":"","data":{},"v":0}')
@example(b'{"by": "","data":{},"v":1}')
@example(b'{"by":"","data":{"x":1.5},"v":1}')
@example(b'{"by":"","data":{"x":9007199254740992},"v":1}')
@example(b'{"by":"","data":{"b":1,"a":1},"v":1}')
@example(b'{"by":"","data":{},"v":true}')
@example(b'{"by":"","data":{},"v":1,"w":1}')
@example(b'{"by":"","data":{"opaque":"c3RhdGU="},"v":0}')
@example(b"[]")
@example(b"")
def test_a_state_of_another_form_comes_back_as_the_same_bytes(state: bytes) -> None:
    entry = compose("ld-1", 1, AT, "s", 1, "t", state=state)
    assert entry == rfc8785.dumps(parse(entry)._asdict())
    assert state_of(entry) == state
    assert (parse(entry).by, parse(entry).v) == ("", 0)


ENTRY_NAMES = b'["at","by","data","ledger","position","stream","topic","v","version"]'


@pytest.mark.parametrize("entry", [b"", b"[]", b"{}", b'{"at":1}', b'{"x":1}', ENTRY_NAMES])
def test_bytes_that_are_no_entry_are_refused(entry: bytes) -> None:
    with pytest.raises(NotCanonicalError, match="is no entry"):
        parse(entry)


@given(st.datetimes(timezones=st.timezones(), min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)))
def test_a_time_comes_back_as_it_was_written_down(moment: datetime) -> None:
    text = format_time(moment)
    assert len(text) == len(AT)
    assert parse_time(text) == moment.astimezone(UTC)


def test_a_time_is_written_in_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    assert format_time(datetime(2026, 2, 1, 0, 59, 59, tzinfo=berlin)) == AT


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(UsageError, match="names no time zone"):
        format_time(datetime(2026, 1, 1))


@pytest.mark.parametrize(
    "text", ["", "now", "2026-01-31", "2026-01-31T23:59:59Z", "2026-01-31T23:59:59.000000", AT + "Z"]
)
def test_a_time_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no time of the form"):
        parse_time(text)
