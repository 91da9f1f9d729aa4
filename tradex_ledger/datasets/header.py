"""The header of a definition file: TOML in comments, in the manner of PEP 723.

It is apart from the rest of a definition since it is read by who only looks whether all is as it was.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeGuard

HEADER = re.compile(r"^-- /// dataset[ \t]*\n((?:--.*\n)+?)-- ///[ \t]*\n", re.MULTILINE)
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_REFERENCE = re.compile(r"[a-z][a-z0-9_]{0,62}\.csv")

SIDES = ("__rejected", "__undated")
"""What a source keeps beside its rows is called after it so: lines that are none, and those that no day belongs to."""


def source_of(source: str) -> str:
    """The source of a header's `source`, whatever of it the dataset holds."""
    return next((source.removesuffix(side) for side in SIDES if source.endswith(side)), source)


def read_by(source: str | None, reader: str | None) -> str | None:
    """The reader that a header's `source` and `reader` name: that of the source's own name, unless it says another."""
    return None if source is None else reader or source_of(source)


def fields_of(header: re.Match[str]) -> dict[str, Any]:
    """What a header says, as it says it. Raises: `ValueError` (no TOML), `RecursionError`."""
    return tomllib.loads(re.sub(r"^-- ?", "", header[1], flags=re.MULTILINE))


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says, field by field, once each was held to its type."""

    layer: str
    partition: str
    key: list[str]
    component: str | None = None
    reads: dict[str, str] = field(default_factory=dict)
    references: list[str] = field(default_factory=list)
    source: str | None = None
    reader: str | None = None
    columns: dict[str, str] | None = None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_column(value: object) -> bool:
    """A name that is safe in a statement and in a path (`component=version/partition=day`)."""
    return isinstance(value, str) and _COLUMN.fullmatch(value) is not None


def _is_columns(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_column, value)) and len(set(value)) == len(value)


def _is_table_of_texts(value: object) -> TypeGuard[dict[str, str]]:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _are_types(value: object) -> bool:
    """Names of columns with one type each."""
    return _is_table_of_texts(value) and all(map(_is_column, value))


def _is_references(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) and _REFERENCE.fullmatch(v) for v in value)


FIELDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "layer": (_is_text, "a text"),
    "partition": (_is_column, "the name of a column"),
    "key": (_is_columns, "a list of different columns"),
    "component": (_is_column, "a name (letters, digits, _)"),
    "reads": (_is_table_of_texts, 'a table such as { dataset = "0d" }'),
    "references": (_is_references, "a list of names such as words.csv"),
    "source": (_is_text, "a text"),
    "reader": (_is_text, "a text"),
    "columns": (_are_types, 'a table such as { date = "DATE" }'),
}
"""For each field of a header: whether a value fits it, and what it is called in a sentence."""
