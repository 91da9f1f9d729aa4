"""What is asked of data in more than one step: histories, inputs, and which files are still as an event names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import duckdb

from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.relations.data import (
    ERASED_FILES,
    LOST_FILES,
    PRUNED_FILES,
    File,
    PartitionHistory,
    PartitionInput,
    lake_files,
)
from tradex_ledger.views import add_history, add_inputs


def history_of(connection: duckdb.DuckDBPyConnection, dataset: str, day: date) -> list[PartitionHistory]:
    """All that was ever built of a day of a dataset of Silver or Gold, oldest first."""
    table = add_history(connection, dataset, day, day)
    where = "where dataset = ? and partition = ? order by position"
    found = connection.execute(f"from {table} {where}", [dataset, day])
    return [PartitionHistory._make(row) for row in found.fetchall()]


def inputs_of(connection: duckdb.DuckDBPyConnection, asked: Sequence[tuple[int, int]]) -> list[PartitionInput]:
    """What some builds were made of, in the order in which their digests have it; `asked` as `add_inputs` has it."""
    table = add_inputs(connection, asked)
    order = "position, base, number, is_again, input_partition, input_position"
    found = connection.execute(f"from {table} order by {order}")
    return [PartitionInput._make(row) for row in found.fetchall()]


def pruned_paths(connection: duckdb.DuckDBPyConnection, dataset: str) -> set[str]:
    """The files of a dataset that were given up, those among them of which rows were erased."""
    pruned = {file.path for file in PRUNED_FILES.read(connection, "dataset = ?", dataset)}
    return pruned | {file.path for file in ERASED_FILES.read(connection, "dataset = ?", dataset)}


def standing(connection: duckdb.DuckDBPyConnection) -> Callable[[list[File] | None], tuple[LakeFile, ...]]:
    """What gives files that an event names as they are now: without the rows that were erased since, if any were."""
    erased = {file.path: file.now for file in ERASED_FILES.read(connection)}

    def now(files: list[File] | None) -> tuple[LakeFile, ...]:
        return tuple(one for file in lake_files(files) if (one := erased.get(file.path, file)) is not None)

    return now


def gone_paths(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The files that were given up, or declared lost."""
    paths: set[str] = set()  # each by its own events: of all files that there are, nothing is asked
    paths.update(file.path for file in PRUNED_FILES.read(connection))
    paths.update(file.path for file in ERASED_FILES.read(connection))
    paths.update(file.path for file in LOST_FILES.read(connection))
    return frozenset(paths)
