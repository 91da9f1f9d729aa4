"""Late data: posts at the source that incremental runs have passed by. Found by a dry pass: it records nothing.

The source is staged and compared with Bronze just as a run would do it; what was staged is dropped again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import orjson

from tradex_ledger.datasets.definition import Definition
from tradex_ledger.datasets.graph import affected, iso, ordinal, windows
from tradex_ledger.domain.pipeline_state import PipelineState, stream_of
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.executors.bronze import AppendTask, count_new_rows
from tradex_ledger.executors.context import Execution, logic_versions
from tradex_ledger.executors.delivered import Delivered
from tradex_ledger.executors.extract import rows_by_day, stage_all
from tradex_ledger.executors.lease import held
from tradex_ledger.lake.storage import translate
from tradex_ledger.views import open_views, resolve, rows

_TOPICS = ("run.layer_started", "run.layer_completed", "run.layer_failed", "pipeline_state.opened")


@dataclass(frozen=True)
class Late:
    """Posts that Bronze (`dataset`) lacks, by created day (ordinal); what those days lead to downstream.

    `passed` are those of the days that a run has asked the source for; no run has asked for the others.
    """

    dataset: str
    posts: dict[int, int] = field(default_factory=dict)
    passed: set[int] = field(default_factory=set)
    closure: dict[str, set[int]] = field(default_factory=dict)


def find_late(ex: Execution) -> Late:
    """Posts created before the pipeline's cursor that Bronze does not have. Days before the pipeline's start that no
    run has asked for are none of its business.

    Raises: `EnvironmentFault` when the source cannot be read.
    """
    definition, _ = ex.posts()
    cursor = ex.ledger.get(PipelineState, stream_of(ex.pipeline.name), "pipeline").cursor
    if cursor is None:
        return Late(definition.name)
    # A name of its own, so that dry passes do not disturb each other; its lease keeps `lake gc` off what is staged.
    name = f"propose-{ex.token}"
    try:
        with held(ex, name):
            ex.staging = ex.lake.new_staging(name, "dry")
            try:
                staged = stage_all(ex, {"cursor_from": None, "cursor_to": cursor}, Delivered(None), None).posts
                found = _count_new(ex, definition, staged) if staged else {}
            finally:
                ex.lake.drop_staging(ex.staging)
    except (OSError, duckdb.Error) as error:
        fault = translate(error, "looking for late posts")
        fault.add_note(_WITHOUT)
        raise fault from error
    except EnvironmentFault as fault:
        fault.add_note(_WITHOUT)
        raise
    return _told(ex, definition.name, found, cursor)


_WITHOUT = "the source can be left out: tradex backfill propose --no-source"


def _count_new(ex: Execution, definition: Definition, staged: list[str]) -> dict[int, int]:
    """How many staged posts of each day a run would append, window by window, as `Append` does it."""
    by_day = rows_by_day(definition, staged)
    todo = windows(definition, by_day, logic_version=0, window_partitions=ex.policy.window_partitions)
    catalog = ex.catalogs.at(ex.ledger.position(), logic_versions(ex.locks()))
    found: dict[int, int] = {}
    for number, window in enumerate(todo):
        first, last = ordinal(window["first"]), ordinal(window["last"])
        files = [file for _, file in catalog.files(definition.name, first, last)]
        task = AppendTask(
            dataset=definition.name,
            column=definition.partition,
            key=definition.key,
            columns=(definition.partition,),
            staged=tuple(staged),
            existing=tuple((ex.lake.absolute(f["path"]), f["path"], f["bytes"], f["sha256"]) for f in files),
            days=tuple(range(first, last + 1)),
            folder=Path(ex.staging, str(number)),
            run_id="",
            ingested_at="",
            memory_mb=ex.task_memory_mb,
        )
        found |= count_new_rows(task)
        ex.progress(f"compare with {definition.name}", number + 1, len(todo))
    return found


def _told(ex: Execution, dataset: str, found: dict[int, int], cursor: str) -> Late:
    with open_views(ex.ledger.engine, resolve(ex.ledger.engine, None), topics=_TOPICS) as connection:
        layers = rows(connection, "run_layers", "layer = 'bronze' and status = 'COMPLETED'")
        ((start,),) = connection.execute(
            "select min(data ->> '$.cursor') from events where topic = 'pipeline_state.opened' and stream = ?",
            [stream_of(ex.pipeline.name)],
        ).fetchall()
    asked: list[dict[str, Any]] = [orjson.loads(row["extraction"]) for row in layers]
    passed = {
        day
        for day in found
        if any((e["cursor_from"] or "")[:10] <= iso(day) < e["cursor_to"][:10] for e in asked)  # both are midnights
    }
    posts = {day: count for day, count in sorted(found.items()) if day in passed or iso(day) >= (start or "")[:10]}
    last_day = max([ordinal(cursor), *posts])
    return Late(dataset, posts, passed & posts.keys(), affected(ex.pipeline, {dataset: posts}, last_day=last_day))


def as_rows(late: Late) -> list[dict[str, Any]]:
    """The late days as rows: `partition`, `posts`, `passed`."""
    return [
        {"partition": date.fromordinal(day), "posts": count, "passed": day in late.passed}
        for day, count in late.posts.items()
    ]
