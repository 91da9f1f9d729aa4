"""The files of the lake as documents: what no event names, what may be given up, what is lost, whose lake it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from tradex_ledger.audit.documents.form import HIDDEN, SPREAD
from tradex_ledger.domain.day import iso
from tradex_ledger.domain.erasing import ErasurePlan, Holding
from tradex_ledger.domain.unnamed import Unnamed
from tradex_ledger.domain.waiting import FileList, ListedFile
from tradex_ledger.errors import TradexError
from tradex_ledger.relations.data import LostFile


@dataclass(frozen=True, slots=True)
class GarbageDocument:
    """What no event names: of runs of this ledger (`files`), and `foreign`; what was removed of it, and the bytes."""

    files: list[Unnamed]
    foreign: list[Unnamed]
    deleted: list[str]
    bytes: int
    listed: list[Unnamed] = field(metadata=HIDDEN)
    """All of them, in the order in which they were found."""
    removed: list[Unnamed] = field(metadata=HIDDEN)

    @staticmethod
    def of(listed: list[Unnamed], removed: list[Unnamed]) -> GarbageDocument:
        """Of all that was listed, and what was removed of it."""
        ours = [one for one in listed if not one.is_foreign]
        return GarbageDocument(
            files=ours,
            foreign=[one for one in listed if one.is_foreign],
            deleted=[one.path for one in removed],
            bytes=sum(one.bytes for one in ours),
            listed=listed,
            removed=removed,
        )

    @property
    def removable(self) -> int:
        """How many could be removed."""
        return sum(one.kept is None for one in self.listed)


@dataclass(frozen=True, slots=True)
class PruneDocument:
    """The plan to prune that waits (digest None: none does), and the days that would be nowhere then."""

    digest: str | None
    files: list[ListedFile]
    nowhere_else: list[str]
    plan: FileList | None = field(metadata=HIDDEN)


@dataclass(frozen=True, slots=True)
class ErasureDocument:
    """An erasure of a dataset's rows: what waits to be approved (digest None: nothing does), or was carried out.

    `unknown` are keys that no row has, `mentions` counts other rows that name one in their texts, `left` are files that
    hold such rows though it was carried out.
    """

    digest: str | None
    status: str
    plan: ErasurePlan | None
    unknown: list[str] = field(default_factory=list)
    mentions: int = 0
    left: list[Holding] = field(default_factory=list)


class Wrong(NamedTuple):
    """A file that is missing, changed or unreadable, and that nobody has declared lost yet."""

    dataset: str
    path: str
    bytes: int
    rows: int
    sha256: str
    partition: str
    logic_version: int | None
    problem: str | None

    @staticmethod
    def of(dataset: str, listed: ListedFile) -> Wrong:
        """Of a file of a dataset, as it is listed."""
        file = listed.file
        told = iso(listed.day), listed.logic_version, listed.problem
        return Wrong(dataset, file.path, file.bytes, file.rows, file.sha256, *told)


@dataclass(frozen=True, slots=True)
class Lost:
    """A file that was declared lost, and how it is now: missing, changed, unreadable, or there again."""

    file: LostFile = field(metadata=SPREAD)
    state: str


@dataclass(frozen=True, slots=True)
class LossDocument:
    """A look at all files: how many were hashed, what is wrong and undeclared, what is lost, what waits."""

    checked: int
    wrong: list[Wrong]
    lost: list[Lost]
    waiting: list[FileList]
    of: list[str] = field(metadata=HIDDEN)
    """Whose files wait, dataset by dataset."""

    @property
    def nothing_there(self) -> bool:
        """Whether not one file is there: is that lake mounted at all?"""
        return self.checked > 0 and sum(file.problem == "missing" for file in self.wrong) == self.checked

    @property
    def undeclared(self) -> list[Wrong]:
        """What is wrong, and nobody has said that it is lost."""
        declared = {path for plan in self.waiting for path in plan.paths}
        return [file for file in self.wrong if file.path not in declared]

    @property
    def back(self) -> list[LostFile]:
        """What was declared lost, and is there again as it was written."""
        return [one.file for one in self.lost if one.state == "there again"]


@dataclass(frozen=True, slots=True)
class ConfirmedDocument:
    """Files that are lost from here on, as their event has them."""

    lost: list[ListedFile]


@dataclass(frozen=True, slots=True)
class Marked:
    """A marker in the lake: which ledger published here, and how far it had come."""

    epoch: int
    position: int
    ledger: str


@dataclass(frozen=True, slots=True)
class Told:
    """An error, as a document has it."""

    code: str
    message: str
    mend: str

    @staticmethod
    def of(error: TradexError) -> Told:
        """Of an error."""
        return Told(error.code, error.message, error.mend)


@dataclass(frozen=True, slots=True)
class IdentityDocument:
    """Which ledger this is, how far it has come, what the lake knows of it, and what stands in the way."""

    ledger: str
    epoch: int
    position: int
    lake: str
    markers: list[Marked]
    problem: Told | None
