"""A dataset: its identity, its logic versions, and the lock that publications take. No I/O here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

from tradex_ledger.domain import dataset_events as events
from tradex_ledger.domain.dataset_errors import (
    AlreadyDeprecatedError,
    AlreadyProtectedError,
    DeprecatedVersionError,
    NoSuchVersionError,
    NotDeprecatedError,
    NotProtectedError,
    ProtectedError,
    PruneRefusedError,
    SameLogicError,
    SeveralProtectionsError,
)
from tradex_ledger.domain.day import Day
from tradex_ledger.domain.digest import digest_of
from tradex_ledger.domain.erasures import Erasures
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.protection import Protection
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.request import check_order
from tradex_ledger.domain.waiting import FileList, ListedFile, is_own, named
from tradex_ledger.domain.words import ROW

Difference = Callable[[str, list[dict[str, str]]], str | None]
"""What is other today than in a version's text and reference data; None when it is the same logic. The domain parses
nothing: it is handed this."""


SHORTEST_BEGINNING = 4
"""So many characters of a protection's reason have to be given to name it: next to nothing would name the only one."""


def stream_of(dataset: str) -> str:
    """The stream of a dataset."""
    return f"dataset-{dataset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logic:
    """What is on record of a version's logic, as events carry it: the definition's text and its `fingerprint` by a
    `scheme`, reference data, `key`, `columns`, what it `reads`, and the engine and the reader of rows that made it."""

    fingerprint: str
    scheme: str
    definition: str
    references: list[dict[str, str]]
    key: list[str]
    columns: list[dict[str, str]]
    reads: list[Facts]
    engine: str
    reader: int | None

    def to_event(self) -> Facts:
        """As events carry it."""
        return asdict(self)


class Dataset(Erasures):
    """Registered once; versioned when its logic changes; published into by runs."""

    TOPIC: ClassVar[str] = "dataset"

    Registered = events.Registered
    LogicVersioned = events.LogicVersioned
    Published = events.Published
    Reverted = events.Reverted
    VersionDeprecated = events.VersionDeprecated
    VersionRestored = events.VersionRestored
    PartitionsProtected = events.PartitionsProtected
    PartitionsUnprotected = events.PartitionsUnprotected
    PrunePlanned = events.PrunePlanned
    FilesPruned = events.FilesPruned

    def __init__(self) -> None:
        super().__init__()
        self.layer: str = ""
        self.partition_column: str = ""
        self.component: str | None = None
        self.fingerprint: str = ""
        self.scheme: str = ""
        self.definition: str = ""
        self.text: str = ""
        self.references: list[dict[str, str]] = []
        self.readers: dict[str, int | None] = {}
        self.deprecated: list[int] = []
        self.protected: list[Protection] = []
        self.prune_plan: FileList | None = None

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

    def version_logic(
        self,
        logic: Logic,
        *,
        reason: str,
        by: str,
        policy: Policy,
        differs: Difference | None = None,
        indirect: str | None = None,
    ) -> None:
        """Number the logic. `differs` tells it from the text on record.

        `indirect` names the upstream dataset whose new version changes this one's numbers, too. An engine that gives
        other rows is as good a reason as other text. The first version comes with the dataset, and needs no right.
        """
        if self.logic_version:
            policy.check_may("bump", by)
        refused = self.engine_verdict(logic.engine) == events.DIFFERENT
        changed = differs is not None and self.changes(differs, reader=logic.reader)
        if self.logic_version and not (indirect or refused or changed):
            raise SameLogicError(self.name, self.logic_version)
        self.trigger_event(
            self.LogicVersioned,
            logic_version=self.logic_version + 1,
            component=self.component,
            reason=reason,
            indirect=indirect,
            by=by,
            **logic.to_event(),
        )

    def changes(self, differs: Difference, *, reader: int | None, row: str = ROW) -> list[str]:
        """What is other than in the current version: its text, or what reads its rows (each a `row`), if anything."""
        found = differs(self.text, self.references)
        known = self.reader_of(self.logic_version)
        changed = [found] if found else []
        if known != reader:
            changed.append(
                f"its {row}s are read by reader {reader}, version {self.logic_version} was read by reader {known}"
            )
        return changed

    def reader_of(self, logic_version: int) -> int | None:
        """The version of the code that read a Bronze dataset's rows under a logic version; None where none does.

        Who recorded no reader had the first.
        """
        if self.layer != LAYERS[0]:
            return None
        return self.readers.get(str(logic_version)) or 1

    def publish(
        self, run_id: str, *, logic_version: int, partitions: int, rows: int, changed: Iterable[Day], by: str
    ) -> None:
        """Take the lock for a run's publication: saving this conflicts with any other since it was read.

        `changed` are the days of which readers would see something else. Raises: `DeprecatedVersionError`,
        `ProtectedError`.
        """
        if logic_version in self.deprecated:
            raise DeprecatedVersionError(self.name, logic_version)
        for day in changed:
            self.check_unprotected(day, day)
        self.trigger_event(
            self.Published,
            run=run_id,
            logic_version=logic_version,
            partitions=partitions,
            rows=rows,
            by=by,
        )

    def revert(self, run_id: str, *, changed: Iterable[Day], by: str) -> None:
        """Take the lock for taking a run's publication of some days back. Raises `ProtectedError`."""
        for day in changed:
            self.check_unprotected(day, day)
        self.trigger_event(self.Reverted, run=run_id, by=by)

    def check_writable(self) -> None:
        """Raise `DeprecatedVersionError` when the current version is deprecated."""
        if self.logic_version in self.deprecated:
            raise DeprecatedVersionError(self.name, self.logic_version)

    def deprecate(self, version: int, *, reason: str, by: str, policy: Policy) -> None:
        """Mark a version: it stays readable, with a warning, and is written no more (N26)."""
        policy.check_may("deprecate", by)
        self._check_version(version)
        if version in self.deprecated:
            raise AlreadyDeprecatedError(self.name, version)
        self.trigger_event(self.VersionDeprecated, logic_version=version, reason=check_reason(reason), by=by)

    def restore(self, version: int, *, reason: str, by: str, policy: Policy) -> None:
        """Take a deprecation back."""
        policy.check_may("restore", by)
        self._check_version(version)
        if version not in self.deprecated:
            raise NotDeprecatedError(self.name, version)
        self.trigger_event(self.VersionRestored, logic_version=version, reason=check_reason(reason), by=by)

    def _check_version(self, version: int) -> None:
        if not 1 <= version <= self.logic_version:
            raise NoSuchVersionError(self.name, version, self.logic_version)

    def protect(self, first: Day, last: Day, *, reason: str, by: str, policy: Policy) -> None:
        """Keep first..last (days, included) as they are: nothing is planned or published over them, or reverted.

        Each protection is lifted by itself: who holds the same days for another reason goes on holding them.
        """
        policy.check_may("protect", by)
        check_order(first, last)
        wanted = Protection(first, last, check_reason(reason))
        if wanted in self.protected:
            raise AlreadyProtectedError(self.name, wanted)
        self.trigger_event(self.PartitionsProtected, **wanted.to_event(), by=by)

    def unprotect(
        self, first: Day, last: Day, *, reason: str, by: str, policy: Policy, protection: str | None = None
    ) -> str:
        """Lift one protection, named by its very range, and where there are several by its reason, or its beginning.

        Returns that reason. Raises: `NotProtectedError`, `SeveralProtectionsError`, `NotAllowedError`.
        """
        policy.check_may("protect", by)
        check_order(first, last)
        same = [held.reason for held in self.protected if (held.first, held.last) == (first, last)]
        is_named = protection is None or len(protection) >= SHORTEST_BEGINNING
        found = [why for why in same if why.startswith(protection or "") and (is_named or why == protection)]
        if not found:
            raise NotProtectedError(self.name, first, last, protection, self.protected)
        if len(found) > 1 and protection not in found:
            raise SeveralProtectionsError(self.name, first, last, found)
        lifted = protection if protection in found else found[0]
        facts = Protection(first, last, check_reason(reason)).to_event()
        self.trigger_event(self.PartitionsUnprotected, **facts, protection=lifted, by=by)
        return str(lifted)

    def check_unprotected(self, first: Day, last: Day) -> None:
        """Raise `ProtectedError` when a day of first..last is under protection."""
        for held in self.protected:
            if held.holds(first, last):
                raise ProtectedError(self.name, held)

    def plan_prune(self, files: Sequence[ListedFile], *, reason: str, by: str, policy: Policy) -> str:
        """List files to be given up; returns the digest to approve."""
        policy.check_may("prune", by)
        if self.layer == "bronze":
            raise PruneRefusedError(f"{self.name} is Bronze: it is never pruned")
        if not files:
            raise PruneRefusedError(f"there is nothing to prune in {self.name}")
        listed = [file.to_event() for file in files]
        digest = digest_of([self.name, listed])
        self.trigger_event(self.PrunePlanned, files=listed, digest=digest, reason=check_reason(reason), by=by)
        return digest

    def prune(self, digest: str, *, by: str, policy: Policy) -> list[str]:
        """Approve the plan with that digest; returns the paths, to be removed once this is saved.

        Raises: `NotAllowedError`, `PruneRefusedError`; four eyes: who listed the files does not approve.
        """
        policy.check_may("prune", by)
        plan = named(self.prune_plan, digest)
        if plan is None:
            raise PruneRefusedError(
                f"{self.name} has no plan {digest[:12]} to prune",
                mend=f"make one: tradex lake prune {self.name} --reason …",
            )
        if is_own(plan, by):
            raise PruneRefusedError(
                f"{by} listed these files and cannot approve their removal",
                mend="ask somebody else",
                code="self-approval",
            )
        files = [listed.to_event() for listed in plan.files]
        self.trigger_event(self.FilesPruned, files=files, digest=digest, planned_by=plan.by, by=by)
        return [listed.file.path for listed in plan.files]
