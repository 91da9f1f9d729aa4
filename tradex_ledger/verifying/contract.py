"""The contract of an event's data: what is not as `schema/events` says, in words.

Of JSON Schema it knows what the contracts use; `tests/verifying` holds it against a validator that we did not write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import orjson

from tradex_ledger import resources

Schema = Mapping[str, Any]

_KINDS: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}
KNOWN = frozenset(
    {
        *("type", "const", "enum", "oneOf", "pattern", "minLength", "maxLength", "minimum", "items", "minItems"),
        *("maxItems", "uniqueItems", "properties", "required", "additionalProperties", "propertyNames"),
        *("$schema", "$id", "title", "description"),
    }
)
"""All that the contracts may say; the last four bind nothing."""


@cache
def contracts() -> Mapping[tuple[str, int], Schema]:
    """The contract of each topic and version that this release knows."""
    found: dict[tuple[str, int], Schema] = {}
    for name in resources.names("schema/events"):
        topic, _, version = name.removesuffix(".json").rpartition(".v")
        found[topic, int(version)] = orjson.loads(resources.read_text("schema", "events", name))
    return found


def faults(schema: Schema, value: object, path: str = "data") -> Iterator[str]:
    """What of a value a schema does not allow, with the place."""
    if "const" in schema or "enum" in schema:
        allowed = schema.get("enum", [schema.get("const")])
        if not any(type(one) is type(value) and one == value for one in allowed):
            yield f"{path} is {_short(value)}, which is none of {_short(allowed)}"
        return
    if "oneOf" in schema:
        tries = [list(faults(one, value, path)) for one in schema.get("oneOf", ())]
        if sum(not told for told in tries) != 1:
            yield f"{path} is none of what it may be: {'; '.join(told[0] for told in tries if told)}"
        return
    kinds = schema.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else kinds
    if not any(type(value) in _KINDS[kind] for kind in kinds):
        yield f"{path} is {_short(value)}, which is no {' or '.join(kinds)}"
    elif isinstance(value, str):
        yield from _text(schema, value, path)
    elif isinstance(value, int):
        least = schema.get("minimum", value)
        if not isinstance(value, bool) and value < least:
            yield f"{path} is {value}, less than {least}"
    elif isinstance(value, list):
        yield from _items(schema, value, path)
    elif isinstance(value, dict):
        yield from _members(schema, value, path)


def _text(schema: Schema, value: str, path: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{path} has {len(value)} characters"
    # A `$` of Python allows a newline behind it, one of JSON Schema does not.
    pattern = schema.get("pattern", "")
    if not re.search(pattern.replace("$", r"\Z"), value):
        yield f"{path} is {_short(value)}, which is not of the form {pattern}"


def _items(schema: Schema, value: list[object], path: str) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{path} has {len(value)} items"
    if schema.get("uniqueItems"):
        written = [orjson.dumps(item, option=orjson.OPT_SORT_KEYS) for item in value]
        if len(set(written)) < len(written):
            yield f"{path} has an item twice"
    if (each := schema.get("items")) is not None:
        for index, item in enumerate(value):
            yield from faults(each, item, f"{path}[{index}]")


def _members(schema: Schema, value: dict[str, object], path: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    named = schema.get("propertyNames")
    yield from (f"{path} lacks {name}" for name in schema.get("required", ()) if name not in value)
    for name, member in value.items():
        if named is not None:
            yield from faults({"type": "string", **named}, name, f"the name {name!r} in {path}")
        if name in properties:
            yield from faults(properties[name], member, f"{path}.{name}")
        elif others is False:
            yield f"{path} has {name}, of which the contract says nothing"
        elif isinstance(others, Mapping):
            yield from faults(others, member, f"{path}.{name}")


def _short(value: object) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 80 else f"{text[:79]}…"
