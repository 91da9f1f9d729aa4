"""What should be reprocessed: late data, reverted inputs, half-done runs, as requests ready to submit."""

from __future__ import annotations

from typing import Any

from tradex_ledger.domain.run import LAYERS
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.views import open_views, resolve, rows


def propose(ledger: Ledger) -> list[dict[str, Any]]:
    """Requests for what is stale, upstream first: a dataset whose input is stale itself waits for that one.

    Each has kind, dataset, first, last, reason and partitions; consecutive days make one request.
    """
    with open_views(ledger.engine, resolve(ledger.engine, None)) as connection:
        stale = rows(connection, "stale_partitions")
        reads = {row["dataset"]: row["reads"] or [] for row in rows(connection, "logic_versions", "is_current")}
        half_done = rows(connection, "runs", "status = 'FAILED' order by position")
    found: list[dict[str, Any]] = [
        {
            "kind": "resume",
            "run": row["run_id"],
            "command": "tradex run" if row["run_kind"] == "incremental" else f"tradex backfill run {row['run_id']}",
            "reason": f"{row['run_id']} failed: {row['last_error']}",
        }
        for row in half_done
    ]
    datasets = {row["dataset"] for row in stale}
    covered: set[str] = set()
    for dataset in sorted(datasets, key=lambda name: (_layer(stale, name), name)):
        if not any(read["dataset"] in datasets | covered for read in reads[dataset]):
            found += _requests(dataset, sorted((r for r in stale if r["dataset"] == dataset), key=_day))
        covered.add(dataset)
    return found


def _layer(stale: list[dict[str, Any]], dataset: str) -> int:
    return next(LAYERS.index(row["layer"]) for row in stale if row["dataset"] == dataset)


def _day(row: dict[str, Any]) -> Any:
    return row["partition"]


def _requests(dataset: str, stale: list[dict[str, Any]]) -> list[dict[str, Any]]:
    runs: list[list[dict[str, Any]]] = []
    for row in stale:
        if runs and (row["partition"] - runs[-1][-1]["partition"]).days == 1:
            runs[-1].append(row)
        else:
            runs.append([row])
    return [_request(dataset, days) for days in runs]


def _request(dataset: str, days: list[dict[str, Any]]) -> dict[str, Any]:
    first, last = days[0]["partition"].isoformat(), days[-1]["partition"].isoformat()
    causes = sorted({f"{d['input_dataset']} changed by {d['changed_by_run']}" for d in days})
    reason = f"{dataset} is stale: {'; '.join(causes[:3])}{' and more' if len(causes) > 3 else ''}"
    return {
        "kind": "temporal",
        "dataset": dataset,
        "first": first,
        "last": last,
        "partitions": len(days),
        "reason": reason,
        "command": f"tradex backfill request temporal {dataset} --from {first} --to {last} "
        f'--no-override-state --reason "{reason}"',
    }
