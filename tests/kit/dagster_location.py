"""A code location of Dagster over a workspace, in this process: what its page and its daemon would do of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from tests.kit import small
from tradex_ledger.dagster import build_definitions
from tradex_ledger.domain.backfill import Backfill

OVER = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


class Location:
    """A code location over a workspace, and an instance to launch in."""

    def __init__(self, ws: Path, instance: dg.DagsterInstance) -> None:
        self.ws, self.instance = ws, instance
        self.defs = build_definitions(ws, actor="dagster")
        self.cursors: dict[str, str | None] = {}

    def launch(
        self, job: str, *days: int | date, tags: dict[str, str] | None = None, **more: Any
    ) -> dg.ExecuteInProcessResult:
        """Launch a job over days (of January, by their numbers), first and last."""
        dates = [day if isinstance(day, date) else small.day(day) for day in days]
        over = dict(zip(OVER, (day.isoformat() for day in dates), strict=True)) if dates else {}
        found, told = self.defs.resolve_job_def(job), {**over, **(tags or {})}
        return found.execute_in_process(instance=self.instance, tags=told, raise_on_error=False, **more)

    def tick(self, sensor: str) -> Any:
        """A look of a sensor at the ledger, from where it last came to."""
        context = dg.build_sensor_context(self.instance, cursor=self.cursors.get(sensor))
        found = self.defs.resolve_sensor_def(sensor).evaluate_tick(context)
        self.cursors[sensor] = found.cursor
        return found

    def drive(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """What the daemon does of a request for a run."""
        assert request.job_name is not None
        return self.launch(request.job_name, tags=dict(request.tags))

    def backfills(self) -> list[Backfill]:
        """All backfills of the ledger, newest first."""
        with small.reopen(self.ws) as workspace:
            return [workspace.ledger.get(Backfill, one.id) for one in workspace.audit.look.runs(kind="backfill")]

    def days(self, dataset: str) -> set[str]:
        return set(self.instance.get_materialized_partitions(dg.AssetKey(dataset)))

    def approve(self, run_id: str) -> None:
        with small.reopen(self.ws) as workspace:
            workspace.backfills.approve(run_id)
