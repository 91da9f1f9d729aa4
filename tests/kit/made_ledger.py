"""A ledger of ten years without the lake: daily incremental runs and, now and then, one over a long time.

Every event is decided by the aggregates and appended by the ledger, as a driver would; only the files that they name
do not exist.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tradex_ledger.datasets.graph import windows
from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.day import Cursor, Day, day_of, iso, later, span, start_of
from tradex_ledger.domain.extraction import Extraction
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.partition import WRITTEN, Batch, Candidate, PartitionVersion
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.source import Counts, Extracted, Taken
from tradex_ledger.workspace import PIPELINE, Workspace

BRONZE = "bronze_x_posts"
WHO = {"host": "made-up", "pid": 1, "version": "0", "duckdb": "0", "pyarrow": "0"}


def make(folder: Path, events: int) -> int:
    """Fill a new workspace in `folder` with at least so many events. Returns how many there are."""
    (folder / "delivered").mkdir(parents=True)
    first = date(2012, 1, 1)
    Workspace.create(folder / "workspace", source=f"files:{folder / 'delivered'}", start=first, actor="bench").close()
    with Workspace.open(folder / "workspace", actor="bench") as ws:
        ledger, pipeline = ws.ledger, ws.core.pipeline
        datasets = {name: ledger.get(Dataset, stream_of(name), "dataset") for name in pipeline.definitions}
        state, day, position = ws.state, first, ledger.position()
        while position < events:
            days = 400 if (day - first).days % 1000 == 999 else 1
            run = _incremental(pipeline, datasets, state.cursor, day, days, position)
            state.advance(run, by="bench")
            position = ledger.append(run, state, *datasets.values())
            day += timedelta(days)
        return position


def _incremental(
    pipeline: Any, datasets: dict[str, Dataset], cursor: Cursor | None, day: date, days: int, base: int
) -> IncrementalRun:
    first, end = day_of(day), start_of(later(day_of(day), days))
    run = IncrementalRun.start(
        f"run-{first:013d}",
        pipeline=PIPELINE,
        cursor_from=cursor,
        cursor_to=end,
        by="bench",
        policy=Policy(),
    )
    touched = span(first, first + days - 1)
    run.start_layer("bronze", executor=WHO, extraction=Extraction("incremental", cursor, end, "files:x"), by="bench")
    for one in touched:
        run.append_batch(BRONZE, Batch(one, 1, _file(BRONZE, run.id, one), 3, end), by="bench")
    derived = [d for d in pipeline.definitions.values() if d.layer != LAYERS[0]]
    found = [w for d in derived for w in windows(d, touched, logic_version=1, window_partitions=30)]
    run.extend_plan(found, base=base, reason="the days of the run", by="bench")
    run.complete_layer(duration_ms=5, source=Extracted(Counts(files=1), Taken(), {}), by="bench")
    for layer in LAYERS[1:]:
        run.start_layer(layer, executor=WHO, extraction=None, by="bench")
        for definition in pipeline.layer(layer):
            built = [_candidate(definition, run.id, one) for one in touched]
            run.rebuild_partitions(definition.name, built, by="bench")
        run.complete_layer(duration_ms=5, source=None, by="bench")
    for name, summary in run.publish(base=base, by="bench").items():
        datasets[name].publish(
            run.id, logic_version=1, partitions=summary.partitions, rows=summary.rows, changed=(), by="bench"
        )
    datasets[BRONZE].publish(run.id, logic_version=1, partitions=days, rows=1000, changed=(), by="bench")
    run.succeed(by="bench")
    return run


def _file(dataset: str, run_id: str, day: Day) -> LakeFile:
    path = f"{dataset}/event_date={iso(day)}/{run_id}-1.parquet"
    return LakeFile(path, 50_000, 900, f"{hash((dataset, day)) & (2**63 - 1):064x}")


def _candidate(definition: Any, run_id: str, day: Day) -> Candidate:
    file = _file(definition.name, run_id, day)
    version = PartitionVersion(1, (file,), file.rows, file.bytes, f"{day:064x}", outcome=WRITTEN)
    return Candidate(day, definition.layer, version, previous_rows=None, base=0, duration_ms=12)
