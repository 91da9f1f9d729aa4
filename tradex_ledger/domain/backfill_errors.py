"""What a backfill refuses, in its own words."""

from __future__ import annotations

from tradex_ledger.domain.plan import SHORTEST_DIGEST, told_apart
from tradex_ledger.errors import RefusedError


class PlanMismatchError(RefusedError):
    """An approval is bound to one plan."""

    code = "plan-mismatch"

    def __init__(self, run_id: str, known: str | None, given: str) -> None:
        super().__init__(
            f"{run_id} has the plan {told_apart(known or 'none', given)}",
            mend=f"see its digest: tradex backfill show {run_id}; {SHORTEST_DIGEST} digits of it are enough",
        )


class SelfApprovalError(RefusedError):
    """Who asks for a forced backfill does not allow it (N13)."""

    code = "self-approval"

    def __init__(self, run_id: str, by: str, action: str = "approve") -> None:
        super().__init__(
            f"{by} requested the forced backfill {run_id} and cannot {action} it",
            mend=f"ask somebody else to look: tradex backfill show {run_id}",
        )


class UnsignedApprovalError(RefusedError):
    """The policy demands the approver's signature."""

    code = "unsigned-approval"

    def __init__(self, run_id: str, kind: str) -> None:
        super().__init__(
            f"{run_id} is a {kind} backfill, which the policy lets nobody approve without a signature",
            mend=f"sign it with your SSH key: tradex backfill approve {run_id} --sign KEYFILE (or print the text, sign "
            "it elsewhere, and hand both in: --print-text FILE, then --signature FILE.sig); a key is put on record by: "
            "tradex policy key add NAME FILE --reason …",
        )


class ApprovalOutdatedError(RefusedError):
    """What was approved under another policy is not allowed under today's."""

    code = "approval-outdated"

    def __init__(self, run_id: str, why: str) -> None:
        super().__init__(
            f"{run_id} was approved under another policy, and today's does not allow it: {why}",
            mend="put the policy back (tradex policy set --reason …), or cancel it "
            f"(tradex backfill cancel {run_id} --reason …) and request it again",
        )


class ExpiredRequestError(RefusedError):
    """The request waited too long; what it was planned on is no longer today's knowledge."""

    code = "expired"

    def __init__(self, run_id: str, days: int) -> None:
        super().__init__(
            f"{run_id} has waited for more than {days} days: it has expired",
            mend="request it again, on what is known today",
        )


class OverlapError(RefusedError):
    """Two active backfills would rebuild the same partitions."""

    code = "overlap"

    def __init__(self, others: list[str], dataset: str, first: str, last: str) -> None:
        super().__init__(
            f"{', '.join(others)} is active and has {dataset} {first}..{last} in its plan, too",
            mend=f"wait for it, cancel it, or allow it by name: --allow-overlap {others[0]}",
        )


class StatePutBackError(RefusedError):
    """The state that bounds a plan was put back behind days of it: an incremental run is going to process them."""

    code = "state-put-back"

    def __init__(self, run_id: str, read: str, now: str | None) -> None:
        super().__init__(
            f"{run_id} was planned for days before the cursor {read}, which stands at {now or 'the beginning'} now",
            mend="let the next run process them, and ask anew for what is left; this one: "
            f"tradex backfill cancel {run_id} --reason …",
        )


class BuiltUponError(RefusedError):
    """A later run stands on what would be reverted."""

    code = "built-upon"

    def __init__(self, run_id: str, blocker: str, partition: str) -> None:
        super().__init__(
            f"{run_id} cannot be reverted: {blocker} was built on top of it later ({partition})",
            mend=f"revert {blocker} first if it is a backfill, or correct forward with a new backfill",
        )


WAY_ON = {
    "PLANNED": "approve it first: tradex backfill approve {id}",
    "PAUSED": "let it go on: tradex backfill resume {id}",
    "HELD": "look at it (tradex audit diff --candidate {id}), then: tradex backfill release {id} --reason …",
    "EXPIRED": "request it again",
}
"""What comes next for a backfill that is not driven in its state."""
