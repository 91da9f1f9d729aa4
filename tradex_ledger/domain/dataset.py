"""A dataset: its identity, its logic versions, and the lock that publications take. No I/O here."""

from __future__ import annotations

from typing import Any, ClassVar

from tradex_ledger.domain.base import Aggregate, CreatedEvent, Event
from tradex_ledger.domain.dataset_errors import (
    DeprecatedVersionError,
    LogicChangedError,
    NoSuchVersionError,
    ProtectedError,
    PruneRefusedError,
    SameLogicError,
)
from tradex_ledger.domain.plan import digest_of
from tradex_ledger.domain.policy import Policy, person
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.errors import RefusedError


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
        self.deprecated: list[int] = []
        self.protected: list[list[str]] = []
        self.prune_plan: dict[str, Any] | None = None

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
        """A protection was lifted."""

        TOPIC: ClassVar[str] = "dataset.partitions_unprotected"
        first: str
        last: str
        reason: str

        def apply(self, aggregate: Dataset) -> None:
            aggregate.protected = [p for p in aggregate.protected if p[:2] != [self.first, self.last]]

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

    def version_logic(self, facts: dict[str, Any], *, reason: str, by: str, indirect: str | None = None) -> None:
        """Number the logic. `facts` are the definition's (see `LogicVersioned`).

        `indirect` names the upstream dataset whose new version changes this one's numbers, too.
        """
        if indirect is None and facts["fingerprint"] == self.fingerprint:
            raise SameLogicError(self.name, self.logic_version)
        self.trigger_event(
            self.LogicVersioned,
            logic_version=self.logic_version + 1,
            component=self.component,
            reason=reason,
            indirect=indirect,
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
        if logic_version in self.deprecated:
            raise DeprecatedVersionError(self.name, logic_version)
        self.trigger_event(
            self.Published,
            run=run_id,
            logic_version=logic_version,
            partitions=partitions,
            rows=rows,
            by=by,
        )

    def revert(self, run_id: str, *, by: str) -> None:
        """Take the lock for taking a run's publication back."""
        self.trigger_event(self.Reverted, run=run_id, by=by)

    def check_writable(self) -> None:
        """Raise `DeprecatedVersionError` when the current version is deprecated."""
        if self.logic_version in self.deprecated:
            raise DeprecatedVersionError(self.name, self.logic_version)

    def deprecate(self, version: int, *, reason: str, by: str) -> None:
        """Mark a version: it stays readable, with a warning, and is written no more (N26)."""
        self._check_version(version)
        if version in self.deprecated:
            raise DeprecatedVersionError(self.name, version)
        self.trigger_event(self.VersionDeprecated, logic_version=version, reason=check_reason(reason), by=by)

    def restore(self, version: int, *, reason: str, by: str) -> None:
        """Take a deprecation back."""
        self._check_version(version)
        if version not in self.deprecated:
            raise RefusedError(f"version {version} of {self.name} is not deprecated", code="wrong-state")
        self.trigger_event(self.VersionRestored, logic_version=version, reason=check_reason(reason), by=by)

    def _check_version(self, version: int) -> None:
        if not 1 <= version <= self.logic_version:
            raise NoSuchVersionError(self.name, version, self.logic_version)

    def protect(self, first: str, last: str, *, reason: str, by: str) -> None:
        """Keep first..last (days, included) as they are: planning over them is refused."""
        if last < first:
            raise RefusedError(f"the range {first}..{last} is reversed", code="range")
        self.trigger_event(self.PartitionsProtected, first=first, last=last, reason=check_reason(reason), by=by)

    def unprotect(self, first: str, last: str, *, reason: str, by: str) -> None:
        """Lift a protection, named by its very range."""
        if [first, last] not in [p[:2] for p in self.protected]:
            known = ", ".join(f"{a}..{b}" for a, b, _ in self.protected) or "nothing"
            raise RefusedError(
                f"{self.name} {first}..{last} is not protected; protected is: {known}", code="wrong-state"
            )
        self.trigger_event(self.PartitionsUnprotected, first=first, last=last, reason=check_reason(reason), by=by)

    def check_unprotected(self, first: str, last: str) -> None:
        """Raise `ProtectedError` when a day of first..last is under protection."""
        for start, end, reason in self.protected:
            if first <= end and start <= last:
                raise ProtectedError(self.name, start, end, reason)

    def plan_prune(self, files: list[dict[str, Any]], *, reason: str, by: str) -> str:
        """List files (path, bytes, partition, logic_version) to be given up; returns the digest to approve."""
        if self.layer == "bronze":
            raise PruneRefusedError(f"{self.name} is Bronze: it is never pruned")
        if not files:
            raise PruneRefusedError(f"there is nothing to prune in {self.name}")
        digest = digest_of([self.name, files])
        self.trigger_event(self.PrunePlanned, files=files, digest=digest, reason=check_reason(reason), by=by)
        return digest

    def prune(self, digest: str, *, by: str, policy: Policy) -> list[str]:
        """Approve the plan with that digest; returns the paths, to be removed once this is saved.

        Raises: `NotAllowedError`, `PruneRefusedError`; four eyes: who listed the files does not approve.
        """
        policy.check_may("prune", by)
        plan = self.prune_plan
        if plan is None or plan["digest"] != digest:
            raise PruneRefusedError(
                f"{self.name} has no plan {digest[:12]} to prune",
                mend=f"make one: tradex lake prune {self.name} --reason …",
            )
        if person(by) == person(plan["by"]):
            raise PruneRefusedError(
                f"{by} listed these files and cannot approve their removal",
                mend="ask somebody else",
                code="self-approval",
            )
        self.trigger_event(self.FilesPruned, files=plan["files"], digest=digest, planned_by=plan["by"], by=by)
        return [file["path"] for file in plan["files"]]
