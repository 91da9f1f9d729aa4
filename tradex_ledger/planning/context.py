"""What a drive works with, gathered once and checked before anything is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from tradex_ledger.datasets.definition import Definition, Pipeline
from tradex_ledger.datasets.fingerprint import check_definition, describe_all, difference
from tradex_ledger.datasets.intake import Intake, check_intakes, intakes
from tradex_ledger.datasets.unchanged import references_of
from tradex_ledger.domain.dataset import Dataset, Difference, stream_of
from tradex_ledger.domain.dataset_errors import BumpedMeanwhileError, LogicChangedError
from tradex_ledger.domain.day import Day
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.plan import LAYERS
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.policy_record import STREAM as POLICY_STREAM
from tradex_ledger.domain.policy_record import PolicyRecord
from tradex_ledger.domain.words import Words
from tradex_ledger.lake.identity import settle
from tradex_ledger.lake.inputs import InputFile
from tradex_ledger.lake.port import Lake
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.planning.base import Base, logic_versions, read_base
from tradex_ledger.planning.catalog import Catalogs
from tradex_ledger.planning.named import check_named
from tradex_ledger.planning.words import words_in
from tradex_ledger.pool import TaskPool
from tradex_ledger.sources import places
from tradex_ledger.sources.registry import noun_of, reader_version
from tradex_ledger.sources.source import Again, Source


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
    lake: Lake
    pipeline: Pipeline
    policy: Policy
    places: places.Places
    pool: TaskPool
    catalogs: Catalogs
    by: str
    facts: dict[str, Any]
    token: str
    clock: Callable[[], datetime]
    stopwatch: Callable[[], float]
    task_memory_mb: int = 512
    task_minutes: int = 360
    progress: Progress = silent
    columns: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    unregistered: dict[str, Dataset] = field(default_factory=dict)
    staging: Path = Path()
    tasks: int = 0
    engine_seen: set[str] = field(default_factory=set)

    def prepare(self) -> None:
        """Check definitions, logic versions, and whose the lake is. Raises before anything was recorded."""
        if self.columns:
            return
        locks = self.locks()
        check_named(self.ledger, self.pipeline, locks)
        columns = describe_all(self.pipeline)
        check_intakes(self.pipeline, columns)
        assert self.sources  # opened before anything is recorded: nobody runs half of what there is
        changed = changed_logic(self.pipeline, locks)
        if changed:
            raise LogicChangedError({name: (locks[name].logic_version, what) for name, what in changed.items()})
        self.versions = logic_versions(locks)
        if not self.lake.reading:
            settle(self.ledger.store, self.lake)
        self.lake.check_writable()
        self.columns = columns

    @property
    def engine(self) -> str:
        """What computes here, as events name it."""
        return engine_name(self.facts)

    def policy_of_now(self) -> Policy:
        """The policy on record now: a drive may have begun hours ago."""
        if self.ledger.version_of(POLICY_STREAM) == 0:
            return self.policy
        return self.ledger.get(PolicyRecord, POLICY_STREAM, "policy").policy

    def base(self, *, unbumped: bool = False) -> Base:
        """What a decision made now stands on. With `unbumped` it raises `BumpedMeanwhileError`."""
        locks = self.unbumped_locks if unbumped else self.locks
        return read_base(locks, self.ledger.position, self.catalogs.at)

    def locks(self) -> dict[str, Dataset]:
        """All datasets as they are now."""
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

    def input_file(self, day: Day, file: LakeFile, again: Again | None = None, layer: str = LAYERS[0]) -> InputFile:
        """A file as an event describes it, of a day, as tasks find it."""
        return InputFile(day, file, self.lake, again, layer)

    @cached_property
    def intakes(self) -> tuple[Intake, ...]:
        """What each source fills. Raises `DefinitionError`."""
        return tuple(intakes(self.pipeline))

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Each source by its name. Raises: `NoPlaceError`, `UnknownReaderError`, `UsageError`."""
        opened = self.places.open([intake.source for intake in self.intakes])
        return {i.source: Source(i.source, opened[i.source], i.reader) for i in self.intakes}

    @cached_property
    def words(self) -> Words:
        """What rows are called. Raises: `DefinitionError`, `UnknownReaderError`."""
        return words_in(self.intakes)

    def asked(self, dataset: str | None) -> list[Intake]:
        """What is filled for who asks for a dataset of Bronze, or for the layer; for None, everything."""
        wanted = (None, LAYERS[0])
        return [i for i in self.intakes if dataset in wanted or dataset in (d.name for d in i.datasets)]

    def described(self, asked: Iterable[Intake]) -> str:
        """The places of some sources as events have them."""
        found = {name: source.place for name, source in self.sources.items()}
        return places.described(found, [intake.source for intake in asked])

    def are_meant(self, asked: Iterable[Intake], text: str) -> bool:
        """Whether an event's text means the places of these sources, as the settings have them now."""
        found = {name: source.place for name, source in self.sources.items()}
        return places.are_meant(found, [intake.source for intake in asked], text)


def differs(definition: Definition) -> Difference:
    """Tells today's definition from the text of a version."""
    return lambda text, references: difference(definition, text, references_of(references))


def changed_logic(pipeline: Pipeline, locks: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """What is other than in its current version, for each dataset of which something is. Raises `DefinitionError`."""
    found = {}
    for name, definition in pipeline.definitions.items():
        check_definition(definition)
        by = definition.read_by
        found[name] = locks[name].changes(differs(definition), reader=reader_version(by), row=noun_of(by))
    return {name: what for name, what in found.items() if what}


def engine_name(facts: Mapping[str, Any]) -> str:
    """The engine that an executor's facts tell of."""
    return f"duckdb {facts['duckdb']}"


def reference_facts(definition: Definition) -> list[dict[str, str]]:
    """A definition's reference data as events carry it."""
    return [{"name": name, "text": text} for name, text in definition.references]
