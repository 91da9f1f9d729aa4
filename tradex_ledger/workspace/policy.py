"""Commands on the policy: what is on record, and how that is changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.life import ENDED
from tradex_ledger.domain.person import person
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.policy_errors import ExpiredProposalError, PolicyThereError
from tradex_ledger.domain.policy_record import STREAM, PolicyRecord
from tradex_ledger.domain.policy_text import APPLY, policy_on_record
from tradex_ledger.driving.fence import load_run
from tradex_ledger.ledger.entry import format_time, parse_time
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
        from tradex_ledger.driving.clocks import last_at

        record = self.policy_record()
        recorded = last_at(self.ledger)
        if recorded is not None:  # what waited too long stands in nobody's way
            record.expire(now=recorded, policy=record.policy, by=self.actor)
        record.set(self.settings.policy, reason=reason, by=self.actor, policy=record.policy)
        self.ledger.append(record)
        return record

    def approve_policy(self, digest: str) -> PolicyRecord:
        """Let a proposed policy apply, named by its digest, or 12 digits of it. Four eyes: not by who proposed it.

        One that has waited too long is closed, unless that is so by a clock that is far from the last event.
        """
        record = self.policy_record()
        now, believed = self._time_of_deed(record.policy)
        try:
            record.approve(digest, by=self.actor, policy=record.policy, now=now)
        except ExpiredProposalError:
            if believed:
                record.expire(now=now, policy=record.policy, by=self.actor)
                self.ledger.append(record)
            raise
        self.ledger.append(record)
        return record

    def reject_policy(self, digest: str, *, reason: str) -> PolicyRecord:
        """Say no to a proposed policy, named as for its approval; who proposed it withdraws it so.

        Raises: `NoProposalError`, `NotAllowedError`.
        """
        record = self.policy_record()
        record.reject(digest, reason=reason, by=self.actor, policy=record.policy)
        self.ledger.append(record)
        return record

    def _time_of_deed(self, policy: Policy) -> tuple[datetime, bool]:
        """The time that an event of now would bear; whether it is near enough to the last one to close anything."""
        from tradex_ledger.driving.clocks import last_at

        recorded = last_at(self.ledger) or self.clock()
        now = max(self.clock(), recorded)
        return now, not policy.clock_hours or now - recorded <= timedelta(hours=policy.clock_hours)

    def policy_as_of(self, as_of: str | None) -> dict[str, Any]:
        """The policy as of a position, a day or a time: its text, who recorded it and why, what waits then (and until
        when), and what was refused since: rejected, withdrawn or expired.

        All is None in a ledger, or at a time, of before.
        """
        from tradex_ledger.audit.log import log

        entries = log(self.ledger, topics=_TOPICS, as_of=as_of).entries
        names = ("digest", "position", "at", "by", "proposed_by", "reason", "text", "waits", "refused")
        found: dict[str, Any] = dict.fromkeys(names)
        for entry in entries:
            data = entry["data"]
            facts = {"digest": data["digest"], "reason": data.get("reason"), "by": entry["by"]}
            facts |= {"position": entry["position"], "at": entry["at"]}
            if entry["topic"] in APPLY:
                found |= {**facts, "text": data["text"], "proposed_by": data.get("proposed_by")}
                found |= {"waits": None, "refused": None}
            elif entry["topic"] == PolicyRecord.Proposed.TOPIC:
                found |= {"waits": {**facts, "text": data["text"]}, "refused": None}
            else:
                how = _how_refused(entry["topic"], entry["by"], data["proposed_by"])
                found |= {"waits": None, "refused": {**facts, "how": how, "proposed_by": data["proposed_by"]}}
        if waits := found["waits"]:
            before, after = (policy_on_record(one["text"], one["digest"]) for one in (found, waits))
            waits["differences"] = differences(before, after)
            waits["expires"] = _expires(waits["at"], before)
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
        steps = (("planned", run.plan and run.plan.policy_digest), ("approved", run.approved_policy))
        return [
            f"{run.id} was {step} under another policy ({digest[:12]}; {what}) than {now} ({last[:12]})"
            for step, digest in steps
            if digest and (what := record.differs(digest, last))
        ]


_REFUSALS = (PolicyRecord.Rejected.TOPIC, PolicyRecord.Expired.TOPIC)
_TOPICS = (*APPLY, PolicyRecord.Proposed.TOPIC, *_REFUSALS)


def _how_refused(topic: str, by: str, proposed_by: str) -> str:
    if topic == PolicyRecord.Expired.TOPIC:
        return "expired"
    return "withdrawn" if person(by) == person(proposed_by) else "rejected"


def _expires(at: str, policy: Policy) -> str | None:
    """Until when what was proposed at a time waits; None: for ever."""
    if not policy.expire_days:
        return None
    return format_time(parse_time(at) + timedelta(days=policy.expire_days))


def differences(before: Policy, after: Policy) -> dict[str, dict[str, Any]]:
    """What is other in another policy: setting → before and after."""
    return {name: {"before": old, "after": new} for name, (old, new) in before.differences(after).items()}
