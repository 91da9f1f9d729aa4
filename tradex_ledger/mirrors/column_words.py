"""Types of columns in the words of others. What the files of a lake hold counts, not what a type could hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeGuard

from tradex_ledger.mirrors.step import Column

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

# In files of a lake a HUGEINT is a decimal, an ENUM its text.
_BOTH = {
    "boolean": ("boolean", "boolean"),
    "tinyint": ("byte", "int8"),
    "smallint": ("short", "int16"),
    "integer": ("integer", "int32"),
    "bigint": ("long", "int64"),
    "float": ("float", "float32"),
    "double": ("double", "float64"),
    "hugeint": ("decimal(38,0)", "decimal(38,0)"),
    "varchar": ("string", "varchar"),
    "enum": ("string", "varchar"),
    "json": ("string", "varchar"),
    "blob": ("binary", "blob"),
    "date": ("date", "date"),
    "timestamp": ("timestamp_ntz", "timestamp"),
    "timestamp_s": ("timestamp_ntz", "timestamp"),
    "timestamp_ms": ("timestamp_ntz", "timestamp"),
    "timestamp with time zone": ("timestamp", "timestamptz"),
}
_DUCKLAKE = {
    "utinyint": "uint8",
    "usmallint": "uint16",
    "uinteger": "uint32",
    "ubigint": "uint64",
    "time": "time",
    "uuid": "uuid",
    "timestamp_ns": "timestamp_ns",
}


_NESTED = ("list", "array", "struct", "map")


class NoSuchTypeError(ValueError):
    """A type that the other side has no word for."""


@dataclass(frozen=True, slots=True)
class Type:
    """A type as a tree: its name in lower case, its parts by their names, and of a decimal its width and scale."""

    name: str
    parts: tuple[tuple[str, Type], ...] = ()
    numbers: tuple[int, int] | None = None


@cache
def type_of(text: str) -> Type:
    """The type that a text of ours says; read by the engine that wrote it."""
    import duckdb

    with duckdb.connect() as connection:
        return _tree(connection.type(text))


def _tree(found: DuckDBPyType) -> Type:
    name, text = str(found.id).lower(), str(found).lower()
    if name == "decimal":
        numbers = dict(found.children)
        return Type(name, numbers=(int(str(numbers["precision"])), int(str(numbers["scale"]))))
    parts = [(str(part), _tree(kind)) for part, kind in found.children if _is_type(kind)] if name in _NESTED else []
    if name in ("list", "array"):
        return Type("list", (("element", parts[0][1]),))
    if parts:
        return Type(name, tuple(parts))
    return Type(name if name == "enum" else text)


def _is_type(child: object) -> TypeGuard[DuckDBPyType]:
    """An array has its length among its children."""
    return not isinstance(child, int | list)


def delta_type(kind: Type) -> object:
    """The type as a Delta schema has it. Raises `NoSuchTypeError`."""
    if kind.numbers:
        return f"decimal({kind.numbers[0]},{kind.numbers[1]})"
    if kind.name == "list":
        return {"type": "array", "elementType": delta_type(kind.parts[0][1]), "containsNull": True}
    if kind.name == "struct":
        return delta_struct(kind.parts)
    if kind.name == "map":
        (_, key), (_, value) = kind.parts
        words = {"keyType": delta_type(key), "valueType": delta_type(value)}
        return {"type": "map", **words, "valueContainsNull": True}
    if kind.name not in _BOTH:
        raise NoSuchTypeError(kind.name.upper())
    return _BOTH[kind.name][0]


def delta_struct(parts: Iterable[tuple[str, Type]]) -> dict[str, object]:
    """Columns as a Delta schema has them. Raises `NoSuchTypeError`."""
    fields = [{"name": name, "type": delta_type(kind), "nullable": True, "metadata": {}} for name, kind in parts]
    return {"type": "struct", "fields": fields}


def has_ntz(kinds: Iterable[Type]) -> bool:
    """Whether there is a time without a zone among them, for which readers of Delta need a feature."""
    return any(
        _BOTH.get(kind.name, ("",))[0] == "timestamp_ntz" or has_ntz(part for _, part in kind.parts) for kind in kinds
    )


def ducklake_type(kind: Type) -> str:
    """The type as DuckLake has it; what it is made of are columns of their own. Raises `NoSuchTypeError`."""
    if kind.numbers:
        return f"decimal({kind.numbers[0]},{kind.numbers[1]})"
    if kind.parts:
        return kind.name
    if kind.name in _DUCKLAKE:
        return _DUCKLAKE[kind.name]
    if kind.name not in _BOTH:
        raise NoSuchTypeError(kind.name.upper())
    return _BOTH[kind.name][1]


def typed(columns: Iterable[Column]) -> Iterator[tuple[str, Type]]:
    """Columns with their types as trees."""
    return ((one.name, type_of(one.type)) for one in columns)
