"""The contracts of events, as an expression and as a walk: both say what a validator says that we did not write."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests import worlds
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.ledger.merkle import root
from tradex_ledger.verifying.contract import KNOWN, contracts, faults
from tradex_ledger.verifying.shape import KEYS, shape_of
from tradex_ledger.verifying.trunk import Trunk

LEDGER = "0123456789abcdef"
VALIDATORS = {name: Draft202012Validator(dict(schema)) for name, schema in contracts().items()}
# Python's `$` lets a line end stand behind it, and so does the validator; we do not.
VALUES: list[Any] = [
    None, True, -1, 0, 1, 10**14, "", "x", "é", "\n", '"', "\\", "\x7f", "2024-01-31", "0" * 64, "g" * 64,
    "bf-0123456789abc", "gold_signals", "bronze", "written", "2024-01-31T00:00:00.000000Z", [], [1, 1], {}, {"b": 1},
]  # fmt: skip


def events() -> list[dict[str, Any]]:
    """The events of a made-up ledger, a few of each topic."""
    with closing(sqlite3.connect(worlds.long() / "ledger.db")) as connection:
        found = connection.execute(
            "select entry from (select entry, row_number() over (partition by topic order by position) as n "
            "from events) where n <= 3"
        ).fetchall()
    return [orjson.loads(entry) for (entry,) in found]


def words_of(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {word for part in schema for word in words_of(part)}
    if not isinstance(schema, dict):
        return set()
    named = schema.get("properties", {})
    inner = {word for part in named.values() for word in words_of(part)}
    rest = {key: value for key, value in schema.items() if key not in ("properties", "enum", "const", "required")}
    return {*schema, *inner, *(word for part in rest.values() for word in words_of(part))}


def test_a_contract_says_nothing_that_is_not_understood():
    assert {word for schema in contracts().values() for word in words_of(schema)} <= KNOWN


def test_each_contract_has_an_expression_but_those_with_keys():
    without = {topic for (topic, v), schema in contracts().items() if shape_of(schema, LEDGER, topic, v) is None}
    assert without <= {"approver_keys.added", "approver_keys.proposed", "seal.key_announced"}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("-----BEGIN SSH SIGNATURE-----\nU1NI\n", True),
        ("-----BEGIN SSH SIGNATURE-----\n", True),
        ('-----BEGIN SSH SIGNATURE-----\n"\\\t\u00e9', True),
        ("-----BEGIN SSH SIGNATURE-----", False),
        ("-----BEGIN SSH SIGNATURE-----\\n", False),
        (" -----BEGIN SSH SIGNATURE-----\n", False),
        ("", False),
    ],
)
def test_an_expression_tells_how_a_signature_begins(text: str, fits: bool):
    schema = {
        "type": "object",
        "properties": {"signature": contracts()["backfill.approved", 4]["properties"]["signature"]},
        "required": ["signature"],
        "additionalProperties": False,
    }
    assert (not [*faults(schema, {"signature": text})]) == fits
    shape = shape_of(schema, LEDGER, "some.topic", 1)
    assert shape is not None
    assert bool(shape.fullmatch(entry_of("some.topic", 1, {"signature": text}))) == fits


def entry_of(topic: str, v: int, data: object) -> str:
    return canonical(
        {
            "at": "2024-01-31T00:00:00.000000Z",
            "by": 'ana "é"\n',
            "data": data,
            "ledger": LEDGER,
            "position": 7,
            "stream": "bf-1",
            "topic": topic,
            "v": v,
            "version": 3,
        }
    ).decode()


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inner for place in places(part, (*path, key)))]


def changed(data: Any, path: tuple[Any, ...], value: object, how: str) -> Any:
    whole = {"data": orjson.loads(orjson.dumps(data))}
    *way, last = ("data", *path)
    at: Any = whole
    for key in way:
        at = at[key]
    if how == "drop" and path:
        del at[last]
    elif how == "add" and isinstance(at[last], dict):
        at[last]["more"] = value
    else:
        at[last] = value
    return whole["data"]


@pytest.mark.parametrize("how", ["put", "drop", "add"])
def test_what_is_changed_in_an_event_is_judged_as_a_validator_judges_it(how: str):
    chosen = events()

    @settings(max_examples=150, deadline=None)
    @given(st.sampled_from(chosen), st.data())
    def check(event: dict[str, Any], data: st.DataObject) -> None:
        name = event["topic"], event["v"]
        path = data.draw(st.sampled_from(places(event["data"])))
        value = data.draw(st.sampled_from(VALUES))
        other = changed(event["data"], path, value, how)
        sound = VALIDATORS[name].is_valid(other)
        assert (not list(faults(contracts()[name], other))) == sound, (other, list(faults(contracts()[name], other)))
        shape = shape_of(contracts()[name], LEDGER, *name)
        if shape is not None and isinstance(other, dict):
            found = shape.fullmatch(entry_of(*name, other))
            if shape.rest < KEYS:
                assert (found is not None) == sound, other
            elif sound:
                assert found is not None, other

    check()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(contracts())), st.data())
def test_a_byte_more_less_or_other_is_no_such_entry(name: tuple[str, int], data: st.DataObject) -> None:
    matching = [event for event in events_once() if (event["topic"], event["v"]) == name]
    shape = shape_of(contracts()[name], LEDGER, *name)
    if not matching or shape is None or shape.rest:
        return
    entry = entry_of(*name, matching[0]["data"])
    assert shape.fullmatch(entry)
    at = data.draw(st.integers(0, len(entry) - 1))
    for other in (f"{entry[:at]} {entry[at:]}", entry[:at] + entry[at + 1 :]):
        match = shape.fullmatch(other)
        assert match is None or canonical(orjson.loads(other)).decode() == other


_events: list[dict[str, Any]] = []


def events_once() -> list[dict[str, Any]]:
    if not _events:
        _events.extend(events())
    return _events


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 1000, 65_536, 70_000])
def test_a_root_from_the_roots_of_tiles_is_that_of_all_leaves(size: int):
    leaves = [n.to_bytes(32, "big") for n in range(size)]
    trunk = Trunk()
    full = size // 256
    for begin in range(0, full, 3):
        tiles = range(begin, min(begin + 3, full))
        trunk.add(b"".join(root(leaves[n * 256 : (n + 1) * 256]) for n in tiles))
    assert trunk.root(size, leaves[full * 256 :]) == root(leaves)
    if full:
        assert trunk.root(full * 256 - 256 + 9, leaves[full * 256 - 256 :][:9]) == root(leaves[: full * 256 - 247])
    with pytest.raises(IndexError):
        trunk.root(size + 256, leaves[full * 256 :])
