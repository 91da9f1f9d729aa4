"""Rows that law wants erased: the one exception to that Bronze only grows (N6). No I/O here.

Nobody may do it unless the policy names persons. One of them plans, with a reason and a ticket, another approves by the
plan's digest; the lake is looked at and written by who calls (`upkeep/erase.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tradex_ledger.domain import erasure_events as events
from tradex_ledger.domain.digest import digest_of
from tradex_ledger.domain.erasing import ErasurePlan, Holding
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.losses import Losses
from tradex_ledger.domain.plan import SHORTEST_DIGEST, full_digest, told_apart
from tradex_ledger.domain.policy import ERASE, Policy
from tradex_ledger.domain.reason import check_reason
from tradex_ledger.domain.request import check_ticket
from tradex_ledger.domain.signed import Decided, decided_on
from tradex_ledger.domain.signing import APPROVE, NO_KNOWLEDGE, Basis, Signature
from tradex_ledger.domain.waiting import is_own, named
from tradex_ledger.errors import RefusedError

RIGHT = "erase"
"""Of who plans it, and of who approves."""


class ErasureRefusedError(RefusedError):
    """Nothing is erased that nobody planned, that was planned otherwise, or that only one person wants."""

    code = "erase"

    def __init__(self, message: str, *, mend: str, code: str = "") -> None:
        super().__init__(message, mend=mend, code=code)


def check_named(dataset: str, plan: ErasurePlan, digest: str) -> None:
    """Raise `ErasureRefusedError` unless the digest of a plan begins so."""
    if full_digest(digest, plan.digest) != plan.digest:
        raise ErasureRefusedError(
            f"{dataset} has the plan {told_apart(plan.digest, digest)} to erase rows",
            mend=f"look at it (tradex lake erase {dataset}) and give {SHORTEST_DIGEST} digits of it",
        )


class Erasures(Losses):
    """The part of a dataset that knows which rows were erased, and takes them in no more."""

    ErasurePlanned = events.ErasurePlanned
    ErasureApproved = events.ErasureApproved
    FilesErased = events.FilesErased
    ErasureEnded = events.ErasureEnded

    def __init__(self) -> None:
        super().__init__()
        self.erased: frozenset[str] = frozenset()
        self.erasure_plan: ErasurePlan | None = None
        self.erasing: ErasurePlan | None = None

    def plan_erasure(
        self,
        key: str,
        keys: Sequence[str],
        files: Sequence[Holding],
        delivered: Sequence[str],
        *,
        reason: str,
        ticket: str,
        by: str,
        policy: Policy,
    ) -> str:
        """List the files that hold rows, by the digests of their `keys` in a column; returns the digest to approve.

        Raises: `NotAllowedError`, `ErasureRefusedError` where one is under way, `TicketError`, what a reason raises.
        """
        policy.check_may(RIGHT, by)
        if self.erasing is not None:
            raise ErasureRefusedError(
                f"the erasure {self.erasing.digest[:12]} of rows of {self.name} has not ended",
                mend=self.way_on(self.erasing),
            )
        why, told = check_reason(reason), check_ticket(ticket)
        listed, wanted, sources = [file.to_event() for file in files], sorted(set(keys)), sorted(set(delivered))
        digest = digest_of([self.name, key, wanted, listed, why, told])
        facts: Facts = {"key": key, "keys": wanted, "files": listed, "delivered": sources, "digest": digest}
        self.trigger_event(self.ErasurePlanned, **facts, reason=why, ticket=told, by=by)
        return digest

    def waiting_erasure(self, digest: str) -> ErasurePlan:
        """The plan whose digest begins so, and which nobody has approved yet. Raises: `ErasureRefusedError`."""
        if self.erasure_plan is None:
            raise ErasureRefusedError(
                f"no erasure of rows of {self.name} waits for its approval",
                mend=f"see what there is: tradex lake erase {self.name}",
            )
        check_named(self.name, self.erasure_plan, digest)
        return self.erasure_plan

    def approve_erasure(
        self, digest: str, *, by: str, policy: Policy, on: Basis = NO_KNOWLEDGE, now: datetime | None = None
    ) -> ErasurePlan:
        """Allow the plan with that digest, `on` a signature, or on what the approver was shown: four eyes, who planned
        it does not approve. It is carried out with this, and goes on without another approval.

        Raises: `NotAllowedError`, `ErasureRefusedError`, what `decided_on` raises.
        """
        policy.check_may(RIGHT, by)
        plan = named(self.erasure_plan, digest)
        if plan is None:
            raise ErasureRefusedError(
                f"{self.name} has no plan {digest[:12]} to erase rows",
                mend=f"make one: tradex lake erase {self.name} KEY… --reason … --ticket …",
            )
        policy.check_may(RIGHT, plan.by)
        if is_own(plan, by):
            raise ErasureRefusedError(
                f"{by} planned this erasure and cannot approve it", mend="ask somebody else", code="self-approval"
            )
        if ERASE in policy.signed and not isinstance(on, Signature):
            raise ErasureRefusedError(
                f"the policy lets nobody approve an erasure of rows of {self.name} without a signature",
                mend=f"sign it with your SSH key: tradex lake erase {self.name} --approve {digest} --sign KEYFILE (or "
                "print the text, sign it elsewhere, and hand both in: --print-text FILE, then --signature FILE.sig)",
                code="unsigned-approval",
            )
        facts = decided_on(on, Decided(self.id, APPROVE, plan.digest, policy.digest, by), now)
        facts |= {"plan_digest": plan.digest, "policy_digest": policy.digest, "planned_by": plan.by}
        self.trigger_event(self.ErasureApproved, **facts, by=by)
        return plan

    def erase(self, of: str, plan: ErasurePlan, replaced: Sequence[Facts], *, by: str) -> None:
        """Count files of this dataset no more, and have others in their places; `of` is whose rows are erased."""
        facts: Facts = {"of": of, "keys": list(plan.keys), "files": list(replaced), "digest": plan.digest}
        self.trigger_event(self.FilesErased, **facts, reason=plan.reason, ticket=plan.ticket, planned_by=plan.by, by=by)

    def end_erasure(self, *, left: int, by: str) -> None:
        """Its files are gone; `left` others, named since it was planned, hold such rows all the same."""
        assert self.erasing is not None
        plan = self.erasing
        counts = {"removed_files": len(plan.files), "erased_rows": plan.erased, "left": left}
        self.trigger_event(self.ErasureEnded, digest=plan.digest, **counts, by=by)

    def way_on(self, plan: ErasurePlan) -> str:
        """The command that goes on with an erasure which was approved."""
        return f"go on with it: tradex lake erase {self.name} --approve {plan.digest}"
