"""Approvals as of their time: of the plan that was there, by somebody who was allowed to, and never by who asked (N13).

Judged by the policy that stood on record before the approval, whatever it is today.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from tradex_ledger.domain.approver_keys import STREAM as KEYS
from tradex_ledger.domain.approver_keys import ApproverKeys
from tradex_ledger.domain.facts import facts_of
from tradex_ledger.domain.person import person
from tradex_ledger.domain.plan import Judged
from tradex_ledger.domain.policy import ANYBODY, ERASE, NotAllowedError, Policy
from tradex_ledger.domain.policy_text import APPLY, ON_RECORD, StrangePolicyError, policy_on_record
from tradex_ledger.errors import BrokenLedgerError, EnvironmentFault
from tradex_ledger.lake.known import ERASED
from tradex_ledger.ledger.entry import Entry, canonical, parse
from tradex_ledger.ledger.event import event_of
from tradex_ledger.sealing.approvals import DECISIONS, ERASURE, Asked, check_approval, check_key
from tradex_ledger.verifying import said
from tradex_ledger.verifying.earlier import Earlier
from tradex_ledger.verifying.erasures import PLANNED, Erasures
from tradex_ledger.verifying.finding import BAD_APPROVAL, Finding
from tradex_ledger.verifying.runs import Runs

_ASKED_BY = {
    "dataset.files_pruned": "planned_by",
    "dataset.files_lost": "declared_by",
    ERASURE: "planned_by",
    ERASED: "planned_by",
    "lake.epoch_begun": "planned_by",
    "lake.ledger_moved": "planned_by",
    "policy.set": "proposed_by",
}
"""What takes two persons, and who was the first."""
_DECISIONS = (*DECISIONS, "run.released")
_HEARD = frozenset((*_DECISIONS, *_ASKED_BY, *APPLY, PLANNED))


class Approvals:
    """What was allowed, event by event. `runs` hear of an event after this."""

    def __init__(self, runs: Runs, earlier: Earlier) -> None:
        self._runs = runs
        self._policy: Policy | None = None
        self._digests: set[str] = set()
        self._keys = ApproverKeys.begun(KEYS, 0)
        self._nonces: set[str] = set()
        self._erasures = Erasures(earlier)
        self.shown: dict[str, int] = {}
        """The heads that approvers say they were shown, and the position of the first who does."""
        for text in (*earlier.of(ON_RECORD), *earlier.of(KEYS)):
            with suppress(AttributeError, KeyError, TypeError, ValueError, BrokenLedgerError, EnvironmentFault):
                list(self._learn(parse(text)))

    def hear(self, entry: Entry) -> Iterable[Finding]:
        """The next event."""
        if entry.topic in _HEARD or entry.stream == KEYS or type(entry.data) is not dict:
            return self._judge(entry)
        return ()

    def _judge(self, entry: Entry) -> Iterator[Finding]:
        before = self._runs.facts_of(entry.stream) if entry.topic in _DECISIONS else {}
        asked = before.get("backfill.requested")
        if asked is not None and entry.topic != "backfill.rejected":  # an incremental run needs no approval
            yield from self._allowed(entry, asked, before)
        if asked is not None and entry.topic in DECISIONS:
            yield from self._signed(entry, Asked(facts_of(said.Requested, asked.data).kind, asked.by))
        if entry.topic == ERASURE:
            yield from self._rights(entry, [ERASE])
            yield from self._signed(entry, Asked(ERASE, str(entry.data.get("planned_by"))))
        if entry.topic in (PLANNED, ERASURE, ERASED):
            demands = self._policy is not None and ERASE in self._policy.signed
            yield from (_bad(entry, why) for why in self._erasures.judged(entry, demands=demands))
        first = entry.data.get(_ASKED_BY.get(entry.topic, ""))
        if isinstance(first, str) and person(first) == person(entry.by):
            yield _bad(entry, f"{entry.by} asked for it, and allowed it, too")
        if entry.topic == "policy.set" and first is None and self._policy and self._policy.may_set_policy != ANYBODY:
            yield _bad(entry, "the policy was changed by one person, and it takes two")
        if entry.stream == KEYS and self._policy is not None:
            verdict = check_key(entry, self._keys, self._policy)
            if not verdict.holds:
                yield _bad(entry, verdict.why)
        yield from self._learn(entry)

    def _learn(self, entry: Entry) -> Iterator[Finding]:
        """What the next approvals are judged by."""
        if entry.stream == KEYS:
            self._learn_key(entry)
        if entry.topic not in APPLY:
            return
        try:
            self._policy = policy_on_record(*facts_of(said.PolicyText, entry.data))
            self._digests = self._policy.digests()
        except StrangePolicyError as error:
            self._policy = None
            yield _bad(entry, error.message)

    def _learn_key(self, entry: Entry) -> None:
        event = event_of(canonical(entry._asdict()), entry.stream, entry.version, entry.topic)
        event.apply(self._keys)

    def _signed(self, entry: Entry, asked: Asked) -> Iterator[Finding]:
        """Its signature, by the keys that counted then; and the head that the approver was shown."""
        if self._policy is None:
            return
        verdict = check_approval(entry, asked, self._keys, self._policy, used=self._nonces)
        if not verdict.holds:
            yield _bad(entry, verdict.why)
        shown = facts_of(said.Shown, entry.data)
        if shown.nonce is not None:
            self._nonces.add(shown.nonce)
        if (shown.seen or 0) >= entry.position:
            yield _bad(entry, f"it says that {shown.seen} events were seen: more than there were")
        if shown.checkpoint is not None:
            self.shown.setdefault(shown.checkpoint, entry.position)

    def _allowed(self, entry: Entry, asked: Entry, before: Mapping[str, Entry]) -> Iterator[Finding]:
        kind = facts_of(said.Requested, asked.data).kind
        forced = kind == "forced"
        if forced and person(asked.by) == person(entry.by):
            yield _bad(entry, f"{asked.stream} is forced, and {entry.by}, who asked for it, allowed it")
        if entry.topic == "run.released":
            yield from self._rights(entry, ["approve", "force"] if forced else ["approve"])
            return
        planned, given = before.get("backfill.planned"), facts_of(said.Approved, entry.data)
        if planned is None or facts_of(said.Planned, planned.data).digest != given.plan_digest:
            yield _bad(entry, f"it is of the plan {given.plan_digest[:12]}…, which {asked.stream} does not have")
        digest = given.policy_digest
        if self._policy is not None and digest is not None and digest not in self._digests:
            yield _bad(entry, f"it was judged by the policy {digest[:12]}…, which was not the one on record")
        if given.rule is None:
            yield from self._rights(entry, ["approve", "force"] if forced else ["approve"])
        else:
            yield from self._by_rule(entry, kind, given)

    def _rights(self, entry: Entry, deeds: list[str]) -> Iterator[Finding]:
        if self._policy is None:
            return
        for deed in deeds:
            try:
                self._policy.check_may(deed, entry.by)
            except NotAllowedError as error:
                yield _bad(entry, error.message)

    def _by_rule(self, entry: Entry, kind: str, given: said.Approved) -> Iterator[Finding]:
        if kind == "forced":
            yield _bad(entry, "a forced backfill was allowed by a rule")
        elif self._policy is not None and given.judged is not None:
            rule = self._policy.rule_for(kind, Judged.from_event(given.judged))
            if rule != given.rule:
                yield _bad(entry, f"the rule {given.rule!r} was not that of the policy on record")


def _bad(entry: Entry, detail: str) -> Finding:
    return Finding(BAD_APPROVAL, detail, entry.position)
