"""What waits for a second person: one lists or proposes it, another allows it by its digest (N4, N13). No I/O here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Protocol, TypeVar

from tradex_ledger.domain.day import Day, day_of, iso
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.lake_file import FILE_FACTS, LakeFile
from tradex_ledger.domain.person import person


class Waiting(Protocol):
    """Something that was planned: its digest, and by whom."""

    @property
    def digest(self) -> str:
        """What an approver names it by: SHA-256 (hex)."""

    @property
    def by(self) -> str:
        """Who planned it."""


W = TypeVar("W", bound=Waiting)


def named(plan: W | None, digest: str) -> W | None:
    """The plan that waits, if the digest is its own."""
    return plan if plan is not None and plan.digest == digest else None


def is_own(plan: Waiting, by: str) -> bool:
    """Whether it was planned by that very person, in any spelling: four eyes see it, not two."""
    return person(plan.by) == person(by)


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file of a partition that is to be given up, or that is lost (`problem` says how)."""

    file: LakeFile
    day: Day
    logic_version: int
    problem: str | None = None

    def to_event(self) -> Facts:
        """As events carry it."""
        found = {**self.file.to_event(), "partition": iso(self.day), "logic_version": self.logic_version}
        return found if self.problem is None else {**found, "problem": self.problem}

    @staticmethod
    def from_event(facts: Facts) -> ListedFile:
        """Of an event's."""
        return _listed(LakeFile.of(facts), **{name: said for name, said in facts.items() if name not in FILE_FACTS})


def _listed(file: LakeFile, *, partition: str, logic_version: int, problem: str | None = None) -> ListedFile:
    return ListedFile(file, day_of(partition), logic_version, problem)


@dataclass(frozen=True, slots=True)
class FileList:
    """Files of a dataset that wait to be given up, or to be declared lost."""

    files: tuple[ListedFile, ...]
    digest: str
    by: str
    reason: str

    @property
    def rows(self) -> int:
        """How many rows are in them."""
        return sum(listed.file.rows for listed in self.files)

    @property
    def bytes(self) -> int:
        """How many bytes they have."""
        return sum(listed.file.bytes for listed in self.files)

    @property
    def paths(self) -> set[str]:
        """Their names in the lake."""
        return {listed.file.path for listed in self.files}

    def to_event(self) -> Facts:
        """As events carry it, with who listed them."""
        files = [listed.to_event() for listed in self.files]
        return {"files": files, "digest": self.digest, "by": self.by, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """An epoch that somebody asked for: it goes on after position `base`, without what the lost head had after it."""

    epoch: int
    base: int
    lost_epoch: int
    lost_position: int
    reason: str
    digest: str
    by: str

    def to_event(self) -> Facts:
        """As events carry it, with who asked."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class MovePlan:
    """That somebody asked for the ledger to go on in another database (`to`: its URL), in an epoch of that number."""

    to: str
    epoch: int
    reason: str
    digest: str
    by: str

    def to_event(self) -> Facts:
        """As events carry it, with who asked."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A policy that somebody proposed: its text on record, and why."""

    text: str
    digest: str
    reason: str
    by: str

    def to_event(self) -> Facts:
        """As events carry it, with who proposed it."""
        return asdict(self)
