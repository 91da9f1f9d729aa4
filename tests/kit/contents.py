"""What is in the lake, as digests, to compare one lake with another."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import duckdb

from tests.kit.lake_folder import in_lake
from tests.kit.rows import rows
from tradex_ledger.views import AsOf, shared_views
from tradex_ledger.workspace import Workspace

NOT_OF_THE_CONTENT = ("run_id", "ingested_at")

Contents = dict[str, dict[str, str]]


def current_files(connection: duckdb.DuckDBPyConnection, workspace: Workspace, dataset: str) -> list[str]:
    """The files that readers of a dataset see."""
    found = rows(connection, "partitions", "dataset = ?", dataset)
    return [str(in_lake(workspace, file["path"])) for row in found for file in row["files"]]


def contents(workspace: Workspace, *, without: Sequence[str] = ()) -> Contents:
    """What readers see: dataset → day → digest. Of Bronze the rows, but for who brought them (and `without`)."""
    found: Contents = {}
    with shared_views(workspace.ledger.store, AsOf(workspace.ledger.position(), None)) as connection:
        for row in rows(connection, "partitions", "layer <> 'bronze'"):
            digest = ",".join(file["sha256"] for file in row["files"])
            found.setdefault(row["dataset"], {})[row["partition"].isoformat()] = digest
        for definition in workspace.core.pipeline.layer("bronze"):
            files = current_files(connection, workspace, definition.name)
            if files:
                found[definition.name] = _rows_by_day(connection, files, definition.partition, without)
    return found


def _rows_by_day(
    connection: duckdb.DuckDBPyConnection, files: list[str], column: str, without: Sequence[str]
) -> dict[str, str]:
    left_out = ", ".join(f"'{name}'" for name in (*NOT_OF_THE_CONTENT, *without))
    relation = connection.execute(
        f"select {column}::varchar, columns(lambda c: c not in ({left_out})) "
        "from read_parquet($1, hive_partitioning = false) order by all",
        [files],
    )
    digests: dict[str, Any] = {}
    for day, *values in relation.fetchall():
        digests.setdefault(day, hashlib.sha256()).update(repr(values).encode())
    return {day: digest.hexdigest() for day, digest in digests.items()}


def published(found: Contents) -> Contents:
    """Silver and Gold alone: what a publication makes visible, all at once."""
    return {name: days for name, days in found.items() if not name.startswith("bronze_")}


def with_rows(found: Contents) -> Contents:
    """Without the partitions that hold no row, which count like those that are not there."""
    return {name: {day: digest for day, digest in days.items() if digest} for name, days in found.items()}
