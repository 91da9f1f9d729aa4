"""What a drive works with, gathered once and checked before anything is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from tradex_ledger.datasets.definition import Definition, Pipeline
from tradex_ledger.datasets.fingerprint import describe_all, fingerprint
from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.dataset_errors import BumpedMeanwhileError
from tradex_ledger.domain.policy import Policy
from tradex_ledger.executors.catalog import Catalogs
from tradex_ledger.executors.pool import TaskPool
from tradex_ledger.lake.storage import LocalLake
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.sources.files import FilesSource


class Progress(Protocol):
    """Hears how far a drive is: `done` of `total` partitions (or files) of a stage."""

    def __call__(self, stage: str, done: int, total: int) -> None: ...


def silent(stage: str, done: int, total: int) -> None:
    """Nobody listens."""


@dataclass
class Execution:
    """One process driving runs over one workspace. `facts` name host, pid and versions (in LayerStarted).

    `unregistered` are datasets that the ledger does not know yet: what plans for them records nothing.
    """

    ledger: Ledger
    lake: LocalLake
    pipeline: Pipeline
    policy: Policy
    source: FilesSource
    pool: TaskPool
    catalogs: Catalogs
    by: str
    facts: dict[str, Any]
    token: str
    clock: Callable[[], datetime]
    stopwatch: Callable[[], float]
    task_memory_mb: int = 512
    progress: Progress = silent
    columns: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    unregistered: dict[str, Dataset] = field(default_factory=dict)
    staging: Path = Path()
    tasks: int = 0

    def prepare(self) -> None:
        """Check definitions, logic versions and the lake. Raises before anything was recorded."""
        if self.columns:
            return
        columns = describe_all(self.pipeline)
        locks = self.locks()
        for name, definition in self.pipeline.definitions.items():
            locks[name].check_logic(fingerprint(definition), definition.text, reference_facts(definition))
        self.versions = logic_versions(locks)
        self.lake.check_writable()
        self.columns = columns

    def locks(self) -> dict[str, Dataset]:
        """All datasets as they are now: read before the base position, so that saving them catches any later writer."""
        return {
            name: self.unregistered.get(name) or self.ledger.get(Dataset, stream_of(name), "dataset")
            for name in self.pipeline.definitions
        }

    def unbumped_locks(self) -> dict[str, Dataset]:
        """The same, while none has another logic version than when it was prepared. Raises `BumpedMeanwhileError`.

        Somebody may edit and bump a definition while a drive goes on: what the old one makes is not the new version's.
        """
        locks = self.locks()
        for name, version in self.versions.items():
            if locks[name].logic_version != version:
                raise BumpedMeanwhileError(name, version, locks[name].logic_version)
        return locks

    def elapsed_ms(self, since: float) -> int:
        """Whole milliseconds of the stopwatch since a reading of it."""
        return round((self.stopwatch() - since) * 1000)

    def bronze(self) -> tuple[Definition, Definition | None, Definition | None]:
        """The Bronze datasets that the source fills: posts, what is no post, and of that what no day belongs to."""
        bronze = {d.source: d for d in self.pipeline.layer("bronze")}
        return bronze["x_posts"], bronze.get("x_posts__rejected"), bronze.get("x_posts__undated")


def reference_facts(definition: Definition) -> list[dict[str, str]]:
    """A definition's reference data as events carry it."""
    return [{"name": name, "text": text} for name, text in definition.references]


def logic_versions(locks: Mapping[str, Dataset]) -> dict[str, int]:
    """The current logic version of each dataset."""
    return {name: dataset.logic_version for name, dataset in locks.items()}
