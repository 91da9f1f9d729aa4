"""What differs: between a run's candidates and what readers have, partition by partition, row by row."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import duckdb

from tradex_ledger.audit.query import pruned_or
from tradex_ledger.audit.tables import Tables
from tradex_ledger.datasets.definition import UnknownDatasetError
from tradex_ledger.domain.dataset_errors import NoSuchVersionError
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.errors import RefusedError
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import LakeFileError, translate
from tradex_ledger.lake.verified import Reading
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.paths import file_list
from tradex_ledger.relations.data import LOGIC_VERSIONS, PARTITION_HISTORY, File, LogicVersion
from tradex_ledger.views import open_views, resolve


class NotSideBySideError(RefusedError):
    """Two versions cannot be held against each other."""

    code = "not-side-by-side"

    def __init__(self, dataset: str, why: str = "a new one replaces the one before") -> None:
        super().__init__(
            f"versions of {dataset} cannot be compared row by row: {why}",
            mend=f'ask for what they have in common: tradex query "select … from {dataset}", with --as-of before',
        )


class Differing(NamedTuple):
    """A partition before and after: its rows, those that are gone, and those that are new."""

    dataset: str
    partition: date
    logic_version: int | None
    rows_before: int
    rows_after: int
    rows_gone: int
    rows_new: int


class _Side(NamedTuple):
    """A partition on one side: how many rows it has, and the files with them."""

    rows: int
    files: list[File] | None


_NOTHING = _Side(0, None)


def diff_candidate(ledger: Ledger, lake: Lake, prefix: str, *, trusting: bool = False) -> list[Differing]:
    """Each candidate of a run that differs from the current partition.

    A version that has no partition yet is compared with the newest version of that day that readers have.
    """
    run_id = ledger.find_run(prefix)
    reading = Reading(lake, trusting=trusting)
    connection = open_views(ledger.store, resolve(ledger.store, None))
    try:
        where = "run_id = ? and state = 'candidate' and outcome = 'written' order by dataset, partition"
        candidates = PARTITION_HISTORY.read(connection, where, run_id)
        versions = {version.dataset: version for version in LOGIC_VERSIONS.read(connection, "is_read")}
        tables = Tables(connection, reading)
        current = {name: _sides(tables, versions[name]) for name in dict.fromkeys(c.dataset for c in candidates)}
        pairs = [(c, current[c.dataset].get(c.partition, _NOTHING)) for c in candidates]
        tables.paths([(c.layer, side.files) for c, before in pairs for side in (before, _Side(c.rows, c.files))])
        found = [
            _compare(connection, lake, (c.dataset, c.partition, c.logic_version), _Side(c.rows, c.files), before)
            for c, before in pairs
        ]
        reading.close()
        return found
    except LakeFileError as error:
        raise pruned_or(ledger.store, error) from None
    finally:
        connection.close()


def diff_versions(
    ledger: Ledger, lake: Lake, dataset: str, older: int, newer: int, *, trusting: bool = False
) -> list[Differing]:
    """Each day on which two logic versions of a dataset differ.

    Raises: `UnknownDatasetError`, `NoSuchVersionError`, `NotSideBySideError`, `PrunedFileError`.
    """
    connection = open_views(ledger.store, resolve(ledger.store, None))
    try:
        versions = LOGIC_VERSIONS.read(connection, "true order by position")
        known = {version.logic_version: version for version in versions if version.dataset == dataset}
        if not known:
            raise UnknownDatasetError(dataset, sorted({version.dataset for version in versions}))
        for number in (older, newer):
            if number not in known:
                raise NoSuchVersionError(dataset, number, max(known))
        if known[newer].component is None:
            raise NotSideBySideError(dataset)
        reading = Reading(lake, trusting=trusting)
        tables = Tables(connection, reading)
        before, after = (_sides(tables, known[number]) for number in (older, newer))
        tables.paths([(known[newer].layer, side.files) for sides in (before, after) for side in sides.values()])
        found = [
            _compare(connection, lake, (dataset, day, newer), after.get(day, _NOTHING), before.get(day, _NOTHING))
            for day in sorted(before.keys() | after.keys())
        ]
        reading.close()
        return [row for row in found if row.rows_gone or row.rows_new]
    except LakeFileError as error:
        raise pruned_or(ledger.store, error) from None
    except duckdb.BinderException as error:
        raise NotSideBySideError(dataset, "their columns differ") from error
    finally:
        connection.close()


def _sides(tables: Tables, version: LogicVersion) -> dict[date, _Side]:
    return {row.partition: _Side(row.rows, row.files) for row in tables.partitions(version)}


def _compare(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    what: tuple[str, date, int | None],
    after: _Side,
    before: _Side,
) -> Differing:
    old, new = _table(lake, before), _table(lake, after)
    gone, added = before.rows, after.rows
    if old and new:
        both = f"(select count(*) from ({old} except all {new})), (select count(*) from ({new} except all {old}))"
        try:
            gone, added = connection.execute(f"select {both}").fetchall()[0]
        except duckdb.BinderException:
            raise
        except duckdb.Error as error:  # a damaged file that was believed (--no-verify) fails in many ways
            raise translate(error, f"reading {what[0]} of {what[1]}") from None
    return Differing(*what, before.rows, after.rows, gone, added)


def _table(lake: Lake, side: _Side) -> str:
    paths = [str(lake.near(LakeFile.of(file))) for file in side.files or ()]
    return f"select * from read_parquet({file_list(paths)}, hive_partitioning = false)" if paths else ""
