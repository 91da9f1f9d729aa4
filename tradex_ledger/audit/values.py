"""The values of an answer, exactly as DuckDB has them.

Its Python client cannot hand over everything: a time with a zone needs a package that we have no other use for,
infinity comes as the year 9999, a month as thirty days, nanoseconds are cut off. So days, times and the like are
fetched as text, wherever they are nested, and made values of Python where those can say the same; else they stay text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, TypeAlias
from uuid import UUID

import duckdb
from duckdb.sqltypes import DuckDBPyType

from tradex_ledger.datasets.sandbox import one_select

Plain: TypeAlias = bool | int | float | Decimal | str | bytes | date | datetime | time | timedelta | UUID | None
Value: TypeAlias = "Plain | list[Value] | tuple[Value, ...] | dict[Value, Value]"
"""What Python has for a value of DuckDB."""
Read: TypeAlias = Callable[[Any], Value]
"""How what is fetched becomes a value; it takes what its own SQL gives."""
_MOMENT = re.compile(r"(\d{4,}-\d\d-\d\d)((?: \(BC\))?) (\d\d:\d\d:\d\d)(?:\.(\d+))?(\+00)?")
_DIGITS_MAX = 4000  # Python reads no longer number
_MOMENTS = ("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone")


def values_of(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[list[str], list[str], list[tuple[Value, ...]]]:
    """The names of the columns, their types as DuckDB calls them, and the rows of one SELECT.

    Raises: `NotOneSelectError`, `duckdb.Error`.
    """
    found = connection.sql(one_select(connection, sql))
    numbers = count()
    columns = [_column(kind, f"#{number}", numbers) for number, kind in enumerate(found.types, start=1)]
    names, types, reads = list(found.columns), [str(kind) for kind in found.types], [read for _, read in columns]
    if any(reads):
        found = found.project(", ".join(text for text, _ in columns))
    rows = found.fetchall()
    if any(reads):
        rows = [tuple(_read(value, read) for value, read in zip(row, reads, strict=True)) for row in rows]
    return names, types, rows


def bare(sql: str) -> str:
    """The statement without the semicolons and comments after it: it is going to be a part of another one."""
    text = sql.encode()
    end = len(text)
    for start, kind in reversed(duckdb.tokenize(sql)):
        if kind != duckdb.token_type.comment and text[start:end].strip() != b";":
            break
        end = start
    return text[:end].decode()


def _read(value: Value, read: Read | None) -> Value:
    return value if value is None or read is None else read(value)


def _column(kind: DuckDBPyType, text: str, numbers: count[int]) -> tuple[str, Read | None]:
    """How a value of a type is fetched (SQL over `text`), and how what comes is read; None: as it is."""
    if kind.id in ("list", "array"):
        return _list(kind, text, numbers)
    if kind.id in ("struct", "tuple"):
        return _struct(kind, text, numbers)
    if kind.id == "map":
        return _map(kind, text, numbers)
    if kind.id == "union":
        return _union(kind, text, numbers)
    read = _READS.get("moment" if kind.id in _MOMENTS else kind.id)
    return (f"({text})::varchar", read) if read else (text, None)


def _list(kind: DuckDBPyType, text: str, numbers: count[int]) -> tuple[str, Read | None]:
    item = f"item{next(numbers)}"
    (_, kind_of_item), *_ = _children(kind)
    inner, read = _column(kind_of_item, item, numbers)
    if read is None:
        return text, None
    return f"list_transform({text}, lambda {item}: {inner})", lambda found: [_read(value, read) for value in found]


def _struct(kind: DuckDBPyType, text: str, numbers: count[int]) -> tuple[str, Read | None]:
    children = _children(kind)
    names = [name for name, _ in children]
    parts = [
        _column(child, f"({text})[{place}]" if kind.id == "tuple" else f"({text}).{_quoted(name)}", numbers)
        for place, (name, child) in enumerate(children, start=1)
    ]
    reads = [read for _, read in parts]
    if not any(reads):
        return text, None

    def read(found: tuple[Value, ...]) -> Value:
        values = tuple(map(_read, found, reads))
        return values if kind.id == "tuple" else dict(zip(names, values, strict=True))

    return _row(text, [part for part, _ in parts]), read


def _map(kind: DuckDBPyType, text: str, numbers: count[int]) -> tuple[str, Read | None]:
    (_, key), (_, value) = _children(kind)
    item = f"item{next(numbers)}"
    key_text, read_key = _column(key, f"{item}.key", numbers)
    value_text, read_value = _column(value, f"{item}.value", numbers)
    if not (read_key or read_value) and key.id not in ("list", "array", "struct", "tuple", "map", "union"):
        return text, None

    def read(found: list[tuple[Value, Value]]) -> Value:
        pairs = [(_read(one, read_key), _read(other, read_value)) for one, other in found]
        try:
            return dict(pairs)
        except TypeError:  # a list or struct is no key of Python
            return [{"key": one, "value": other} for one, other in pairs]

    entry = _row(item, [key_text, value_text])
    return f"list_transform(map_entries({text}), lambda {item}: {entry})", read


def _union(kind: DuckDBPyType, text: str, numbers: count[int]) -> tuple[str, Read | None]:
    members = _children(kind)[1:]  # the first is the tag
    parts = [
        _column(child, f"union_extract({text}, '{name.replace(chr(39), chr(39) * 2)}')", numbers)
        for name, child in members
    ]
    if not any(read for _, read in parts):
        return text, None
    places: dict[Value, int] = {name: place for place, (name, _) in enumerate(members, start=1)}

    def read(found: tuple[Value, ...]) -> Value:
        place = places[found[0]]
        return _read(found[place], parts[place - 1][1])

    return _row(text, [f"union_tag({text})::varchar", *(part for part, _ in parts)]), read


def _children(kind: DuckDBPyType) -> list[tuple[str, DuckDBPyType]]:
    """The types within a type; what else belongs to it (how long an array is) is no type."""
    return [(name, child) for name, child in kind.children if isinstance(child, DuckDBPyType)]


def _row(text: str, parts: list[str]) -> str:
    return f"case when {text} is not null then row({', '.join(parts)}) end"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _moment(text: str) -> datetime | str:
    """A time, UTC; beyond what Python's years and microseconds can say, as ISO text."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return text  # infinity
    day, before, clock, fraction, zone = found.groups()
    fraction = (fraction or "").ljust(6, "0")
    if not before and len(day) == 10 and not fraction[6:].strip("0"):
        with suppress(ValueError):
            moment = datetime.fromisoformat(f"{day}T{clock}.{fraction[:6]}")
            return moment.replace(tzinfo=UTC) if zone else moment
    return f"{day}T{clock}.{fraction}Z{before}"


def _day(text: str) -> date | str:
    with suppress(ValueError):
        return date.fromisoformat(text)
    return text


def _time(text: str) -> time | str:
    with suppress(ValueError):
        found = time.fromisoformat(text)
        if len(text.partition(".")[2].partition("+")[0].partition("-")[0]) <= 6:
            return found
    return text


def _number(text: str) -> int | str:
    return int(text) if len(text) <= _DIGITS_MAX else text


_READS: dict[str, Read] = {
    "moment": _moment,
    "date": _day,
    "time": _time,
    "time_ns": _time,
    "time with time zone": _time,
    "interval": str,
    "bignum": _number,
    "variant": str,
    "geometry": str,
}
