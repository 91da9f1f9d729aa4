"""What the contract of an event says, as one regular expression over its entry.

An entry is canonical: sorted keys, no spaces, one spelling of each value. A schema of `schema/events` whose objects are
closed and whose properties are all required has therefore one text for each value, and an expression tells at once that
an entry is canonical, is of this ledger, and keeps the contract: at a fifth of what reading it as JSON costs. What an
expression cannot tell (the order of the keys of a map, items that must differ) is left to `contract.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tradex_ledger.ledger.entry import quoted
from tradex_ledger.outside import Json

Match = Callable[[str], "re.Match[str] | None"]
Lines = Callable[[str], list[tuple[str | None, ...]]]
Schema = Mapping[str, Any]

_ESCAPE = r'\\(?:["\\bfnrt]|u00[01][0-9a-f])'
_CHARACTER = rf'(?:[^"\\\x00-\x1f]|{_ESCAPE})'
_TEXT = rf'[^"\\\x00-\x1f]*+(?:{_ESCAPE}[^"\\\x00-\x1f]*+)*+'
TIME = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
_ABOVE = "[1-9][0-9]{0,14}+"  # what has more digits may be beyond 2^53-1: `contract.py` counts
_INTEGERS = {None: f"(?:0|-?{_ABOVE})", 0: f"(?:0|{_ABOVE})", 1: _ABOVE}
_HEX = "[0-9a-f]", "[0-9a-f\ud800]"
"""A set of characters, and how it is said: one of three ranges is looked up in a table, at half of what it takes to
compare with two. No entry has that third character: what a database gives as text is encoded before it is judged.
"""
_PLAIN_PATTERN = re.compile(r"\^[A-Za-z0-9_\-\[\]{},()|.:+/=\\]*\$")
"""Of patterns whose texts are written without escapes: they can stand in an expression as they are."""
_BEGINNING = re.compile(r"\^([A-Za-z0-9 \-\n]+)")
"""Of patterns that say how a text begins, and no more."""


ALL, KEYS, MORE = range(3)
KEPT = 2
GROUPS = (1, KEPT + 2, KEPT + 3, KEPT + 4)
"""Where a match has the time, the position, the stream and the version: behind the groups of the data."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The expression for entries of one topic and version, and the `rest` that it does not tell: nothing (ALL), the
    order of the keys of a map (KEYS), or more (MORE).

    A match has the groups of `GROUPS`, and from 2 on those of the data that were asked for. `lines` finds the groups of
    each line that is such an entry, at three quarters of what it costs to match them one by one.
    """

    fullmatch: Match
    rest: int
    text: str

    def lines(self) -> Lines:
        """The groups of each line of a text that is such an entry, in order: no expression goes beyond a line."""
        return re.compile(f"(?m)^{self.text}\n").findall


class _NoShapeError(Exception):
    """A schema that no expression stands for."""


def shape_of(schema: Schema, ledger: str, topic: str, v: int, keep: Sequence[str] = ()) -> Shape | None:
    """The shape of the entries of a topic and version in a ledger; None where the schema has none.

    `keep` are properties of the data, plain texts, at most `KEPT`; each becomes a group, in the order of their names.
    """
    try:
        data = _value(schema, keep)
    except _NoShapeError:
        return None
    none = "()" * (KEPT - len(keep))
    text = (
        rf'\{{"at":"({TIME})","by":"{_TEXT}","data":{data}{none},"ledger":{re.escape(quoted(ledger))},"position":([0-9]++),'
        rf'"stream":"([^"\\\x00-\x1f]*+)","topic":{re.escape(quoted(topic))},"v":{v},"version":([0-9]++)\}}'
    )
    return Shape(re.compile(text).fullmatch, _rest(schema), text)


def _value(schema: Schema, keep: Sequence[str] = ()) -> str:
    if "const" in schema:
        return _literal(schema.get("const"))
    if "enum" in schema:
        return f"(?:{'|'.join(map(_literal, schema.get('enum', ())))})"
    if "oneOf" in schema:
        return f"(?:{'|'.join(map(_value, schema.get('oneOf', ())))})"
    kinds = schema.get("type")
    if kinds is None:
        raise _NoShapeError
    kinds = [kinds] if isinstance(kinds, str) else kinds
    told = [_of_kind(kind, schema, keep) for kind in kinds]
    return told[0] if len(told) == 1 else f"(?:{'|'.join(told)})"


def _of_kind(kind: str, schema: Schema, keep: Sequence[str]) -> str:
    match kind:
        case "null":
            return "null"
        case "boolean":
            return "(?:true|false)"
        case "integer" if schema.get("minimum") in _INTEGERS and "maximum" not in schema:
            return _INTEGERS[schema.get("minimum")]
        case "string":
            return f'"{_text(schema)}"'
        case "array":
            return _array(schema)
        case "object":
            return _object(schema, keep)
    raise _NoShapeError


def _text(schema: Schema) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength", "")
    if pattern := schema.get("pattern"):
        if (begun := _BEGINNING.fullmatch(pattern)) and not least and not most:
            return _literal(begun[1])[1:-1] + _TEXT
        if least or most or not _PLAIN_PATTERN.fullmatch(pattern):
            raise _NoShapeError
        inner = pattern[1:-1].replace("(", "(?:")
        return f"(?:{inner.replace(chr(92) + 'd', '[0-9]').replace(*_HEX)})"
    if most == "" and least <= 1:
        return f'(?!"){_TEXT}' if least else _TEXT
    return f"{_CHARACTER}{{{least},{most}}}+"


def _array(schema: Schema) -> str:
    item, least, most = _value(schema.get("items", {})), schema.get("minItems", 0), schema.get("maxItems")
    if least > 1 or most == 0:
        raise _NoShapeError
    some = f"{item}(?:,{item})*+" if most is None else f"{item}(?:,{item}){{0,{most - 1}}}+"
    return rf"\[{some}\]" if least else rf"\[(?:{some})?+\]"


def _object(schema: Schema, keep: Sequence[str]) -> str:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    if isinstance(others, Mapping) and not properties:
        pair = f"{_value({'type': 'string', **schema.get('propertyNames', {})})}:{_value(others)}"
        return rf"\{{(?:{pair}(?:,{pair})*+)?+\}}"
    if others is not False or set(schema.get("required", ())) != set(properties):
        raise _NoShapeError
    told = []
    for name in sorted(properties):
        value = _value(properties[name])
        told.append(f"{re.escape(quoted(name))}:" + (f'"({value[1:-1]})"' if name in keep else value))
    return rf"\{{{','.join(told)}\}}"


def _literal(value: Json) -> str:
    return re.escape(orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode())


def _rest(schema: Schema) -> int:
    """What of a schema is beyond an expression."""
    others = schema.get("additionalProperties")
    if "uniqueItems" in schema:
        return MORE
    parts = [*schema.get("properties", {}).values(), *schema.get("oneOf", ())]
    if (each := schema.get("items")) is not None:
        parts.append(each)
    if isinstance(others, Mapping):
        return max(KEYS, *map(_rest, [others, *parts]))
    return max(map(_rest, parts), default=ALL)
