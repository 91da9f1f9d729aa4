"""What a run has published, partition by partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from tradex_ledger.audit.reader import Reader
from tradex_ledger.domain.digest import digest_of
from tradex_ledger.relations.data import PARTITION_HISTORY, PartitionHistory, lake_files


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A partition that a run has published, or appended to.

    `rows`, `bytes` and `digest` (SHA-256, hex; of several files that of their digests, of none None) are of what the
    run built; `position` is that of its event.
    """

    dataset: str
    day: date
    outcome: str
    logic_version: int | None
    rows: int
    bytes: int
    digest: str | None
    position: int


def rebuilt(reader: Reader, run_id: str) -> list[Rebuilt]:
    """The partitions of a run in the order of datasets and days; batches of one partition of Bronze are one."""
    history = reader.of_run(PARTITION_HISTORY, run_id, "dataset, partition, position")
    seen = [row for row in history if row.state == "published"]
    return [_one(list(rows)) for _, rows in groupby(seen, key=lambda row: (row.dataset, row.partition))]


def _one(rows: Sequence[PartitionHistory]) -> Rebuilt:
    last = rows[-1]
    digests = [file.sha256 for row in rows for file in lake_files(row.files)]
    return Rebuilt(
        dataset=last.dataset,
        day=last.partition,
        outcome=last.outcome,
        logic_version=last.logic_version,
        rows=sum(row.rows for row in rows),
        bytes=sum(row.bytes for row in rows),
        digest=digests[0] if len(digests) == 1 else digest_of(digests) if digests else None,
        position=last.position,
    )
