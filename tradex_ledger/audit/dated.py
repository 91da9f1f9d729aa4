"""Tables as they were: `gold_signals@341` in a statement is the table of that name as of a position.

After the @ stands what `--as-of` takes: a position, a day, a time, a run. In a quoted name it stands as it is; of one
without quotes it is told by its form, since to SQL an @ ends a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import duckdb

_MARK = "@"
_DAY = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = rb"T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
_DATED = re.compile(
    rb"[A-Za-z_][A-Za-z0-9_]*@(?:" + _DAY + rb"(?:" + _TIME + rb")?|[0-9]+|(?:bf|run)-[a-z0-9]+\^?)(?![A-Za-z0-9_])"
)
_NAMES = (duckdb.token_type.identifier, duckdb.token_type.keyword)
MOST = 20
"""Positions in one statement: each is opened, as for a statement of its own."""


class Dated(NamedTuple):
    """A table as a statement names it, what it is called by itself, and as of what it is meant (None: as the rest)."""

    name: str
    table: str
    as_of: str | None


def quoted_where_dated(sql: str) -> str:
    """A statement in which each `name@moment` without quotes is a quoted name."""
    text = sql.encode()
    parts, end = [], 0
    for start, kind in duckdb.tokenize(sql):
        found = _DATED.match(text, start) if kind in _NAMES and start >= end else None
        if found is not None:
            parts += [text[end:start], b'"', found[0], b'"']
            end = found.end()
    return b"".join([*parts, text[end:]]).decode()


def dated(names: Iterable[str]) -> list[Dated]:
    """The tables that a statement names, each with as of what it is meant."""
    found = []
    for name in names:
        table, mark, as_of = name.rpartition(_MARK)
        found.append(Dated(name, table, as_of) if mark else Dated(name, name, None))
    return found
