"""The rows of any projection as dicts: for tests that look at all of them alike."""

from __future__ import annotations

from typing import Any

import duckdb

from tradex_ledger.views import add_projections


def rows(
    connection: duckdb.DuckDBPyConnection, projection: str, where: str = "true", *values: object
) -> list[dict[str, Any]]:
    """Its rows in a connection of `open_views`; `where` is SQL of ours, its values are bound."""
    add_projections(connection, [projection])
    found = connection.execute(f'select * from "{projection}" where {where}', list(values))
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
