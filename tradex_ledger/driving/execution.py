"""What a drive works with, from the widest to the narrowest: an execution, what was checked of it, and a workbench.

None of it changes once it is made: what a drive has come to is told by the run's events alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from tradex_ledger.clock import Executor
from tradex_ledger.datasets.fingerprint import describe_all
from tradex_ledger.datasets.intake import check_intakes
from tradex_ledger.domain.dataset import Dataset
from tradex_ledger.domain.dataset_errors import BumpedMeanwhileError, LogicChangedError
from tradex_ledger.lake.identity import settle
from tradex_ledger.lake.port import Lake
from tradex_ledger.planning.base import Base, logic_versions, read_base
from tradex_ledger.planning.logic import changed_logic
from tradex_ledger.planning.named import check_named
from tradex_ledger.planning.scope import Scope
from tradex_ledger.pool.port import Pool

Columns = Mapping[str, list[tuple[str, str]]]
"""The columns (name, DuckDB type) of each dataset."""


class Progress(Protocol):
    """Hears how far a drive is: `done` of `total` partitions (or files) of a stage; 0 of 0 where nobody knows.

    A stage that is called as the run is the run as a whole: the partitions of its plan.
    """

    def __call__(self, stage: str, done: int, total: int) -> None: ...


def silent(stage: str, done: int, total: int) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One process driving runs over one workspace.

    `pool` builds windows, from the lake alone; `here` reads sources: it is of this machine, and may be the same one.
    `token` tells its leases from those of others, `stopwatch` gives seconds from anywhere; a task has `task_memory_mb`
    megabytes and `task_minutes` minutes, and asks `task_clock` where it runs what time it is there.
    """

    scope: Scope
    lake: Lake
    here: Pool
    pool: Pool
    executor: Executor
    token: str
    stopwatch: Callable[[], float]
    task_clock: Callable[[], datetime]
    task_memory_mb: int = 512
    task_minutes: int = 360
    progress: Progress = silent

    def prepare(self) -> Prepared:
        """Check definitions, logic versions, and whose the lake is. Raises before anything was recorded."""
        scope, pipeline = self.scope, self.scope.pipeline
        locks = scope.locks()
        check_named(scope.ledger, pipeline, locks)
        columns = describe_all(pipeline)
        check_intakes(pipeline, columns)
        assert scope.sources  # opened before anything is recorded: nobody runs half of what there is
        changed = changed_logic(pipeline, locks)
        if changed:
            raise LogicChangedError({name: (locks[name].logic_version, what) for name, what in changed.items()})
        if not self.lake.reading:
            settle(scope.ledger.store, self.lake)
        self.lake.check_writable()
        return Prepared(scope, columns, logic_versions(locks))

    def elapsed_ms(self, since: float) -> int:
        """Whole milliseconds of the stopwatch since a reading of it."""
        return round((self.stopwatch() - since) * 1000)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was checked before anything was recorded: the columns of each dataset, and its logic version then.

    Somebody may edit and bump a definition while a drive goes on: what the old one makes is not the new version's.
    """

    scope: Scope
    columns: Columns
    versions: Mapping[str, int]

    def locks(self) -> dict[str, Dataset]:
        """All datasets as they are now. Raises `BumpedMeanwhileError` where one has another logic version by now."""
        locks = self.scope.locks()
        for name, version in self.versions.items():
            if locks[name].logic_version != version:
                raise BumpedMeanwhileError(name, version, locks[name].logic_version)
        return locks

    def base(self) -> Base:
        """What a decision made now stands on. Raises `BumpedMeanwhileError`."""
        return read_base(self.locks, self.scope.ledger.position, self.scope.catalogs.at)


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the tasks of an execution are made: it knows the columns of their datasets and where they stage.

    `staging` is the folder in which a drive lays down what it makes here; workers know it by its name (`Lake.attempt`),
    and have their own.
    """

    ex: Execution
    columns: Columns
    staging: Path
