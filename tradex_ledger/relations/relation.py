"""A relation: the name of a projection, and the class that its rows are.

The rows are named tuples, not dataclasses: DuckDB hands over tuples, and a class for each relation costs next to
nothing to load. The fields of a class are the columns of the contract in their order; days are `date`, times `datetime`
(UTC, without a zone), what holds JSON is its text. A column that may be null is `… | None`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import duckdb

from tradex_ledger.views import add_of_run, add_projections

R = TypeVar("R", bound=NamedTuple)


@dataclass(frozen=True, slots=True)
class Relation(Generic[R]):
    """A projection by its name, with the class of its rows."""

    name: str
    row: type[R]

    def read(self, connection: duckdb.DuckDBPyConnection, where: str = "true", *values: object) -> list[R]:
        """Its rows in a connection of `open_views`; `where` is SQL of ours (an `order by` may end it)."""
        add_projections(connection, [self.name])
        found = connection.execute(f'select * from "{self.name}" where {where}', list(values))
        return [self.row._make(row) for row in found.fetchall()]

    def of_run(self, connection: duckdb.DuckDBPyConnection, run_id: str, order: str) -> list[R]:
        """The rows of one run, where they follow from the events of its own stream alone; `order` is SQL of ours."""
        table = add_of_run(connection, self.name, run_id)
        found = connection.execute(f"select * from {table} where run_id = ? order by {order}", [run_id])
        return [self.row._make(row) for row in found.fetchall()]
