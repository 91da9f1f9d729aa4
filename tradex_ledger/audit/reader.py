"""The projections as of one position, opened once for a whole document."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple, TypeVar

import duckdb

from tradex_ledger.ledger.select import Store
from tradex_ledger.relations.relation import Relation
from tradex_ledger.views import Asked, AsOf, add_projections, begin_projections, resolve, shared_views

R = TypeVar("R", bound=NamedTuple)


class Reader:
    """What the ledger says as of a position, a day, a time or a run; None: now."""

    def __init__(self, store: Store, as_of: Asked = None) -> None:
        self.store = store
        self.as_of: AsOf = resolve(store, as_of)
        self._opened = ExitStack()
        self.connection: duckdb.DuckDBPyConnection = self._opened.enter_context(shared_views(store, self.as_of))

    def read(self, relation: Relation[R], where: str = "true", *values: object) -> list[R]:
        """The rows of a projection; `where` is SQL of ours (an `order by` may end it)."""
        return relation.read(self.connection, where, *values)

    def begin(self, names: Sequence[str]) -> None:
        """Have projections worked out beside what comes next, those first that take longest."""
        begin_projections(self.connection, names)

    def of_run(self, relation: Relation[R], run_id: str, order: str) -> list[R]:
        """The rows of one run, as `Relation.of_run` has them."""
        return relation.of_run(self.connection, run_id, order)

    def ask(self, row: type[R], sql: str, *values: object, over: tuple[str, ...]) -> list[R]:
        """The rows of a statement of ours `over` projections, as a class with its columns."""
        add_projections(self.connection, over)
        return [row._make(found) for found in self.connection.execute(sql, list(values)).fetchall()]

    def close(self) -> None:
        """Let DuckDB go."""
        self._opened.close()
