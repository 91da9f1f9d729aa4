"""Who reads whom, by the logic on record: what was so as of a position does not hang on the definitions of today."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tradex_ledger.audit.reader import Reader
from tradex_ledger.datasets.definition import UnknownDatasetError
from tradex_ledger.domain.plan import ASKED, Edge
from tradex_ledger.relations.data import LOGIC_VERSIONS, LogicVersion
from tradex_ledger.relations.reads import reads_of


@dataclass(frozen=True, slots=True)
class Lineage:
    """An edge above or below a dataset (`side`): who reads whom, over which relative days."""

    dataset: str
    reads: str
    first: int
    last: int
    side: str


def recorded_lineage(reader: Reader, name: str) -> list[Lineage]:
    """The edges above and below a dataset, upstream first. Raises `UnknownDatasetError`."""
    versions = _current(reader)
    if name not in {version.dataset for version in versions}:
        raise UnknownDatasetError(name, [version.dataset for version in versions])
    edges = [(version.dataset, read) for version in versions for read in reads_of(version.reads)]
    above, below = {name}, {name}
    for _ in versions:  # the longest way there can be
        above |= {read.dataset for dataset, read in edges if dataset in above}
        below |= {dataset for dataset, read in edges if read.dataset in below}
    return [
        Lineage(dataset, read.dataset, read.first, read.last, "upstream" if dataset in above else "downstream")
        for dataset, read in edges
        if dataset in above or (dataset in below and read.dataset in below)
    ]


def recorded_edges(reader: Reader, subject: str, planned: Collection[str]) -> list[Edge]:
    """Why each dataset is in a plan for a dataset, or for a layer: asked for, or for what it reads."""
    versions = _current(reader)
    asked = sorted(version.dataset for version in versions if subject in (version.dataset, version.layer))
    return [
        *(Edge(name, ASKED) for name in asked),
        *(
            Edge(version.dataset, f"reads {read.dataset}", read.first, read.last)
            for version in versions
            for read in reads_of(version.reads)
            if version.dataset in planned and read.dataset in {*planned, *asked}
        ),
    ]


def _current(reader: Reader) -> list[LogicVersion]:
    return reader.read(LOGIC_VERSIONS, "is_current order by position")
