"""The life of a dataset, event by event; `Dataset` decides, these only tell. No I/O here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tradex_ledger.domain.base import CreatedEvent, Event
from tradex_ledger.domain.plan import digest_of

if TYPE_CHECKING:
    from tradex_ledger.domain.dataset import Dataset


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
    reads: list[dict[str, Any]]
    engine: str
    reason: str
    indirect: str | None

    def apply(self, aggregate: Dataset) -> None:
        aggregate.logic_version = self.logic_version
        aggregate.fingerprint = self.fingerprint
        aggregate.definition = digest_of([self.definition, self.references])


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
        aggregate.protected.append([self.first, self.last, self.reason])


class PartitionsUnprotected(Event):
    """A protection was lifted: the one with that reason (in version 1, all of that range)."""

    TOPIC: ClassVar[str] = "dataset.partitions_unprotected"
    first: str
    last: str
    reason: str

    protection: str | None
    class_version = 2

    @staticmethod
    def upcast_v1_v2(data: dict[str, Any]) -> None:
        data["protection"] = None

    def apply(self, aggregate: Dataset) -> None:
        held = [self.first, self.last]
        aggregate.protected = [p for p in aggregate.protected if p[:2] != held or self.protection not in (None, p[2])]


class PrunePlanned(Event):
    """Somebody listed files of old versions that are to be removed; nothing is until it is approved (N4)."""

    TOPIC: ClassVar[str] = "dataset.prune_planned"
    files: list[dict[str, Any]]
    digest: str
    reason: str

    def apply(self, aggregate: Dataset) -> None:
        aggregate.prune_plan = {"files": self.files, "digest": self.digest, "by": self.by}


class FilesPruned(Event):
    """The listed files are given up, by an approved plan; they are removed after this event, never before."""

    TOPIC: ClassVar[str] = "dataset.files_pruned"
    files: list[dict[str, Any]]
    digest: str
    planned_by: str

    def apply(self, aggregate: Dataset) -> None:
        aggregate.prune_plan = None
