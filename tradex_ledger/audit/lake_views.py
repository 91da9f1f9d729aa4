"""Datasets as views over the files of a lake, in a database that has the projections as tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import orjson

from tradex_ledger.datasets.fingerprint import create_empty
from tradex_ledger.paths import file_list, is_there
from tradex_ledger.relations.data import Definition, LogicVersion, Partition, lake_files


def add_lake_views(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[str]:
    """A view a dataset, by its name the version that readers get, `NAME_v1` for each that stands side by side; over the
    files as they lie in the folder, whose bytes are not looked at. Returns what somebody should know of them.
    """
    taken = {name for (name,) in connection.execute("select table_name from information_schema.tables").fetchall()}
    versions = [
        LogicVersion._make(row) for row in connection.execute("from logic_versions order by position").fetchall()
    ]
    warnings: list[str] = []
    for version in versions:
        for name in _names(version):
            if name in taken:
                warnings.append(f"the dataset {name} has no view of that name: it is a table of the ledger's own")
                continue
            warnings += _add(connection, folder, name, version)
    return warnings


def _names(version: LogicVersion) -> Iterator[str]:
    if version.is_read:
        yield version.dataset
    if version.component is not None:
        yield f"{version.dataset}_v{version.logic_version}"


def _add(connection: duckdb.DuckDBPyConnection, folder: Path, name: str, version: LogicVersion) -> Iterator[str]:
    where = "dataset = ? and (? is null or logic_version = ?) order by partition"
    values = [version.dataset, version.component, version.logic_version]
    rows = [Partition._make(row) for row in connection.execute(f"from partitions where {where}", values).fetchall()]
    files = [file for row in rows for file in lake_files(row.files)]
    absent = {file.path for file in files if not is_there(folder / file.path, file.bytes)}
    # One that is there is the first: the engine looks into it, and takes the columns from there.
    paths = [str(folder / file.path) for file in sorted(files, key=lambda file: file.path in absent)]
    if absent:
        yield f"{len(absent)} files of {name} are not in {folder} as they were, such as {min(absent)}"
    if not files:
        _add_empty(connection, name, version)
    elif len(absent) == len(files):
        yield f"{name} has no view"
    else:
        connection.execute(f'create view "{name}" as {_sql(connection, name, version, paths)}')


def _sql(connection: duckdb.DuckDBPyConnection, name: str, version: LogicVersion, paths: list[str]) -> str:
    if version.component is not None or version.logic_version == 1:
        return f"from read_parquet({file_list(paths)}, hive_partitioning = false)"
    # Its files are of several versions, which need not have the same columns: what a file has not is null.
    _add_empty(connection, f"__columns_of_{name}", version)
    files = f"read_parquet({file_list(paths)}, hive_partitioning = false, union_by_name = true)"
    return f'select * from "__columns_of_{name}" union all by name from {files}'


def _add_empty(connection: duckdb.DuckDBPyConnection, name: str, version: LogicVersion) -> None:
    where = "dataset = ? and logic_version = ?"
    ((row,),) = [
        connection.execute(f"from definitions where {where}", [version.dataset, version.logic_version]).fetchall()
    ]
    create_empty(connection, name, [_column(**one) for one in orjson.loads(Definition._make(row).columns)])


def _column(name: str, type: str) -> tuple[str, str]:
    return name, type
