"""The keys that sign approvals, as a document: which are on record, and what waits for a second person."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from tradex_ledger.audit.documents.form import HIDDEN
from tradex_ledger.audit.log import log
from tradex_ledger.audit.reader import Reader
from tradex_ledger.domain.approver_keys import ApproverKey, ApproverKeys
from tradex_ledger.domain.facts import facts_of
from tradex_ledger.relations.keys import APPROVER_KEYS, KeyRow
from tradex_ledger.sealing.allowed import allowed_signers

if TYPE_CHECKING:
    from tradex_ledger.ledger.application import Ledger
    from tradex_ledger.views import Asked

_WAITING = (ApproverKeys.Proposed.TOPIC, ApproverKeys.Rejected.TOPIC, ApproverKeys.Added.TOPIC)


class _Said(NamedTuple):
    """What the events of a proposal say."""

    fingerprint: str
    name: str = ""
    key: str = ""
    namespaces: str = ""
    valid_after: str | None = None
    valid_before: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WaitingKey:
    """A key that waits for a second person: what it is approved by (`digest`), whose it would be, and why."""

    digest: str
    name: str
    fingerprint: str
    reason: str
    by: str
    position: int


@dataclass(frozen=True, slots=True)
class KeysDocument:
    """The keys as of a position, oldest first; `allowed` is the same as a file of allowed signers."""

    keys: list[KeyRow]
    waits: list[WaitingKey]
    allowed: str = field(default="", metadata=HIDDEN)


def keys_document(ledger: Ledger, as_of: Asked) -> KeysDocument:
    """The keys as of a position, a day or a time."""
    rows = Reader(ledger.store, as_of).read(APPROVER_KEYS, "true order by position")
    waiting: dict[str, WaitingKey] = {}
    for entry in log(ledger, topics=_WAITING, as_of=as_of).events:
        said = facts_of(_Said, entry.data)
        waiting.pop(said.fingerprint, None)
        if entry.topic == ApproverKeys.Proposed.TOPIC:
            key = ApproverKey(said.name, said.key, said.fingerprint, said.namespaces, *said[4:6])
            facts = (key.digest, said.name, said.fingerprint, said.reason)
            waiting[said.fingerprint] = WaitingKey(*facts, by=entry.by, position=entry.position)
    return KeysDocument(rows, list(waiting.values()), allowed_signers(map(_allowed, rows)))


def _allowed(row: KeyRow) -> tuple[ApproverKey, datetime, datetime | None]:
    facts = (row.name, row.key, row.fingerprint, row.namespaces, row.valid_after, row.valid_before)
    until = row.revoked_at and row.revoked_at.replace(tzinfo=UTC)
    return ApproverKey(*facts), row.added_at.replace(tzinfo=UTC), until
