"""Rows before and after, held against each other by their key: which are gone, which are new, what changed in others.

Counts are exact; transitions and samples are bounded. All is worked out by the engine, some days at a time, so that
what is held does not grow with the dataset.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, NamedTuple

import duckdb

from tradex_ledger.audit.cuts import WHOLE
from tradex_ledger.datasets.sandbox import one_select
from tradex_ledger.datasets.scope import fold, free_tables
from tradex_ledger.datasets.statement import nodes, parsed_form
from tradex_ledger.errors import UsageError

TRANSITIONS = 20
"""A column with more different transitions on one day has none that would be a summary."""
_ROWS = "rows"


class WhereError(UsageError):
    """What was to choose rows is no condition over their columns."""

    code = "where"


class Transition(NamedTuple):
    """So many rows had one value in a column before, and have another."""

    column: str
    before: object
    after: object
    rows: int


class Sample(NamedTuple):
    """One row: `kind` is gone, new or changed; `changed` has, by column, the value before and after."""

    kind: str
    key: dict[str, object]
    changed: dict[str, list[object]]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is other on one day: rows by their key, and for each column how many rows have another value in it.

    `rows_before` and `rows_after` are as the join by key saw them: more than there are where a key stands for several
    rows, which then cannot be told from each other by it.
    """

    rows_before: int
    rows_after: int
    gone: int
    new: int
    changed: int
    columns: dict[str, int]
    transitions: list[Transition] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def plus(self, more: Changes) -> Changes:
        """What was counted of this day in two pieces."""
        return Changes(
            **{name: getattr(self, name) + getattr(more, name) for name in _COUNTS},
            columns={name: rows + more.columns[name] for name, rows in self.columns.items()},
        )


_COUNTS = ("rows_before", "rows_after", "gone", "new", "changed")


class Sides(NamedTuple):
    """Two SELECTs over files, before and after, with the partition column and the key of their rows."""

    before: str
    after: str
    partition: str
    key: Sequence[str]


def check_where(connection: duckdb.DuckDBPyConnection, where: str) -> None:
    """Raise `WhereError` unless a text is one condition over the columns of one table."""
    text = f"select * from {_ROWS} where (\n{where}\n)"
    if not where.strip():
        raise WhereError("a condition that says nothing", mend="for example: --where \"ticker = 'AAPL'\"")
    try:
        tree = parsed_form(connection, text)
        one_select(connection, text)
        parsed_form(connection, f"select (\n{where}\n) as condition")
    except (ValueError, duckdb.Error) as error:
        raise WhereError(f"that is no condition: {error}", mend="for example: --where \"ticker = 'AAPL'\"") from None
    named = [fold(table.get("table_name")) for table in free_tables(tree)]
    if named != [_ROWS] or any(node.get("type") == "TABLE_FUNCTION" for node in nodes(tree)):
        raise WhereError("a condition reads the columns of a row, and nothing else", mend="write it without SELECT")


def changes(
    connection: duckdb.DuckDBPyConnection,
    sides: Sides,
    *,
    where: str | None,
    samples: int,
    pieces: Sequence[str] = (WHOLE,),
) -> dict[date, Changes]:
    """What is other, by day. At most so many `samples` of all days, in order of day and key.

    Both sides are read piece by piece (`audit.cuts`), in that order.
    Raises `duckdb.BinderException` where a side lacks a column of the key.
    """
    pairs = _Pairs(connection, sides, where)
    counted: dict[date, Changes] = {}
    sampled: list[tuple[date, Sample]] = []
    try:
        for piece in pieces:
            found = dict(pairs.counted(piece))
            counted |= {day: counted[day].plus(one) if day in counted else one for day, one in found.items()}
            if any(one.gone or one.new or one.changed for one in found.values()):
                pairs.note()
                sampled += pairs.samples(samples - len(sampled))
        for day, transition in pairs.transitions():
            counted[day].transitions.append(transition)
    finally:
        pairs.clear()
    for day, sample in sampled:
        counted[day].samples.append(sample)
    return {
        day: replace(one, columns={name: n for name, n in one.columns.items() if n}) for day, one in counted.items()
    }


class _Pairs:
    """The statements over two sides that are joined by day and key."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, sides: Sides, where: str | None) -> None:
        self.connection = connection
        self.sides = sides
        before, after = (connection.sql(side) for side in (sides.before, sides.after))
        self.keys = [sides.partition, *(name for name in sides.key if name != sides.partition)]
        self.columns = [name for name in before.columns if name in after.columns and name not in self.keys]
        kinds = dict(zip(after.columns, map(str, after.types), strict=True))
        self.told = {n: name for n, name in enumerate(self.columns) if kinds[name] in ("VARCHAR", "BOOLEAN")}
        self.tables: set[str] = set()
        self.chosen = "true" if where is None else f"coalesce(cast((\n{where}\n) as boolean), false)"
        self.on = " and ".join(f"o.{_q(name)} is not distinct from n.{_q(name)}" for name in self.keys)
        other_in = [f"o.{_q(name)} is distinct from n.{_q(name)}" for name in self.columns]
        self.is_other = f"({' or '.join(other_in)})" if other_in else "false"
        self.day = f"coalesce(o.{_q(sides.partition)}, n.{_q(sides.partition)})"

    def counted(self, piece: str) -> Iterator[tuple[date, Changes]]:
        """What there is to count of a piece, by day; the rows that are other are in a table then."""
        self.connection.execute(f"create or replace temp table changed_rows as {self._other(piece)}")
        each = ", ".join(
            f"count(*) filter (where kind = 'changed' and {_q(f'o_{name}')} is distinct from {_q(f'n_{name}')})"
            for name in self.columns
        )
        other = self.connection.execute(
            f"select {_q(f'k_{self.sides.partition}')}, count(*) filter (where kind = 'gone'), "
            f"count(*) filter (where kind = 'new'), count(*) filter (where kind = 'changed'), [{each}] "
            "from changed_rows group by 1"
        ).fetchall()
        counts = {day: (*kinds, dict(zip(self.columns, columns, strict=True))) for day, *kinds, columns in other}
        nothing = (0, 0, 0, dict.fromkeys(self.columns, 0))
        # Of the keys alone: no other column is read for it.
        rows = self.connection.execute(
            f"select {self.day} as day, count(o.__tradex_is), count(n.__tradex_is) "
            f"{self._join(piece, ', '.join(map(_q, self.keys)))} group by 1 order by 1"
        ).fetchall()
        for day, before, after in rows:
            yield day, Changes(before, after, *counts.get(day, nothing))

    def _join(self, piece: str, columns: str) -> str:
        """What a piece of both sides is read from."""
        before, after = (
            f"(select {columns}, 1 as __tradex_is from (from ({side}) where {piece}) as {_ROWS})"
            for side in self.sides[:2]
        )
        return f"from {before} as o full join {after} as n on {self.on}"

    def _other(self, piece: str) -> str:
        """The rows that are other: day, kind, key, and each column before (`o_…`) and after (`n_…`)."""
        keys = ", ".join(f"coalesce(o.{_q(name)}, n.{_q(name)}) as {_q(f'k_{name}')}" for name in self.keys)
        columns = "".join(
            f", o.{_q(name)} as {_q(f'o_{name}')}, n.{_q(name)} as {_q(f'n_{name}')}" for name in self.columns
        )
        kind = "case when o.__tradex_is is null then 'new' when n.__tradex_is is null then 'gone' else 'changed' end"
        is_chosen = "(coalesce(o.__tradex_in, false) or coalesce(n.__tradex_in, false))"
        is_one = f"({self.is_other} or o.__tradex_is is null or n.__tradex_is is null)"
        both = self._join(piece, f"*, {self.chosen} as __tradex_in")
        return f"select {kind} as kind, {keys}{columns} {both} where {is_chosen} and {is_one}"

    def note(self) -> None:
        """Add the rows of the table to what became of what."""
        day = _q(f"k_{self.sides.partition}")
        for n, name in self.told.items():
            before, after = _q(f"o_{name}"), _q(f"n_{name}")
            self._add(
                f"changed_{n}",
                f"from (select {day} as day, {before} as b, {after} as a, count(*) as n from changed_rows "
                f"where kind = 'changed' and {before} is distinct from {after} group by 1, 2, 3) "
                # One more than can be told of a day, and of these there are too many, whatever is in other pieces.
                f"qualify row_number() over (partition by day) <= {TRANSITIONS + 1}",
            )

    def _add(self, table: str, rows: str) -> None:
        is_there = table in self.tables
        self.connection.execute(f"insert into {table} {rows}" if is_there else f"create temp table {table} as {rows}")
        self.tables.add(table)

    def clear(self) -> None:
        """Leave no table behind."""
        for table in ("changed_rows", *self.tables):
            self.connection.execute(f"drop table if exists {table}")

    def transitions(self) -> Iterator[tuple[date, Transition]]:
        """What became of what, for columns with few different ones on a day; the most frequent first."""
        for n, name in self.told.items():
            if f"changed_{n}" not in self.tables:
                continue
            rows = self.connection.execute(
                f"from (select day, b, a, sum(n)::bigint as n from changed_{n} group by 1, 2, 3) "
                f"qualify count(*) over (partition by day) <= {TRANSITIONS} order by day, n desc, b, a"
            ).fetchall()
            yield from ((of, Transition(name, *rest)) for of, *rest in rows)

    def samples(self, count: int) -> list[tuple[date, Sample]]:
        """The first of the rows that are laid."""
        keys = [_q(f"k_{name}") for name in self.keys]
        found = self.connection.execute(
            f"select * from changed_rows order by {', '.join(keys)} limit {count:d}"
        ).fetchall()
        return [(row[1], self._sample(row)) for row in found]

    def _sample(self, row: Sequence[Any]) -> Sample:
        kind, *rest = row
        key = dict(zip(self.keys, rest, strict=False))
        values = rest[len(self.keys) :]
        pairs = zip(self.columns, values[::2], values[1::2], strict=True)
        other = {name: [before, after] for name, before, after in pairs if kind == "changed" and before != after}
        return Sample(kind, key, other)


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
