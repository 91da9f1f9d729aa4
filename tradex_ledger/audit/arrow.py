"""Rows as a table of Arrow: an answer's as DuckDB typed them, a document's by what its columns hold.

Times are UTC, to the microsecond. A column with a value that its type cannot say (infinity, the year 10000, a
nanosecond) is one of texts; so is what is nested in a way that Arrow has no type for, as JSON. A map is one, also where
it is empty: a struct without a field, as Arrow would guess, is what Parquet cannot hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import duckdb
import pyarrow as pa

_TIME = pa.timestamp("us", tz="UTC")
_TYPES = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "UTINYINT": pa.uint8(),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
    "UBIGINT": pa.uint64(),
    "HUGEINT": pa.decimal128(38),
    "UHUGEINT": pa.decimal256(39),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "UUID": pa.string(),
    "BLOB": pa.binary(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": _TIME,
    "TIMESTAMP_S": _TIME,
    "TIMESTAMP_MS": _TIME,
    "TIMESTAMP_NS": _TIME,
    "TIMESTAMP WITH TIME ZONE": _TIME,
}
_DAYS = frozenset({"day", "days", "date", "partition", "first", "last", "from", "to", "range_from", "range_to"})
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z")
_FAILS = (pa.ArrowException, TypeError, ValueError, OverflowError)

Text = Callable[[object], str]


def table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], text: Text, types: Sequence[str] | None = None
) -> pa.Table:
    """Rows under names (which may stand twice). `types`: DuckDB's names for them; `text`: a value as a text."""
    made = []
    for place, column in enumerate(columns):
        values = [row[place] for row in rows]
        made.append(_typed(values, types[place], text) if types else _told(column, values, text))
    return pa.Table.from_arrays(made, names=list(columns))


def _typed(values: list[object], name: str, text: Text) -> pa.Array:
    """A column of DuckDB's type."""
    kind = _kind(name)
    with suppress(*_FAILS):
        if kind is not None:
            return pa.array([_plain(value) for value in values], kind)
    return _texts(values, text)


def _kind(name: str) -> pa.DataType | None:
    """Arrow's type for a name of DuckDB's; None: it has none."""
    return _nested(duckdb.sqltype(name)) if name.endswith((")", "]")) else _TYPES.get(name)


def _nested(found: duckdb.sqltypes.DuckDBPyType) -> pa.DataType | None:
    if found.id == "decimal":
        (_, precision), (_, scale) = found.children
        return pa.decimal128(precision, scale)
    if found.id == "enum":
        return pa.string()
    if found.id not in ("list", "array", "map", "struct"):
        return _TYPES.get(str(found))
    # An array's other child is its length.
    parts = [(name, _nested(kind)) for name, kind in found.children if isinstance(kind, duckdb.sqltypes.DuckDBPyType)]
    if any(kind is None for _, kind in parts):
        return None
    if found.id == "struct":
        return pa.struct(parts)
    kinds = [kind for _, kind in parts]
    return pa.map_(*kinds) if found.id == "map" else pa.list_(*kinds)


def _told(column: str, values: list[object], text: Text) -> pa.Array:
    """A column of a document: its days and times are texts, which its name tells."""
    said = [value for value in values if value is not None]
    if column in _DAYS and said and all(isinstance(value, str) and _DAY.fullmatch(value) for value in said):
        with suppress(*_FAILS):
            return pa.array(values, pa.string()).cast(pa.date32())
    if column.endswith("_at") or column == "at":
        with suppress(*_FAILS):
            return pa.array([_moment(value) for value in values], _TIME)
    if not said or any(isinstance(value, str) for value in said):
        return _texts(values, text)
    with suppress(*_FAILS):
        made = pa.array([_plain(value) for value in values])
        return _texts(values, text) if _is_hollow(made.type) else made
    return _texts(values, text)


def _is_hollow(kind: pa.DataType) -> bool:
    """Whether there is a struct in it that has no field."""
    inner = [kind.field(number).type for number in range(kind.num_fields)]
    return (pa.types.is_struct(kind) and not inner) or any(_is_hollow(one) for one in inner)


def _moment(value: object) -> datetime | None:
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return datetime.fromisoformat(value)
    plain = _plain(value)
    if plain is None or isinstance(plain, datetime):
        return plain
    raise ValueError(value)


def _plain(value: object) -> object:
    """A value as Arrow takes it: a time without a zone is one of UTC."""
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    if isinstance(value, str | bytes | bool | int | float | Decimal | date | time | list | dict) or value is None:
        return value
    return str(value) if isinstance(value, UUID) else value


def _texts(values: list[object], text: Text) -> pa.Array:
    return pa.array([None if value is None else text(value) for value in values], pa.string())
