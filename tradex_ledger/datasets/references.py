"""Reference data: CSV beside a definition, as tables of texts."""

from __future__ import annotations

import csv
import io
from collections import Counter
from itertools import count

import duckdb

from tradex_ledger.datasets.definition import DefinitionError
from tradex_ledger.datasets.statement import quoted


def add_references(
    connection: duckdb.DuckDBPyConnection, references: tuple[tuple[str, str], ...], *, dataset: str
) -> None:
    """Make each reference CSV a table of text columns, rows in file order. Raises `DefinitionError`."""
    for table, text in references:
        try:
            names, columns = _read(text)
        except (ValueError, csv.Error) as error:
            raise DefinitionError(
                dataset, f"cannot use its reference data {table}.csv: {error}", f"mend {table}.csv"
            ) from None
        # Not by way of Arrow: where pandas is installed, pyarrow loads it for that, half a second of each process.
        values = ", ".join(f"unnest(?::varchar[]) as {quoted(name)}" for name in _called(names))
        connection.execute(f'create table "{table}" as select {values}', columns)


def _read(text: str) -> tuple[list[str], list[list[str | None]]]:
    """The names of the columns, and their values; empty lines are none, and a short line ends in nulls.

    Raises `ValueError` or `csv.Error` for what would be taken otherwise than it was meant, or be lost.
    """
    lines = csv.reader(io.StringIO(text), strict=True)
    names = next(filter(None, lines), ["value"])
    twice = next((name for name, times in Counter(map(str.lower, names)).items() if times > 1), None)
    if twice is not None:
        raise ValueError(f"it names the column {twice!r} twice")
    rows: list[list[str | None]] = []
    for row in lines:
        if len(row) > len(names):
            raise ValueError(f"line {lines.line_num} holds {len(row)} values, and the first names {len(names)} columns")
        if row:
            rows.append([*row, *[None] * (len(names) - len(row))])
    return names, [[row[place] for row in rows] for place in range(len(names))]


def _called(names: list[str]) -> list[str]:
    """What the columns are called in statements: one without a name by its place, as definitions have known it."""
    known: list[str] = []
    for place, said in enumerate(names):
        name = again = said.partition("\0")[0] or f"v{place}"
        for n in count(1):
            if again.lower() not in map(str.lower, known):
                break
            again = f"{name}_{n}"
        known.append(again)
    return known
