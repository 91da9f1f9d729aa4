"""A dataset as a document: whole, with its versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from tradex_ledger.audit.documents.form import SPREAD
from tradex_ledger.audit.documents.held import Held, datasets
from tradex_ledger.audit.reader import Reader
from tradex_ledger.relations.data import (
    LOGIC_VERSIONS,
    PARTITIONS,
    PROTECTIONS,
    STALE_PARTITIONS,
    LogicVersion,
    Partition,
    StalePartition,
)

_COVERED = "select logic_version, count(*), min(partition), max(partition) from partitions where dataset = ? group by 1"


class _Covered(NamedTuple):
    logic_version: int
    partitions: int = 0
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A logic version with the days that there are under it."""

    version: LogicVersion = field(metadata=SPREAD)
    partitions: int
    first: date | None
    last: date | None


class Protected(NamedTuple):
    """Days that must stay as they are: why, and who said so."""

    first: date
    last: date
    reason: str
    protected_by: str
    protected_at: datetime


@dataclass(frozen=True, slots=True)
class Current:
    """The current partitions, where they were asked for."""

    current: list[Partition]


@dataclass(frozen=True, slots=True)
class DatasetDocument:
    """One dataset whole."""

    held: Held = field(metadata=SPREAD)
    versions: list[Version]
    protections: list[Protected]
    stale: list[StalePartition]
    current: Current | None = field(metadata=SPREAD)


def dataset(reader: Reader, name: str, *, partitions: bool = False) -> DatasetDocument:
    """One dataset with its logic versions, and its current partitions if asked for. Raises `UnknownDatasetError`."""
    from tradex_ledger.datasets.definition import UnknownDatasetError  # loads slowly

    known = {held.dataset: held for held in datasets(reader)}
    if name not in known:
        raise UnknownDatasetError(name, list(known))
    covered = {one.logic_version: one for one in reader.ask(_Covered, _COVERED, name, over=("partitions",))}
    versions = reader.read(LOGIC_VERSIONS, "dataset = ? order by logic_version", name)
    current = Current(reader.read(PARTITIONS, "dataset = ? order by partition, logic_version", name))
    return DatasetDocument(
        held=known[name],
        versions=[Version(v, *covered.get(v.logic_version, _Covered(v.logic_version))[1:]) for v in versions],
        protections=[Protected(*one[1:-1]) for one in reader.read(PROTECTIONS, "dataset = ? order by position", name)],
        stale=reader.read(STALE_PARTITIONS, "dataset = ?", name),
        current=current if partitions else None,
    )
