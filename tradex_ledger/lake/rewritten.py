"""Files of a lake without some of their rows: which files hold those, and what is left of one. No ledger here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from tradex_ledger.datasets.statement import connect
from tradex_ledger.domain.erasing import Holding
from tradex_ledger.domain.waiting import ListedFile
from tradex_ledger.lake.erased import Erased, key_in, texts_sql
from tradex_ledger.lake.inputs import check_near
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import StagedFile, sha256_of, sync_folders, translate
from tradex_ledger.lake.writer import write_table
from tradex_ledger.offered import Late
from tradex_ledger.paths import file_list, sync

if TYPE_CHECKING:
    import pyarrow.parquet as pq
else:
    pq = Late("pyarrow.parquet")

AT_ONCE = 256
"""Files that are read by one statement."""
_DELIVERED = ((frozenset({"source"}), "source"), (frozenset({"file", "line"}), "file || ':' || line"))
"""What says where a row was delivered, by the columns that a file has."""


@dataclass(frozen=True, slots=True)
class Held:
    """A file that holds such rows: where they were delivered, by which `keys`, and how many others mention one."""

    holding: Holding
    delivered: tuple[str, ...]
    keys: tuple[str, ...]
    mentions: int


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for: rows of which the column `key` has an erased value; the values themselves, where known."""

    erased: Erased
    key: str
    keys: tuple[str, ...] = ()


def holding(
    connection: duckdb.DuckDBPyConnection, lake: Lake, files: Sequence[Holding], sought: Sought
) -> Iterator[Held]:
    """Those of some files of a dataset that hold such rows, or only mention one. Raises: `LakeFileError`,
    `EnvironmentFault`."""
    sought.erased.prepare(connection)
    for begin in range(0, len(files), AT_ONCE):
        some = files[begin : begin + AT_ONCE]
        lake.bring(one.listed.file for one in some)
        for one in some:
            check_near(lake, one.listed.file)
        try:
            described = [(_columns(lake.near(one.listed.file)), one) for one in some]
            for columns, alike in groupby(described, lambda pair: pair[0]):
                by_path = {str(lake.near(one.listed.file)): one for _, one in alike}
                yield from _holding(connection, by_path, columns, sought)
        except (OSError, duckdb.Error) as error:
            raise translate(error, "looking for rows in the lake") from error


def _columns(path: Path) -> tuple[tuple[str, str], ...]:
    """The columns of a file, each with whether it is a text."""
    schema = pq.read_schema(path)
    return tuple((field.name, "VARCHAR" if str(field.type) in ("string", "large_string") else "") for field in schema)


def _holding(
    connection: duckdb.DuckDBPyConnection,
    by_path: Mapping[str, Holding],
    columns: tuple[tuple[str, str], ...],
    sought: Sought,
) -> Iterator[Held]:
    names = {name for name, _ in columns}
    is_told, column = key_in(names, sought.key)
    if not is_told:
        return
    condition, keys = sought.erased.condition(column), sought.keys if column else ()
    where = next((sql for needed, sql in _DELIVERED if needed <= names), "null::varchar")
    known = f'"{column}"::varchar' if column else "null::varchar"
    texts = texts_sql(columns, sought.key)
    mention = f"not {condition} and ({' or '.join(f'contains({texts}, ?)' for _ in keys) or 'false'})"
    found = connection.execute(
        f"select __path, count(*) filter ({condition}), list(distinct {where}) filter ({condition}), "
        f"list(distinct {known}) filter ({condition}), count(*) filter ({mention}) "
        f"from read_parquet({file_list(list(by_path))}, hive_partitioning = false, filename = '__path') "
        "group by __path order by __path",
        list(keys),
    ).fetchall()
    for path, rows, delivered, held, mentions in found:
        if rows or mentions:
            told = tuple(sorted(filter(None, delivered or ()))), tuple(sorted(filter(None, held or ())))
            yield Held(replace(by_path[path], rows=rows), *told, mentions)


def rewrite(lake: Lake, listed: ListedFile, erased: Erased, key: str, path: Path) -> StagedFile | None:
    """Write what is left of a file, in its order, durably; None where nothing is left. Raises: `LakeFileError`."""
    check_near(lake, listed.file)
    source = lake.near(listed.file)
    column = key_in([name for name, _ in _columns(source)], key)[1]
    with connect() as connection:
        erased.prepare(connection)
        condition = erased.condition(column)
        rows = connection.sql(
            f"select * from read_parquet({file_list([str(source)])}, hive_partitioning = false) where not {condition}"
        ).to_arrow_table()
    if not rows.num_rows:
        return None
    write_table(rows, path)
    sync(path)
    sync_folders([path.parent])
    return StagedFile(listed.day, path, rows.num_rows, path.stat().st_size, sha256_of(path))
