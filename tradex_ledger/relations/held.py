"""Rows of Bronze that are held back, as a relation."""

# No `from __future__ import annotations`: as texts, so many columns would each be compiled when this is loaded.
from datetime import datetime
from typing import NamedTuple

from tradex_ledger.relations.relation import Relation


class Quarantined(NamedTuple):
    """Rows that are, or were, held back together: see `schema/projections/quarantines.json`."""

    quarantine: str
    dataset: str
    state: str
    rows: list[str]
    batches: list[int]
    keys: int
    shared: int
    keys_released: int
    rows_released: list[str] | None
    reason: str
    quarantined_by: str
    quarantined_at: datetime
    release_reason: str | None
    released_by: str | None
    released_at: datetime | None
    position: int


QUARANTINES = Relation("quarantines", Quarantined)
