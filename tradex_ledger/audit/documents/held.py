"""What there is of each dataset, as a document."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from tradex_ledger.audit.reader import Reader
from tradex_ledger.relations.data import LOGIC_VERSIONS
from tradex_ledger.relations.reads import Read

_HELD = """
    select p.dataset, count(*), min(p.partition), max(p.partition), sum(p.rows)::bigint, sum(p.bytes)::bigint,
        max(p.published_at)
    from partitions p
    join logic_versions v using (dataset)
    where v.is_read and (v.component is null or p.logic_version = v.logic_version)
    group by 1
"""


class _Held(NamedTuple):
    dataset: str
    partitions: int = 0
    first: date | None = None
    last: date | None = None
    rows: int = 0
    bytes: int = 0
    published_at: datetime | None = None


class Held(NamedTuple):
    """A dataset: the version that readers get, and what the lake holds of it."""

    dataset: str
    layer: str
    logic_version: int
    component: str | None
    partitions: int
    first: date | None
    last: date | None
    rows: int
    bytes: int
    published_at: datetime | None
    reads: list[Read] | None


def datasets(reader: Reader) -> list[Held]:
    """All datasets, in the order in which they were registered."""
    versions = reader.read(LOGIC_VERSIONS, "is_read order by position")
    held = {one.dataset: one for one in reader.ask(_Held, _HELD, over=("partitions",))}
    return [
        Held(v.dataset, v.layer, v.logic_version, v.component, *held.get(v.dataset, _Held(v.dataset))[1:], v.reads)
        for v in versions
    ]
