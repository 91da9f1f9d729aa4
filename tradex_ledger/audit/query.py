"""SQL over datasets and projections as tables, as of any position; read-only, and nothing else in reach."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import duckdb
import orjson

from tradex_ledger.datasets.fingerprint import create_empty, nodes, parsed_form
from tradex_ledger.errors import NotFoundError, UsageError
from tradex_ledger.lake.storage import LakeFileError, LocalLake
from tradex_ledger.lake.writer import file_list
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.views import AsOf, add_projections, open_views, projection_names, resolve, rows, tables_in

_TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
_VERSIONED = re.compile(r"^(?P<dataset>.+)_v(?P<version>\d+)$")


class QueryError(UsageError):
    """The statement cannot be answered."""

    code = "query"


class UnknownTableError(NotFoundError):
    """A query names a table that is neither a dataset nor a projection."""

    code = "unknown-table"

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"there is no table {name!r}", mend=f"tables are: {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns (names), rows (plain values) and the position they are an answer as of."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    as_of: AsOf


def query(ledger: Ledger, lake: LocalLake, sql: str, *, as_of: str | None = None) -> Answer:
    """Answer one SELECT. Datasets are tables by their names (`gold_signals`, or `gold_signals_v1` for one version),
    beside every projection and `events`.

    Raises: `QueryError`, `UnknownTableError`, `LakeFileError` when a file that is needed is not as it was.
    """
    position = resolve(ledger.engine, as_of)
    connection = open_views(ledger.engine, position)
    try:
        try:
            _check_statement(connection, sql)
            names = tables_in(connection, sql)
        except ValueError as error:
            raise QueryError(
                f"that is not one SELECT: {error}", mend='for example: tradex query "select * from runs"'
            ) from None
        _add_tables(connection, lake, names - _ctes(connection, sql))
        _lock(connection, lake)
        try:
            found = connection.execute(sql)
            return Answer([c[0] for c in found.description], found.fetchall(), position)
        except duckdb.Error as error:
            raise QueryError(str(error).strip(), mend='see the columns: tradex query "describe TABLE"') from None
    finally:
        connection.close()


def _check_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse what could read elsewhere: table functions other than series."""
    for node in nodes(parsed_form(connection, sql)):
        function = node.get("function") if node.get("type") == "TABLE_FUNCTION" else None
        name = str(function.get("function_name", "")).lower() if isinstance(function, dict) else None
        if name is not None and name not in _TABLE_FUNCTIONS:
            raise QueryError(f"{name}() is not to be had in a query", mend="read datasets and projections by name")


def _ctes(connection: duckdb.DuckDBPyConnection, sql: str) -> set[str]:
    found: set[str] = set()
    for node in nodes(parsed_form(connection, sql)):
        entries = node.get("cte_map")
        if isinstance(entries, dict):
            found |= {str(entry.get("key")) for entry in entries.get("map", [])}
    return found


def _add_tables(connection: duckdb.DuckDBPyConnection, lake: LocalLake, names: set[str]) -> None:
    """Make the datasets and projections that are asked for; the rest costs nothing."""
    projections = set(projection_names())
    add_projections(connection, sorted(names & projections))
    wanted = names - projections - {"events"}
    if not wanted:
        return
    datasets = {row["dataset"]: row for row in rows(connection, "logic_versions", "is_current")}
    for name in sorted(wanted):
        match = _VERSIONED.match(name)
        if name in datasets:
            _add_dataset(connection, lake, name, name, datasets[name]["logic_version"], datasets[name]["component"])
        elif match and match["dataset"] in datasets:
            dataset = match["dataset"]
            _add_dataset(connection, lake, name, dataset, int(match["version"]), datasets[dataset]["component"])
        else:
            raise UnknownTableError(name, [*sorted(datasets), *sorted(projections), "events"])


def _add_dataset(
    connection: duckdb.DuckDBPyConnection,
    lake: LocalLake,
    table: str,
    dataset: str,
    logic_version: int,
    component: str | None,
) -> None:
    where = "dataset = ?"
    values: list[str | int] = [dataset]
    if component is not None:
        where, values = "dataset = ? and logic_version = ?", [dataset, logic_version]
    paths = []
    for row in sorted(rows(connection, "partitions", where, *values), key=lambda r: r["partition"]):
        for file in row["files"] or ():
            path = lake.absolute(file["path"])
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                raise LakeFileError(file["path"], "is missing") from None
            if size != file["bytes"]:
                raise LakeFileError(file["path"], f"has {size} bytes, not {file['bytes']}: it was changed")
            paths.append(str(path))
    if paths:
        connection.execute(f'create view "{table}" as from read_parquet({file_list(paths)}, hive_partitioning = false)')
        return
    described = connection.execute(
        "select data -> '$.columns' from events where topic = 'dataset.logic_versioned' and dataset = ? "
        "and logic_version = ?",
        [dataset, logic_version],
    ).fetchall()
    if not described:
        raise UnknownTableError(table, [f"{dataset} has no version {logic_version}"])
    create_empty(connection, table, [(c["name"], c["type"]) for c in orjson.loads(described[0][0])])


def _lock(connection: duckdb.DuckDBPyConnection, lake: LocalLake) -> None:
    """From here on the connection can read the lake and nothing else, and no setting can change that."""
    connection.execute(
        "set allowed_directories = $1::varchar[]", [[str(lake.root.resolve()) + "/", str(lake.root) + "/"]]
    )
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
