"""Each partition of a window is shown the rows of its own declared days, in one statement over all of them.

A window of many days holds more rows than one of its days may read. So the statement is not run over the window: it is
put after a LATERAL join with the window's days, where each name of an input stands for the rows that one day declared,
and `partitions` for that day alone. No row outside can be reached, whatever the statement says. The engine makes one
set-based plan of it all; what it has none for (a positional join, a limit of some per cent) is built day by day.

Names that begin with two underscores are ours: a dataset's begins with a letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

import duckdb

from tradex_ledger.datasets.statement import NotOneSelectError, quoted
from tradex_ledger.domain.day import Day

SAMPLE_DAYS = 5

REFUSALS = (
    duckdb.BinderException,
    duckdb.ParserException,
    duckdb.NotImplementedException,
    duckdb.InternalException,
    NotOneSelectError,  # what is as deep as can be is too deep within another
)
"""What an engine raises when it has no plan for a statement that is fed day by day."""


FED = ("right", "subquery", "node", "from_table", "subquery", "node")
ONLY = ("subquery", "node")
"""Where, in the parsed form of what these functions give, stands the statement that they were given."""


def fed(sql: str, column: str, inputs: Iterable[tuple[str, str, int, int]]) -> str:
    """The statement over `main.partitions`, for each of its days on its own.

    `inputs` are (dataset, its partition column, first and last day relative to the partition's); each is a view, or
    table, of the schema `main`.
    """
    shown = [
        f"{quoted(name)} as not materialized "
        f"(select * from main.{quoted(name)} where {quoted(of)} {_days(first, last)})"
        for name, of, first, last in inputs
    ]
    shown.append(f"partitions as not materialized (select __days.__day as {quoted(column)})")
    return (
        f"select __fed.* from (select {quoted(column)} as __day from main.partitions) as __days, "
        f"lateral (with {', '.join(shown)} select * from (\n{sql}\n)) as __fed"
    )


def _days(first: int, last: int) -> str:
    if first == last:
        return f"= __days.__day + ({first})"
    return f"between __days.__day + ({first}) and __days.__day + ({last})"


def only(sql: str, column: str, days: Iterable[str]) -> str:
    """Of a statement's rows those of some days (ISO)."""
    listed = ", ".join(f"date '{day}'" for day in days)
    return f"select * from (\n{sql}\n) where {quoted(column)} in ({listed})"


def sample(days: Sequence[Day], seed: str) -> list[Day]:
    """Some of a window's days: the first, the last, and others by lot.

    What draws them is the content of the inputs: they are the same each time, and nobody can aim beside them who does
    not have the rows.
    """
    if len(days) <= SAMPLE_DAYS:
        return list(days)
    drawn = sorted(days[1:-1], key=lambda day: sha256(f"{seed} {day}".encode()).digest())[: SAMPLE_DAYS - 2]
    return sorted({days[0], days[-1], *drawn})
