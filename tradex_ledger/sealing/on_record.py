"""Whether an approval on record holds, before anything is done by it: the events are asked, and no one's word."""

from __future__ import annotations

from typing import NamedTuple

from tradex_ledger.domain.approver_keys import STREAM, ApproverKeys
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.facts import facts_of
from tradex_ledger.domain.policy_text import APPLY, ON_RECORD, policy_on_record
from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.ledger.ask import Told, of_stream
from tradex_ledger.ledger.event import event_of
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.ledger.select import Store
from tradex_ledger.sealing.approvals import Asked, check_approval


class ForgedApprovalError(BrokenLedgerError):
    """An approval on record does not hold: nobody signed it so, or whoever did had no right to."""

    code = "forged-approval"

    def __init__(self, run_id: str, position: int, why: str) -> None:
        super().__init__(
            f"the approval of {run_id} on record (position {position}) does not hold: {why}",
            mend=f"nothing is done by it; see tradex audit history {run_id}, and who can write to the ledger",
        )


class _Policy(NamedTuple):
    """What an event says of a policy."""

    text: str
    digest: str


def check_on_record(store: Store, run: Backfill) -> None:
    """Raise `ForgedApprovalError` where the signature of a backfill's approval does not hold by the record before it.

    One that is not signed is none of this: whether it had to be is judged by the policy (`check_still_allowed`).
    """
    if run.approved_key is None:
        return
    told = of_stream(store, run.id, ["backfill.approved"], limit=1)[0]
    policies = [row for row in of_stream(store, ON_RECORD, APPLY) if row.position < told.position]
    policy = policy_on_record(*facts_of(_Policy, policies[0].data))
    entry = entry_of(store.ledger, told)
    verdict = check_approval(entry, Asked(run.request.kind, run.requested_by), _keys_before(store, told), policy)
    if not verdict.holds:
        raise ForgedApprovalError(run.id, told.position, verdict.why)


def _keys_before(store: Store, told: Told) -> ApproverKeys:
    """The keys as they were on record before an event."""
    keys = ApproverKeys.begun(STREAM, 0)
    for row in reversed(of_stream(store, STREAM)):
        if row.position < told.position:
            event_of(row.entry.encode(), row.stream, row.version, row.topic).apply(keys)
    return keys
