"""What differs: between a run's candidates and what readers have, partition by partition, row by row."""

from __future__ import annotations

from typing import Any

import duckdb

from tradex_ledger.audit.tables import Tables
from tradex_ledger.lake.storage import LocalLake, file_list
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.views import open_views, resolve, rows


def diff_candidate(ledger: Ledger, lake: LocalLake, prefix: str) -> list[dict[str, Any]]:
    """For each candidate of a run that differs from the current partition: rows before, after, gone and new.

    A version that has no partition yet is compared with the newest version of that day that readers have.
    """
    run_id = ledger.find_run(prefix)
    connection = open_views(ledger.engine, resolve(ledger.engine, None))
    try:
        candidates = rows(
            connection,
            "partition_history",
            "run_id = ? and state = 'candidate' and outcome = 'written' order by dataset, partition",
            run_id,
        )
        versions = {r["dataset"]: r for r in rows(connection, "logic_versions", "is_read")}
        tables = Tables(connection, lake)
        found = []
        current: dict[str, dict[Any, dict[str, Any]]] = {}
        for candidate in candidates:
            name = candidate["dataset"]
            if name not in current:
                current[name] = {row["partition"]: row for row in tables.partitions(versions[name])}
            before = current[name].get(candidate["partition"], {"files": [], "rows": 0})
            found.append(_compare(connection, lake, candidate, before))
        return found
    finally:
        connection.close()


def _compare(
    connection: duckdb.DuckDBPyConnection, lake: LocalLake, after: dict[str, Any], before: dict[str, Any]
) -> dict[str, Any]:
    old, new = _table(lake, before), _table(lake, after)
    if old and new:
        counts = connection.execute(
            f"select (select count(*) from ({old} except all {new})), (select count(*) from ({new} except all {old}))"
        ).fetchall()[0]
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
