"""The keys that sign approvals, as a relation."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from tradex_ledger.relations.relation import Relation


class KeyRow(NamedTuple):
    """A key on record: see `schema/projections/approver_keys.json`."""

    name: str
    fingerprint: str
    kind: str
    key: str
    namespaces: str
    valid_after: str | None
    valid_before: str | None
    reason: str
    added_by: str
    proposed_by: str | None
    added_at: datetime
    position: int
    revoked_by: str | None
    revoked_at: datetime | None
    revoked_position: int | None
    revoked_why: str | None


APPROVER_KEYS = Relation("approver_keys", KeyRow)
