"""Commands on the policy: what is on record, and how that is changed."""

from __future__ import annotations

from typing import Any

from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.policy_record import STREAM, PolicyRecord, PolicyThereError
from tradex_ledger.domain.policy_text import policy_on_record
from tradex_ledger.domain.run import ENDED
from tradex_ledger.executors.fence import load_run
from tradex_ledger.workspace.core import Core


class PolicyCommands(Core):
    """One method a command. `[policy]` in `tradex.toml` is what they propose; nothing else goes by it."""

    def adopt_policy(self) -> PolicyRecord:
        """Put `[policy]` of the settings on record, in a ledger of before.

        Raises: `PolicyThereError`; `OtherPolicyError` unless the last plan was made under it, or there is none.
        """
        from tradex_ledger.audit.log import log

        if self.ledger.version_of(STREAM):
            raise PolicyThereError(self.policy_record().digest)
        plans = log(self.ledger, topics=["backfill.planned"], limit=1).entries
        last = plans[0]["data"]["policy_digest"] if plans else None
        record = PolicyRecord.adopt(self.settings.policy, last_plan=last, by=self.actor)
        self.ledger.append(record)
        return record

    def set_policy(self, *, reason: str) -> PolicyRecord:
        """Put `[policy]` of the settings on record, or propose it where that takes a second person.

        Raises: `NotAllowedError`, `SamePolicyError`, `NobodyElseError`, `NoPolicyError`.
        """
        record = self.policy_record()
        record.set(self.settings.policy, reason=reason, by=self.actor, policy=record.policy)
        self.ledger.append(record)
        return record

    def approve_policy(self, digest: str) -> PolicyRecord:
        """Let a proposed policy apply, named by its digest, or 12 digits of it. Four eyes: not by who proposed it."""
        record = self.policy_record()
        record.approve(digest, by=self.actor, policy=record.policy)
        self.ledger.append(record)
        return record

    def policy_as_of(self, as_of: str | None) -> dict[str, Any]:
        """The policy as of a position, a day or a time: its text, who recorded it and why, and what waits then.

        All is None in a ledger, or at a time, of before.
        """
        from tradex_ledger.audit.log import log

        entries = log(self.ledger, topics=_TOPICS, as_of=as_of).entries
        names = ("digest", "position", "at", "by", "proposed_by", "reason", "text", "waits")
        found: dict[str, Any] = dict.fromkeys(names)
        for entry in entries:
            data = entry["data"]
            facts = {"digest": data["digest"], "reason": data.get("reason"), "by": entry["by"]}
            if entry["topic"] == PolicyRecord.Proposed.TOPIC:
                found["waits"] = {**facts, "position": entry["position"], "at": entry["at"], "text": data["text"]}
                continue
            found |= {**facts, "position": entry["position"], "at": entry["at"], "text": data["text"], "waits": None}
            found["proposed_by"] = data.get("proposed_by")
        if found["waits"]:
            pair = [policy_on_record(one["text"], one["digest"]) for one in (found, found["waits"])]
            found["waits"]["differences"] = differences(*pair)
        return found

    def policy_changes(self, run_id: str) -> list[str]:
        """A sentence for each step of a backfill that was taken under another policy than what it is judged by now.

        One that has ended is compared with the policy that it was driven under last.
        """
        record = self._record_if_any()
        run = load_run(self.ledger, run_id)
        if record is None or not isinstance(run, Backfill):
            return []
        last = record.digest
        if run.status in ENDED and run.driven_at:
            last = record.digest_at(run.driven_at) or last
        now = "it was driven under" if run.status in ENDED else "it is judged by"
        steps = (("planned", run.plan and run.plan["policy_digest"]), ("approved", run.approved_policy))
        return [
            f"{run.id} was {step} under another policy ({digest[:12]}; {what}) than {now} ({last[:12]})"
            for step, digest in steps
            if digest and (what := record.differs(digest, last))
        ]


_TOPICS = tuple(event.TOPIC for event in (PolicyRecord.Recorded, PolicyRecord.Proposed, PolicyRecord.Changed))


def differences(before: Policy, after: Policy) -> dict[str, dict[str, Any]]:
    """What is other in another policy: setting → before and after."""
    return {name: {"before": old, "after": new} for name, (old, new) in before.differences(after).items()}
