"""Columns as a DuckLake catalog has them: what a nested one is made of are columns, too, behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tradex_ledger.mirrors.column_words import Type, ducklake_type, typed
from tradex_ledger.mirrors.step import Column


class Described(NamedTuple):
    """A column: its name, its type, and the number in the list of the one that it is a part of."""

    name: str
    type: str
    parent: int | None


def flattened(columns: Iterable[Column]) -> list[Described]:
    """Columns with their parts, each behind what it is a part of. Raises `NoSuchTypeError`."""
    found: list[Described] = []
    for name, kind in typed(columns):
        _add(found, name, kind, None)
    return found


def _add(found: list[Described], name: str, kind: Type, parent: int | None) -> None:
    found.append(Described(name, ducklake_type(kind), parent))
    number = len(found) - 1
    for part, inner in kind.parts:
        _add(found, part, inner, number)
