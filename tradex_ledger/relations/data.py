"""What there is: versions of datasets, partitions and their files, and what is the matter with them."""

# No `from __future__ import annotations`: as texts, so many columns would each be compiled when this is loaded.
from datetime import date, datetime
from typing import NamedTuple, TypedDict

from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.relations.reads import Read
from tradex_ledger.relations.relation import Relation


class File(TypedDict):
    """A file as its event names it: path relative to the lake, bytes, rows, SHA-256 (hex)."""

    path: str
    bytes: int
    rows: int
    sha256: str


def lake_files(files: list[File] | None) -> tuple[LakeFile, ...]:
    """The files of a row as values; a partition without rows has none."""
    return tuple(map(LakeFile.of, files or ()))


class LogicVersion(NamedTuple):
    """A logic version of a dataset."""

    dataset: str
    layer: str
    partition_column: str
    component: str | None
    logic_version: int
    is_current: bool
    is_read: bool
    is_deprecated: bool
    fingerprint: str
    scheme: str
    reader: int | None
    reason: str
    indirect: str | None
    reads: list[Read] | None
    definition: str
    versioned_at: datetime
    versioned_by: str
    position: int


class Partition(NamedTuple):
    """A current partition."""

    dataset: str
    layer: str
    partition: date
    logic_version: int | None
    component: str | None
    run_id: str
    run_kind: str
    outcome: str
    rows: int
    bytes: int
    files: list[File] | None
    inputs: str | None
    position: int
    published_position: int
    published_at: datetime


class PartitionHistory(NamedTuple):
    """A partition as some run built it, whether readers see it or not."""

    dataset: str
    layer: str
    partition: date
    logic_version: int | None
    run_id: str
    run_kind: str
    state: str
    outcome: str
    rows: int
    bytes: int
    files: list[File] | None
    previous_rows: int | None
    base: int | None
    inputs: str | None
    duration_ms: int | None
    position: int
    at: datetime
    published_position: int | None
    published_at: datetime | None


class PartitionInput(NamedTuple):
    """A version of an input partition (of Bronze, a batch) that a build at a position was made of, seen from a base."""

    position: int
    base: int
    number: int
    input_dataset: str
    input_layer: str
    input_partition: date
    is_again: bool
    input_position: int
    input_run_id: str
    input_logic_version: int | None
    outcome: str
    rows: int
    files: list[File] | None


class StalePartition(NamedTuple):
    """A partition that is not what its inputs give today."""

    dataset: str
    layer: str
    partition: date
    logic_version: int
    built_position: int | None
    changed_position: int | None
    input_dataset: str | None
    input_partition: date | None
    changed_by_run: str | None
    reason: str


class LostFile(NamedTuple):
    """A file that was declared lost, and what made up for it."""

    dataset: str
    layer: str
    partition: date
    logic_version: int | None
    path: str
    rows: int
    bytes: int
    sha256: str
    problem: str
    reason: str
    declared_by: str
    confirmed_by: str
    position: int
    at: datetime
    mended_position: int | None
    appended_since: int | None


class Engine(NamedTuple):
    """The verdict on an engine, of a dataset under a logic version."""

    dataset: str
    logic_version: int
    is_current: bool
    engine: str
    verdict: str
    compared_with: list[str]
    partitions: list[date]
    differences: list[Facts] | None
    checked_at: datetime
    checked_by: str
    accepted_reason: str | None
    accepted_by: str | None
    accepted_at: datetime | None
    position: int


class TwoContents(NamedTuple):
    """A dataset of which the same inputs gave two contents."""

    dataset: str
    logic_version: int
    partitions: int
    first: date
    last: date
    message: str
    position: int


class Definition(NamedTuple):
    """The text of a definition under a logic version; `references` and `columns` are JSON."""

    dataset: str
    logic_version: int
    definition: str
    references: str
    columns: str
    position: int


class Protection(NamedTuple):
    """Days of a dataset that must stay as they are."""

    dataset: str
    first: date
    last: date
    reason: str
    protected_by: str
    protected_at: datetime
    position: int


class NamedFile(NamedTuple):
    """A file of the lake that an event names; the positions at which it was given up, declared lost, and erased."""

    path: str
    bytes: int
    rows: int
    sha256: str
    dataset: str
    layer: str
    partition: date
    logic_version: int
    run_id: str
    pruned_position: int | None
    lost_position: int | None
    erased_position: int | None
    position: int

    @property
    def file(self) -> LakeFile:
        """The file itself."""
        return LakeFile(self.path, self.bytes, self.rows, self.sha256)


class PrunedFile(NamedTuple):
    """A file that was given up."""

    dataset: str
    path: str
    bytes: int
    rows: int
    sha256: str
    by: str
    at: datetime
    position: int


class ErasedFile(NamedTuple):
    """A file of which rows were erased because law asked for it, and what stands in its place (None: nothing)."""

    dataset: str
    layer: str
    partition: date
    logic_version: int
    run_id: str
    path: str
    bytes: int
    rows: int
    sha256: str
    erased_rows: int
    replaced_by: File | None
    stands_now: File | None
    rows_of: str
    digest: str
    reason: str
    ticket: str
    planned_by: str
    approved_by: str
    position: int
    at: datetime

    @property
    def now(self) -> LakeFile | None:
        """What stands in its place now."""
        return None if self.stands_now is None else LakeFile.of(self.stands_now)

    @property
    def by_whom(self) -> str:
        """Who erased it and why, in words."""
        who = f"{self.planned_by}, approved by {self.approved_by}"
        return f"the event of position {self.position} ({who}; {self.ticket}: {self.reason})"


LOGIC_VERSIONS = Relation("logic_versions", LogicVersion)
PARTITIONS = Relation("partitions", Partition)
PARTITION_HISTORY = Relation("partition_history", PartitionHistory)
RECENT_HISTORY = Relation("recent_history", PartitionHistory)
STALE_PARTITIONS = Relation("stale_partitions", StalePartition)
LOST_FILES = Relation("lost_files", LostFile)
ENGINES = Relation("engines", Engine)
TWO_CONTENTS = Relation("two_contents", TwoContents)
DEFINITIONS = Relation("definitions", Definition)
PROTECTIONS = Relation("protections", Protection)
LAKE_FILES = Relation("lake_files", NamedFile)
PRUNED_FILES = Relation("pruned_files", PrunedFile)
ERASED_FILES = Relation("erased_files", ErasedFile)
