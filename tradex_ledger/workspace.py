"""The Python API: a workspace, one method a command, results as plain values."""

from __future__ import annotations

import importlib.metadata
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from tradex_ledger.clock import executor_facts, login_name, new_id, new_token, utc_now
from tradex_ledger.config import FILE, Config, find_workspace, load_config, write_config
from tradex_ledger.datasets.definition import Pipeline, load_pipeline
from tradex_ledger.datasets.fingerprint import describe_all, fingerprint
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.pipeline_state import PipelineState
from tradex_ledger.domain.pipeline_state import stream_of as state_stream
from tradex_ledger.domain.plan import Plan
from tradex_ledger.domain.run import Run
from tradex_ledger.errors import RefusedError, UsageError
from tradex_ledger.executors.context import Execution, Progress, reference_facts, silent
from tradex_ledger.executors.drive import drive
from tradex_ledger.executors.lease import held
from tradex_ledger.executors.plan import layers_from, plan_backfill
from tradex_ledger.executors.pool import TaskPool
from tradex_ledger.lake.storage import LocalLake
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.ledger.store import create_store, has_ledger, open_engine
from tradex_ledger.sources.files import open_source

PIPELINE = "x"
BUILT_IN = Path(__file__).parent / "pipelines" / PIPELINE


class WorkspaceExistsError(RefusedError):
    """The folder is a workspace already."""

    code = "workspace-exists"

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is a workspace already", mend=f"use it: tradex -C {folder} status")


class Workspace(AbstractContextManager["Workspace"]):
    """A ledger, a lake, a pipeline and a source that belong together, used by one actor."""

    def __init__(
        self,
        config: Config,
        *,
        actor: str | None = None,
        clock: Callable[[], datetime] = utc_now,
        ledger: Ledger | None = None,
        lake: LocalLake | None = None,
    ) -> None:
        self.config = config
        self.actor = actor or login_name()
        self.clock = clock
        self.ledger = ledger or Ledger(open_engine(config.ledger_url), clock)
        self.lake = lake or LocalLake(config.lake)
        self._pool: TaskPool | None = None

    @classmethod
    def open(cls, path: str | Path = ".", **options: Any) -> Workspace:
        """Open the workspace in a folder, or the nearest one above it."""
        return cls(load_config(find_workspace(Path(path).resolve()) / FILE), **options)

    @classmethod
    def create(
        cls,
        folder: str | Path,
        *,
        source: str,
        ledger: str = "sqlite:///ledger.db",
        lake: str = "lake",
        pipeline: str | None = None,
        start: date | None = None,
        actor: str | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> Workspace:
        """Make a workspace: ledger, datasets, state, and last its settings: a broken attempt can be seen as one."""
        root = Path(folder).expanduser().resolve()
        if (root / FILE).exists():
            raise WorkspaceExistsError(root)
        found = open_source(source)
        found.list_files()
        half_made = root / f".{FILE}.new"  # what a broken attempt left: it is finished, not refused
        finish = half_made.exists()
        root.mkdir(parents=True, exist_ok=True)
        LocalLake(root / lake).check_writable()
        write_config(half_made, ledger=ledger, lake=lake, source=found.describe(), pipeline=pipeline)
        config = load_config(half_made)
        load_pipeline(config.pipeline or BUILT_IN, PIPELINE)
        engine = open_engine(config.ledger_url, create=True)
        if not (finish and has_ledger(engine)):
            create_store(engine, ledger_id=new_token(), created_at=clock())
        workspace = cls(config, actor=actor, clock=clock, ledger=Ledger(engine, clock))
        cursor = format_time(datetime(start.year, start.month, start.day, tzinfo=UTC)) if start else None
        if workspace.ledger.version_of(state_stream(PIPELINE)) == 0:
            workspace.ledger.append(PipelineState.open(PIPELINE, cursor=cursor, by=workspace.actor))
        workspace.register_datasets()
        half_made.rename(root / FILE)
        return workspace

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End worker processes and database connections."""
        if self._pool is not None:
            self._pool.close()
        self.ledger.close()
        self.ledger.engine.dispose()

    # -- what a workspace is made of

    @property
    def pipeline(self) -> Pipeline:
        """The dataset definitions, read anew each time: they are files that people edit."""
        return load_pipeline(self.config.pipeline or BUILT_IN, PIPELINE)

    def today(self) -> date:
        """The day it is, UTC."""
        return self.clock().astimezone(UTC).date()

    def execution(self, progress: Progress = silent) -> Execution:
        """What a drive works with; the worker pool is kept for the next one."""
        if self._pool is None:
            self._pool = TaskPool(self.config.workers or os.cpu_count() or 1)
        return Execution(
            ledger=self.ledger,
            lake=self.lake,
            pipeline=self.pipeline,
            policy=self.config.policy,
            source=open_source(self.config.source),
            pool=self._pool,
            by=self.actor,
            facts=executor_facts(),
            token=new_token(),
            clock=self.clock,
            stopwatch=time.monotonic,
            task_memory_mb=self.config.task_memory_mb,
            progress=progress,
        )

    def register_datasets(self) -> list[str]:
        """Make datasets known that the ledger has not seen yet, as version 1. Returns their names."""
        pipeline = self.pipeline
        new = [d for d in pipeline.definitions.values() if self.ledger.version_of(stream_of(d.name)) == 0]
        if not new:
            return []
        columns = describe_all(pipeline)
        datasets = []
        for d in new:
            dataset = Dataset.register(
                d.name,
                pipeline=pipeline.name,
                layer=d.layer,
                partition_column=d.partition,
                component=d.component,
                by=self.actor,
            )
            facts = {
                "fingerprint": fingerprint(d),
                "definition": d.text,
                "references": reference_facts(d),
                "key": list(d.key),
                "columns": [{"name": name, "type": kind} for name, kind in columns[d.name]],
                "reads": [{"dataset": r.dataset, "first": r.first, "last": r.last} for r in d.reads],
                "engine": f"duckdb {importlib.metadata.version('duckdb')}",
            }
            dataset.version_logic(facts, reason="first version", by=self.actor)
            datasets.append(dataset)
        self.ledger.append(*datasets)
        return [d.name for d in new]

    # -- commands

    def run(self, until: date | None = None, *, progress: Progress = silent) -> Run:
        """Run the pipeline incrementally until a day (excluded; today unless given).

        An incremental run that did not end is taken up and finished first.
        """
        end = until or self.today()
        if end > self.today():
            raise UsageError(
                f"--until {end} lies in the future: today is {self.today()} (UTC)",
                mend=f"the day is excluded, so --until {self.today()} takes in everything up to its beginning",
            )
        self.register_datasets()
        ex = self.execution(progress)
        ex.prepare()
        cursor_to = format_time(datetime(end.year, end.month, end.day, tzinfo=UTC))
        with held(ex, state_stream(PIPELINE)):
            unfinished = self.unfinished_incremental()
            if unfinished is not None:
                finished = drive(ex, unfinished)
                if self.state().cursor == cursor_to:
                    return finished
            run = IncrementalRun.start(
                new_id("run", self.clock()),
                pipeline=PIPELINE,
                cursor_from=self.state().cursor,
                cursor_to=cursor_to,
                by=self.actor,
            )
            self.ledger.append(run)
            return drive(ex, run.id)

    def unfinished_incremental(self) -> str | None:
        """The incremental run that was started and is not closed; there is one at most."""
        for run_id in reversed(self.ledger.streams_of("incremental_run.started")):
            run = self.ledger.get(IncrementalRun, run_id)
            return run_id if run.status != "SUCCESS" else None
        return None

    def state(self) -> PipelineState:
        """The pipeline's state as it is."""
        return self.ledger.get(PipelineState, state_stream(PIPELINE), "pipeline")

    def plan(self, **request: Any) -> tuple[Backfill, Plan]:
        """A backfill with its plan, nothing recorded: what `--dry-run` shows. Takes what `request` takes."""
        self.register_datasets()
        dataset = request["dataset"]
        definition = self.pipeline.get(dataset)
        backfill = Backfill.submit(
            new_id("bf", self.clock()),
            layers=layers_from(definition.layer),
            today=self.today(),
            by=self.actor,
            **request,
        )
        ex = self.execution()
        ex.prepare()
        plan = plan_backfill(ex, backfill)
        backfill.record_plan(plan, by=self.actor)
        return backfill, plan

    def request(self, **request: Any) -> Backfill:
        """Request a backfill: kind, dataset, first, last, override_state, reason (ticket, priority).

        It is recorded with its plan and waits for an approval.
        """
        backfill, _ = self.plan(**request)
        self.ledger.append(backfill)
        return backfill

    def approve(self, run_id: str, *, plan_digest: str | None = None) -> Backfill:
        """Allow a backfill's plan (the one on record, unless a digest is given to be sure)."""
        backfill = self.ledger.get(Backfill, self.find_backfill(run_id))
        known = backfill.plan["digest"] if backfill.plan else ""
        backfill.approve(plan_digest or known, by=self.actor)
        self.ledger.append(backfill)
        return backfill

    def reject(self, run_id: str, *, reason: str) -> Backfill:
        """Say no to a backfill."""
        backfill = self.ledger.get(Backfill, self.find_backfill(run_id))
        backfill.reject(reason=reason, by=self.actor)
        self.ledger.append(backfill)
        return backfill

    def cancel(self, run_id: str, *, reason: str) -> Backfill:
        """End a backfill before it is published."""
        backfill = self.ledger.get(Backfill, self.find_backfill(run_id))
        backfill.cancel(reason=reason, by=self.actor)
        self.ledger.append(backfill)
        return backfill

    def drive(self, run_id: str, *, progress: Progress = silent) -> Run:
        """Drive an approved backfill to its end, or take it up where it stopped."""
        return drive(self.execution(progress), self.find_backfill(run_id))

    def find_backfill(self, prefix: str) -> str:
        """The backfill whose id begins so."""
        return self.ledger.find_run(prefix, kinds=("bf-",))
