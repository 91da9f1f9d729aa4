"""Commands on the policy: what is on record, and how that is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.life import ENDED
from tradex_ledger.domain.policy_errors import ExpiredProposalError, PolicyThereError
from tradex_ledger.domain.policy_record import STREAM, PolicyRecord
from tradex_ledger.driving.fence import load_run
from tradex_ledger.workspace.core import Core
from tradex_ledger.workspace.keys import Keys

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.policy import PolicyChange, PolicyDocument
    from tradex_ledger.views import Asked


class Policies:
    """Commands on the policy, and on the `keys` that sign approvals.

    `[policy]` in `tradex.toml` is what they propose; nothing else goes by it.
    """

    def __init__(self, core: Core) -> None:
        self.core = core
        self.keys = Keys(core)

    def adopt(self) -> PolicyRecord:
        """Put `[policy]` of the settings on record, in a ledger of before.

        Raises: `PolicyThereError`; `OtherPolicyError` unless the last plan was made under it, or there is none.
        """
        from tradex_ledger.audit.log import log

        if self.core.ledger.version_of(STREAM):
            raise PolicyThereError(self.core.policy_record().digest)
        plans = log(self.core.ledger, topics=["backfill.planned"], limit=1).events
        last = plans[0].data["policy_digest"] if plans else None
        record = PolicyRecord.adopt(self.core.settings.policy, last_plan=last, by=self.core.actor)
        self.core.ledger.append(record)
        return record

    def change(self) -> PolicyChange:
        """What setting the policy would change: nothing is recorded."""
        from tradex_ledger.audit.documents.policy import PolicyChange, differences

        digest = self.core.policy_record().digest
        return PolicyChange(digest, digest, None, differences(self.core.policy, self.core.config.policy))

    def set(self, *, reason: str) -> PolicyRecord:
        """Put `[policy]` of the settings on record, or propose it where that takes a second person.

        Raises: `NotAllowedError`, `SamePolicyError`, `NobodyElseError`, `NoPolicyError`.
        """
        from tradex_ledger.driving.clocks import last_at

        record = self.core.policy_record()
        recorded = last_at(self.core.ledger)
        if recorded is not None:  # what waited too long stands in nobody's way
            record.expire(now=recorded, policy=record.policy, by=self.core.actor)
        record.set(self.core.settings.policy, reason=reason, by=self.core.actor, policy=record.policy)
        self.core.ledger.append(record)
        return record

    def approve(self, digest: str) -> PolicyRecord:
        """Let a proposed policy apply, named by its digest, or 12 digits of it. Four eyes: not by who proposed it.

        One that has waited too long is closed, unless that is so by a clock that is far from the last event.
        """
        record = self.core.policy_record()
        now, believed = self.core.time_of_deed(record.policy)
        try:
            record.approve(digest, by=self.core.actor, policy=record.policy, now=now)
        except ExpiredProposalError:
            if believed:
                record.expire(now=now, policy=record.policy, by=self.core.actor)
                self.core.ledger.append(record)
            raise
        self.core.ledger.append(record)
        return record

    def reject(self, digest: str, *, reason: str) -> PolicyRecord:
        """Say no to a proposed policy, named as for its approval; who proposed it withdraws it so.

        Raises: `NoProposalError`, `NotAllowedError`.
        """
        record = self.core.policy_record()
        record.reject(digest, reason=reason, by=self.core.actor, policy=record.policy)
        self.core.ledger.append(record)
        return record

    def as_of(self, as_of: Asked = None) -> PolicyDocument:
        """The policy as of a position, a day, a time or a run, what waits then, what was refused since."""
        from tradex_ledger.audit.documents.policy import policy_document

        return policy_document(self.core.ledger, as_of, self.core.config.policy)

    def changes(self, run_id: str) -> list[str]:
        """A sentence for each step of a run that was taken under another policy: see `changes_of`; none has one that is
        no backfill."""
        run = load_run(self.core.ledger, run_id)
        return self.changes_of(run) if isinstance(run, Backfill) else []

    def changes_of(self, run: Backfill, upto: int | None = None) -> list[str]:
        """A sentence for each step of a backfill that was taken under another policy than what it is judged by now, or
        was as of a position; the backfill is as of there.

        One that has ended is compared with the policy that it was driven under last.
        """
        record = self.core.record_if_any(upto)
        if record is None:
            return []
        last = record.digest
        if run.status in ENDED and run.driven_at:
            last = record.digest_at(run.driven_at) or last
        now = "it was driven under" if run.status in ENDED else "it is judged by"
        steps = (("planned", run.plan and run.plan.policy_digest), ("approved", run.approved_policy))
        return [
            f"{run.id} was {step} under another policy ({digest[:12]}; {what}) than {now} ({last[:12]})"
            for step, digest in steps
            if digest and (what := record.differs(digest, last))
        ]
