"""Whether the settings propose another policy than the one on record."""

from __future__ import annotations

from typing import NamedTuple

from tradex_ledger.domain.facts import facts_of
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.policy_text import APPLY, ON_RECORD, policy_on_record
from tradex_ledger.ledger.ask import of_stream
from tradex_ledger.ledger.select import Store


class PolicyFacts(NamedTuple):
    """What an event says of a policy: its digest, and, as far as it does, its text (TOML), who proposed it, and why."""

    digest: str
    text: str = ""
    proposed_by: str | None = None
    reason: str | None = None

    @property
    def policy(self) -> Policy:
        """The policy itself. Raises: `StrangePolicyError`."""
        return policy_on_record(self.text, self.digest)


def unrecorded(store: Store, proposed: Policy) -> str | None:
    """What `[policy]` in the settings says and the record does not, in a sentence for people; None: it is the same.

    Nothing is decided by that, so that the newest event is read and no more: whoever decides loads the whole stream.
    """
    found = of_stream(store, ON_RECORD, APPLY, limit=1)
    if not found:
        return "the ledger is of before policies were on record: only reading is allowed until tradex policy adopt"
    recorded = facts_of(PolicyFacts, found[0].data)
    names = ", ".join(recorded.policy.differences(proposed))
    if not names:
        return None
    return (
        f"[policy] in tradex.toml is not what is on record ({recorded.digest[:12]}), and has no effect: {names}; "
        "to record it: tradex policy set --reason …"
    )
