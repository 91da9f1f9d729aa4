"""What differs: between a run's candidates and what readers have, partition by partition, row by row."""

from __future__ import annotations

from typing import Any

import duckdb

from tradex_ledger.audit.query import pruned_or
from tradex_ledger.audit.tables import Tables
from tradex_ledger.datasets.definition import UnknownDatasetError
from tradex_ledger.domain.dataset_errors import NoSuchVersionError
from tradex_ledger.errors import RefusedError
from tradex_ledger.lake.storage import LakeFileError, LocalLake, file_list, translate
from tradex_ledger.lake.verified import Reading
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.views import open_views, resolve, rows


class NotSideBySideError(RefusedError):
    """Two versions cannot be held against each other."""

    code = "not-side-by-side"

    def __init__(self, dataset: str, why: str = "a new one replaces the one before") -> None:
        super().__init__(
            f"versions of {dataset} cannot be compared row by row: {why}",
            mend=f'ask for what they have in common: tradex query "select … from {dataset}", with --as-of before',
        )


def diff_candidate(ledger: Ledger, lake: LocalLake, prefix: str, *, trusting: bool = False) -> list[dict[str, Any]]:
    """For each candidate of a run that differs from the current partition: rows before, after, gone and new.

    A version that has no partition yet is compared with the newest version of that day that readers have.
    """
    run_id = ledger.find_run(prefix)
    reading = Reading(lake, trusting=trusting)
    connection = open_views(ledger.store, resolve(ledger.store, None))
    try:
        candidates = rows(
            connection,
            "partition_history",
            "run_id = ? and state = 'candidate' and outcome = 'written' order by dataset, partition",
            run_id,
        )
        versions = {r["dataset"]: r for r in rows(connection, "logic_versions", "is_read")}
        tables = Tables(connection, reading)
        pairs = []
        current: dict[str, dict[Any, dict[str, Any]]] = {}
        for candidate in candidates:
            name = candidate["dataset"]
            if name not in current:
                current[name] = {row["partition"]: row for row in tables.partitions(versions[name])}
            pairs.append((candidate, current[name].get(candidate["partition"], {"files": [], "rows": 0})))
        tables.paths(file for pair in pairs for row in pair for file in row["files"] or ())
        found = [_compare(connection, lake, *pair) for pair in pairs]
        reading.close()
        return found
    except LakeFileError as error:
        raise pruned_or(ledger.store, error) from None
    finally:
        connection.close()


def diff_versions(
    ledger: Ledger, lake: LocalLake, dataset: str, older: int, newer: int, *, trusting: bool = False
) -> list[dict[str, Any]]:
    """For each day on which two logic versions of a dataset differ: rows in the one and the other, gone and new.

    Raises: `UnknownDatasetError`, `NoSuchVersionError`, `NotSideBySideError`, `PrunedFileError`.
    """
    connection = open_views(ledger.store, resolve(ledger.store, None))
    try:
        versions = rows(connection, "logic_versions", "true order by position")
        known = {row["logic_version"]: row for row in versions if row["dataset"] == dataset}
        if not known:
            raise UnknownDatasetError(dataset, sorted({row["dataset"] for row in versions}))
        for number in (older, newer):
            if number not in known:
                raise NoSuchVersionError(dataset, number, max(known))
        if known[newer]["component"] is None:
            raise NotSideBySideError(dataset)
        reading = Reading(lake, trusting=trusting)
        tables = Tables(connection, reading)
        sides = [{row["partition"]: row for row in tables.partitions(known[number])} for number in (older, newer)]
        tables.paths(file for side in sides for row in side.values() for file in row["files"] or ())
        found = []
        for day in sorted(sides[0].keys() | sides[1].keys()):
            nothing = {"dataset": dataset, "partition": day, "logic_version": newer, "files": [], "rows": 0}
            found.append(_compare(connection, lake, sides[1].get(day, nothing), sides[0].get(day, nothing)))
        reading.close()
        return [row for row in found if row["rows_gone"] or row["rows_new"]]
    except LakeFileError as error:
        raise pruned_or(ledger.store, error) from None
    except duckdb.BinderException as error:
        raise NotSideBySideError(dataset, "their columns differ") from error
    finally:
        connection.close()


def _compare(
    connection: duckdb.DuckDBPyConnection, lake: LocalLake, after: dict[str, Any], before: dict[str, Any]
) -> dict[str, Any]:
    old, new = _table(lake, before), _table(lake, after)
    if old and new:
        both = f"(select count(*) from ({old} except all {new})), (select count(*) from ({new} except all {old}))"
        try:
            counts = connection.execute(f"select {both}").fetchall()[0]
        except duckdb.BinderException:
            raise
        except duckdb.Error as error:  # a damaged file that was believed (--no-verify) fails in many ways
            raise translate(error, f"reading {after['dataset']} of {after['partition']}") from None
    else:
        counts = (before["rows"], after["rows"])
    return {
        "dataset": after["dataset"],
        "partition": after["partition"],
        "logic_version": after["logic_version"],
        "rows_before": before["rows"],
        "rows_after": after["rows"],
        "rows_gone": counts[0],
        "rows_new": counts[1],
    }


def _table(lake: LocalLake, partition: dict[str, Any]) -> str:
    paths = [str(lake.absolute(file["path"])) for file in partition["files"] or ()]
    return f"select * from read_parquet({file_list(paths)}, hive_partitioning = false)" if paths else ""
