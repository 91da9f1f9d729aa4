"""The life of a dataset, event by event; `Dataset` decides, these only tell. No I/O here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from tradex_ledger.domain.base import CreatedEvent, Event
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.differences import EngineVerdict, PlacedDifference
from tradex_ledger.domain.digest import digest_of
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.protection import Protection
from tradex_ledger.domain.waiting import FileList, ListedFile

if TYPE_CHECKING:
    from tradex_ledger.domain.dataset import Dataset
    from tradex_ledger.domain.engine_verdicts import EngineVerdicts
    from tradex_ledger.domain.losses import Losses

EQUAL, DIFFERENT, NONE_ELIGIBLE, ACCEPTED = "equal", "different", "none eligible", "accepted"
"""What is known of an engine under a logic version."""


ENGINE_SCHEME = "duckdb-json-1"
"""How version 1 of `dataset.logic_versioned` made fingerprints: over what DuckDB's parser gave."""


class Registered(CreatedEvent):
    """The dataset became known to the ledger."""

    TOPIC: ClassVar[str] = "dataset.registered"
    name: str
    pipeline: str
    layer: str
    partition_column: str
    component: str | None

    def apply(self, aggregate: Dataset) -> None:
        aggregate.name = self.name
        aggregate.layer = self.layer
        aggregate.partition_column = self.partition_column
        aggregate.component = self.component


class LogicVersioned(Event):
    """The dataset's logic got a number; the full text is kept, so that the past can be recomputed (N25)."""

    TOPIC: ClassVar[str] = "dataset.logic_versioned"
    logic_version: int
    component: str | None
    fingerprint: str
    definition: str
    references: list[dict[str, str]]
    key: list[str]
    columns: list[dict[str, str]]
    reads: list[Facts]
    engine: str
    reason: str
    indirect: str | None

    scheme: str
    reader: int | None
    class_version = 2

    @staticmethod
    def upcast_v1_v2(data: Facts) -> None:
        data.update(scheme=ENGINE_SCHEME, reader=None)

    def apply(self, aggregate: Dataset) -> None:
        aggregate.logic_version = self.logic_version
        aggregate.fingerprint = self.fingerprint
        aggregate.scheme = self.scheme
        aggregate.definition = digest_of([self.definition, self.references])
        aggregate.text = self.definition
        aggregate.references = self.references
        aggregate.readers[str(self.logic_version)] = self.reader


class Published(Event):
    """A run published into the dataset: the optimistic lock against any other that would."""

    TOPIC: ClassVar[str] = "dataset.published"
    run: str
    logic_version: int
    partitions: int
    rows: int


class Reverted(Event):
    """A run's publication into the dataset was taken back: the same lock as a publication."""

    TOPIC: ClassVar[str] = "dataset.reverted"
    run: str


class VersionDeprecated(Event):
    """Nobody should use that version any more, and no run may write under it (N26)."""

    TOPIC: ClassVar[str] = "dataset.version_deprecated"
    logic_version: int
    reason: str

    def apply(self, aggregate: Dataset) -> None:
        aggregate.deprecated.append(self.logic_version)


class VersionRestored(Event):
    """A deprecated version is good again."""

    TOPIC: ClassVar[str] = "dataset.version_restored"
    logic_version: int
    reason: str

    def apply(self, aggregate: Dataset) -> None:
        aggregate.deprecated.remove(self.logic_version)


class PartitionsProtected(Event):
    """Days of the dataset must stay as they are: a legal hold, a source that is gone."""

    TOPIC: ClassVar[str] = "dataset.partitions_protected"
    first: str
    last: str
    reason: str

    def apply(self, aggregate: Dataset) -> None:
        aggregate.protected.append(Protection(day_of(self.first), day_of(self.last), self.reason))


class PartitionsUnprotected(Event):
    """A protection was lifted: the one with that reason (in version 1, all of that range)."""

    TOPIC: ClassVar[str] = "dataset.partitions_unprotected"
    first: str
    last: str
    reason: str

    protection: str | None
    class_version = 2

    @staticmethod
    def upcast_v1_v2(data: Facts) -> None:
        data.update(protection=None)

    def apply(self, aggregate: Dataset) -> None:
        lifted = day_of(self.first), day_of(self.last)
        aggregate.protected = [
            held
            for held in aggregate.protected
            if (held.first, held.last) != lifted or self.protection not in (None, held.reason)
        ]


def file_list(event: PrunePlanned | LossDeclared) -> FileList:
    """The files that an event lists, with who did."""
    return FileList(tuple(map(ListedFile.from_event, event.files)), event.digest, event.by, event.reason)


class PrunePlanned(Event):
    """Somebody listed files of old versions that are to be removed; nothing is until it is approved (N4)."""

    TOPIC: ClassVar[str] = "dataset.prune_planned"
    files: list[Facts]
    digest: str
    reason: str

    def apply(self, aggregate: Dataset) -> None:
        aggregate.prune_plan = file_list(self)


class FilesPruned(Event):
    """The listed files are given up, by an approved plan; they are removed after this event, never before."""

    TOPIC: ClassVar[str] = "dataset.files_pruned"
    files: list[Facts]
    digest: str
    planned_by: str

    def apply(self, aggregate: Dataset) -> None:
        aggregate.prune_plan = None


class LossDeclared(Event):
    """Somebody listed files that are not in the lake as they were written; nothing follows until it is approved."""

    TOPIC: ClassVar[str] = "dataset.loss_declared"
    files: list[Facts]
    digest: str
    reason: str

    def apply(self, aggregate: Losses) -> None:
        aggregate.loss_plan = file_list(self)


class FilesLost(Event):
    """The listed files are lost, by two persons' word: what was in them can be extracted or built again."""

    TOPIC: ClassVar[str] = "dataset.files_lost"
    files: list[Facts]
    digest: str
    reason: str
    declared_by: str

    def apply(self, aggregate: Losses) -> None:
        aggregate.loss_plan = None
        aggregate.lost = [*aggregate.lost, *(LakeFile.of(file).path for file in self.files)]


class EngineChecked(Event):
    """A sample of what other engines built was built again by this one, and compared; nothing was recomputed by it."""

    TOPIC: ClassVar[str] = "dataset.engine_checked"
    engine: str
    logic_version: int
    verdict: str
    compared_with: list[str]
    partitions: list[str]
    differences: list[Facts]

    def apply(self, aggregate: EngineVerdicts) -> None:
        known = EngineVerdict(self.verdict, tuple(map(PlacedDifference.from_event, self.differences)))
        aggregate.engines[f"{self.logic_version} {self.engine}"] = known


class EngineAccepted(Event):
    """A person let an engine that gives other rows go on under the same logic version."""

    TOPIC: ClassVar[str] = "dataset.engine_accepted"
    engine: str
    logic_version: int
    reason: str

    def apply(self, aggregate: EngineVerdicts) -> None:
        name = f"{self.logic_version} {self.engine}"
        aggregate.engines[name] = replace(aggregate.engines[name], verdict=ACCEPTED)
