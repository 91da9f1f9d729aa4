"""Where two sides of one day are cut, so that few rows of both are held at a time.

A cut is a value of the key: what lies between two of them on one side can be the counterpart of nothing else on the
other. Files of a lake are in the order of their key, so that of each piece its own row groups are read and no others.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import duckdb

from tradex_ledger.datasets.statement import quoted
from tradex_ledger.paths import sql_text

ROWS = 1_000_000
BYTES = 160 << 20
"""So many rows of both sides together, and so many bytes of them, are held against each other at a time."""
WHOLE = "true"
_LOOKED_AT = 8_192
_POINTS = 16
"""Values that are looked at for each piece: it is then larger or smaller than asked for by a few hundredths."""
_LONGEST = 1_000
_DISORDER = 0.25
"""That share of neighbours among them, on one side, may be in another order than the key's: where a file ends, say."""
_NESTED = frozenset({"list", "array", "struct", "map", "union", "variant"})
_OWN = 16
"""What a value takes where it stands, beside the text that it may point to."""


class _Key(NamedTuple):
    """A column of the key, its type, and how it is written in a statement."""

    name: str
    type: str

    @property
    def column(self) -> str:
        return quoted(self.name)

    def value(self, text: str) -> str:
        return f"{sql_text(text)}::{self.type}"


def rows_at_a_time(connection: duckdb.DuckDBPyConnection, side: str) -> int:
    """How many rows like the first of a SELECT are held at a time."""
    found = connection.sql(side)
    sizes = [
        f"coalesce(avg(strlen(cast({quoted(name)} as varchar))), 0)"
        for name, kind in zip(found.columns, found.types, strict=True)
        if str(kind) in ("VARCHAR", "BLOB") or kind.id in _NESTED
    ]
    own = _OWN * len(found.columns)
    held = connection.execute(f"select {' + '.join([str(own), *sizes])} from (from ({side}) limit {_LOOKED_AT})")
    ((width,),) = held.fetchall()
    return max(1, min(ROWS, int(BYTES / width)))


def pieces(connection: duckdb.DuckDBPyConnection, sides: Sequence[str], key: Sequence[str], rows: int) -> list[str]:
    """Conditions, each for a piece of both sides of so many rows together, in order of the key; each row is in one.

    Rows that have one key stay together, however many they are.
    """
    keys = _keys(connection, sides, key)
    cuts = _cuts(connection, sides, keys, rows)
    if not cuts:
        return [WHOLE]
    ends: list[Sequence[str] | None] = [None, *cuts, None]
    found = [_between(keys, first, last) for first, last in itertools.pairwise(ends)]
    # NULL comes last. A piece of its own, since files tell whether they have any, but not together with a bound.
    first = keys[0].column
    return [*found[:-1], f"{first} is not null and {found[-1]}", f"{first} is null"]


def _keys(connection: duckdb.DuckDBPyConnection, sides: Sequence[str], key: Sequence[str]) -> list[_Key]:
    """Those columns, from the first on, that have one type on both sides, and one that a text can stand for."""
    found: list[_Key] = []
    both = [dict(zip(one.columns, one.types, strict=True)) for one in map(connection.sql, sides)]
    for name in key:
        kinds = [kinds[name] for kinds in both if name in kinds]
        if len(kinds) < len(both) or len(set(map(str, kinds))) > 1 or kinds[0].id in _NESTED:
            break
        found.append(_Key(name, str(kinds[0])))
    return found


def _cuts(
    connection: duckdb.DuckDBPyConnection, sides: Sequence[str], keys: Sequence[_Key], rows: int
) -> Sequence[Sequence[str]]:
    """Keys, as texts, in their order: each so many rows of both sides after the one before. None for rows that lie in
    no order: all of them would be read again for each piece, and the engine that spills them is faster."""
    if not keys:
        return []
    every = max(1, rows // _POINTS)
    columns = ", ".join(key.column for key in keys)
    numbered = " union all ".join(
        f"(select {columns}, {n} as __tradex_side, __tradex_row from "
        f"(select {columns}, row_number() over () as __tradex_row from ({side})) where __tradex_row % {every} = 0)"
        for n, side in enumerate(sides)
    )
    # What is compared later is what the text stands for, so that is what the order is of.
    texts = ", ".join(f"try_cast({key.column} as varchar) as t{n}" for n, key in enumerate(keys))
    again = ", ".join(f"try_cast(t{n} as {key.type}) as k{n}" for n, key in enumerate(keys))
    order = ", ".join(f"k{n}" for n in range(len(keys)))
    usable = " and ".join(
        f"k{n} is not null and length(t{n}) <= {_LONGEST} and not contains(t{n}, chr(0))" for n in range(len(keys))
    )
    points = f"select *, {again} from (select __tradex_side, __tradex_row, {texts} from ({numbered}))"
    connection.execute(
        f"create or replace temp table points as select *, row_number() over (order by {order}) as n, "
        f"rank() over (order by {order}) as place from ({points})"
    )
    neighbours = "lag(place) over (partition by __tradex_side order by __tradex_row) as before"
    ((is_ordered,),) = connection.execute(
        f"select coalesce(max(disorder), 0) <= {_DISORDER} from (select avg((place < before)::integer) as disorder "
        f"from (select __tradex_side, place, {neighbours} from points) group by __tradex_side)"
    ).fetchall()
    cuts = connection.execute(
        f"select {', '.join(f'min(t{n})' for n in range(len(keys)))} from points "
        f"where n % {rows // every} = 0 and {usable} group by {order} order by {order}"
    ).fetchall()
    connection.execute("drop table points")
    return cuts if is_ordered else []


def _between(keys: Sequence[_Key], first: Sequence[str] | None, last: Sequence[str] | None) -> str:
    """Rows from one key on and before another, NULL after all others; first what files are chosen by."""
    told: list[str] = []
    for n, key in enumerate(keys):
        told += [f"{key.column} >= {key.value(first[n])}"] if first else []
        told += [f"{key.column} <= {key.value(last[n])}"] if last else []
        if not first or not last or first[n] != last[n]:
            break
    told += [f"not {_before(keys, first)}"] if first else []
    told += [_before(keys, last)] if last else []
    return " and ".join(told)


def _before(keys: Sequence[_Key], end: Sequence[str]) -> str:
    text = ""
    for key, value in reversed(list(zip(keys, end, strict=True))):
        here = f"{key.column} < {key.value(value)}"
        text = f"({here} or ({key.column} = {key.value(value)} and {text}))" if text else here
    return f"coalesce({text}, false)"
