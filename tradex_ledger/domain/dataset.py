"""A dataset: its identity, its logic versions, and the lock that publications take. No I/O here."""

from __future__ import annotations

from typing import Any, ClassVar

from tradex_ledger.domain.base import Aggregate, CreatedEvent, Event
from tradex_ledger.domain.plan import digest_of
from tradex_ledger.errors import RefusedError


class SameLogicError(RefusedError):
    """A new version needs new logic."""

    code = "same-logic"

    def __init__(self, dataset: str, version: int) -> None:
        super().__init__(f"the logic of {dataset} is that of version {version} already")


class LogicChangedError(RefusedError):
    """Changing logic without a new version is refused (N27)."""

    code = "logic-changed-without-version"

    def __init__(self, dataset: str, version: int, known: str, found: str) -> None:
        super().__init__(
            f"the logic of {dataset} is not that of its version {version} any more "
            f"(fingerprint {found[:12]}, version {version} has {known[:12]})",
            mend=f"restore the definition, or give it a version: tradex dataset bump {dataset} --reason …",
        )


def stream_of(dataset: str) -> str:
    """The stream of a dataset."""
    return f"dataset-{dataset}"


class Dataset(Aggregate):
    """Registered once; versioned when its logic changes; published into by runs."""

    TOPIC: ClassVar[str] = "dataset"

    def __init__(self) -> None:
        self.name: str = ""
        self.layer: str = ""
        self.component: str | None = None
        self.logic_version: int = 0
        self.fingerprint: str = ""
        self.definition: str = ""

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

    @classmethod
    def register(
        cls, name: str, *, pipeline: str, layer: str, partition_column: str, component: str | None, by: str
    ) -> Dataset:
        """Make a dataset known."""
        return cls._create(
            cls.Registered,
            id=stream_of(name),
            name=name,
            pipeline=pipeline,
            layer=layer,
            partition_column=partition_column,
            component=component,
            by=by,
        )

    def version_logic(self, facts: dict[str, Any], *, reason: str, by: str) -> None:
        """Number the logic. `facts` are the definition's (see `LogicVersioned`)."""
        if facts["fingerprint"] == self.fingerprint:
            raise SameLogicError(self.name, self.logic_version)
        self.trigger_event(
            self.LogicVersioned,
            logic_version=self.logic_version + 1,
            component=self.component,
            reason=reason,
            indirect=None,
            by=by,
            **facts,
        )

    def check_logic(self, fingerprint: str, definition: str, references: list[dict[str, str]]) -> None:
        """Raise `LogicChangedError` unless the logic is that of the current version.

        The very text of the version is its logic too: another DuckDB may give it another fingerprint.
        """
        same_text = digest_of([definition, references]) == self.definition
        if fingerprint != self.fingerprint and not same_text:
            raise LogicChangedError(self.name, self.logic_version, self.fingerprint, fingerprint)

    def publish(self, run_id: str, *, logic_version: int, partitions: int, rows: int, by: str) -> None:
        """Take the lock for a run's publication: saving this conflicts with any other since it was read."""
        self.trigger_event(
            self.Published,
            run=run_id,
            logic_version=logic_version,
            partitions=partitions,
            rows=rows,
            by=by,
        )
