"""A ledger of ten years without the lake: daily incremental runs and, now and then, one over a long time.

Every event is decided by the aggregates and appended by the ledger, as a driver would; only the files that they name
do not exist.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tradex_ledger.datasets.graph import windows
from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.plan import LAYERS
from tradex_ledger.domain.policy import Policy
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.workspace import PIPELINE, Workspace

BRONZE = "bronze_x_posts"
WHO = {"host": "made-up", "pid": 1, "version": "0", "duckdb": "0", "pyarrow": "0"}


def make(folder: Path, events: int) -> int:
    """Fill a new workspace in `folder` with at least so many events. Returns how many there are."""
    (folder / "delivered").mkdir(parents=True)
    first = date(2012, 1, 1)
    Workspace.create(folder / "workspace", source=f"files:{folder / 'delivered'}", start=first, actor="bench").close()
    with Workspace.open(folder / "workspace", actor="bench") as ws:
        ledger, pipeline = ws.ledger, ws.pipeline
        datasets = {name: ledger.get(Dataset, stream_of(name), "dataset") for name in pipeline.definitions}
        state, day, position = ws.state(), first, ledger.position()
        while position < events:
            days = 400 if (day - first).days % 1000 == 999 else 1
            run = _incremental(pipeline, datasets, state.cursor, day, days, position)
            state.advance(run, by="bench")
            position = ledger.append(run, state, *datasets.values())
            day += timedelta(days)
        return position


def _incremental(
    pipeline: Any, datasets: dict[str, Dataset], cursor: str | None, day: date, days: int, base: int
) -> IncrementalRun:
    end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days)
    run = IncrementalRun.start(
        f"run-{day.toordinal():013d}",
        pipeline=PIPELINE,
        cursor_from=cursor,
        cursor_to=format_time(end),
        by="bench",
        policy=Policy(),
    )
    touched = range(day.toordinal(), day.toordinal() + days)
    run.start_layer("bronze", executor=WHO, extraction={"mode": "incremental"}, by="bench")
    for one in touched:
        partition = date.fromordinal(one).isoformat()
        run.append_batch(
            dataset=BRONZE,
            logic_version=1,
            partition=partition,
            dropped=3,
            cursor=format_time(end),
            by="bench",
            **_files(BRONZE, run.id, partition),
        )
    derived = [d for d in pipeline.definitions.values() if d.layer != LAYERS[0]]
    found = [w for d in derived for w in windows(d, touched, logic_version=1, window_partitions=30)]
    run.extend_plan(found, base=base, reason="the days of the run", by="bench")
    run.complete_layer(duration_ms=5, source={"files": 1}, by="bench")
    for layer in LAYERS[1:]:
        run.start_layer(layer, executor=WHO, extraction=None, by="bench")
        for definition in pipeline.layer(layer):
            run.rebuild_partitions(
                definition.name, [_candidate(definition, run.id, date.fromordinal(one)) for one in touched], by="bench"
            )
        run.complete_layer(duration_ms=5, source=None, by="bench")
    for name, summary in run.publish(base=base, by="bench").items():
        datasets[name].publish(
            run.id, logic_version=1, partitions=summary["partitions"], rows=summary["rows"], changed=(), by="bench"
        )
    datasets[BRONZE].publish(run.id, logic_version=1, partitions=days, rows=1000, changed=(), by="bench")
    run.succeed(by="bench")
    return run


def _files(dataset: str, run_id: str, partition: str) -> dict[str, Any]:
    path = f"{dataset}/event_date={partition}/{run_id}-1.parquet"
    digest = f"{hash((dataset, partition)) & (2**63 - 1):064x}"
    return {"files": [{"path": path, "bytes": 50_000, "rows": 900, "sha256": digest}], "rows": 900, "bytes": 50_000}


def _candidate(definition: Any, run_id: str, day: date) -> dict[str, Any]:
    return {
        "layer": definition.layer,
        "logic_version": 1,
        "partition": day.isoformat(),
        "previous_rows": None,
        "outcome": "written",
        "base": 0,
        "inputs": f"{day.toordinal():064x}",
        "duration_ms": 12,
        **_files(definition.name, run_id, day.isoformat()),
    }
