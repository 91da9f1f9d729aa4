"""The first rows of a day of a dataset: what a query would say of that day, of whose files alone it asks."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date

import duckdb

from tradex_ledger.audit.answer import Answer, Rows
from tradex_ledger.audit.query import MEMORY, SPILL, erased_by_now, pruned_or
from tradex_ledger.audit.reader import Reader
from tradex_ledger.audit.tables import Tables
from tradex_ledger.audit.values import values_of
from tradex_ledger.datasets.sandbox import close, confine
from tradex_ledger.datasets.statement import connect
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import LakeFileError, translate
from tradex_ledger.lake.verified import Reading
from tradex_ledger.paths import file_list
from tradex_ledger.relations.data import PARTITIONS, LogicVersion


def first_rows(reader: Reader, lake: Lake, version: LogicVersion, day: date, most: int) -> Answer:
    """So many rows of a day, in order, of the version that is meant.

    Raises: `LakeFileError`, `PrunedFileError` and its kin where a file is not as its event says.
    """
    where = "dataset = ? and partition = ? and (component is null or logic_version = ?)"
    found = reader.read(PARTITIONS, where, version.dataset, day, version.logic_version)
    reading = Reading(lake, trusting=False)
    tables = Tables(reader.connection, reading, erased=erased_by_now(reader.store))
    with ExitStack() as opened:
        connection = connect()
        opened.callback(close, connection)
        try:
            paths = tables.paths([(row.layer, row.files) for row in found])
            if not paths:
                return Answer([], Rows([]), reader.as_of, tables.warnings, [], [])
            confine(connection, paths, memory=MEMORY, spill=SPILL)
            files = f"read_parquet({file_list(paths)}, hive_partitioning = false, union_by_name = true)"
            columns, types, rows = values_of(connection, f"from {files} order by all limit {most:d}")
        except LakeFileError as error:
            raise pruned_or(reader.store, error) from None
        except duckdb.IOException as error:
            raise translate(error, "reading the lake") from None
        reading.close()
        return Answer(columns, Rows(rows), reader.as_of, tables.warnings + reading.warnings, types, [])
