"""What a decision on a backfill is made on: what was known, and the text that is signed for it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tradex_ledger.domain.approver_keys import STREAM, ApproverKeys
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.base import Aggregate, WrongStateError
from tradex_ledger.domain.policy_record import PolicyRecord
from tradex_ledger.domain.signing import APPROVE, LONGEST_TEXT, REJECT, Basis, Knowledge, SignedText, parsed
from tradex_ledger.domain.signing_errors import SignatureUsedError, SignedOtherwiseError
from tradex_ledger.ledger.ask import events_of
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.workspace.core import Core

_DONE = {APPROVE: "approved", REJECT: "rejected"}
COUNTS_FOR = timedelta(hours=24)
"""How long a printed text may be signed and handed in."""


class Handed(NamedTuple):
    """What was signed, and the signature (armoured), as they are handed in."""

    text: str
    signature: str


class Given(NamedTuple):
    """What a decision is made on, by the ledger's time, under the policy on record; `unmoved` are the streams that say
    so: none of them may have gone on when the decision is saved."""

    on: Basis
    now: datetime
    believed: bool
    record: PolicyRecord
    unmoved: list[Aggregate]


class Approvals:
    """Texts to be signed, and signatures that are handed in."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def text(self, backfill: Backfill, decision: str, *, seen: int | None = None) -> SignedText:
        """The text that decides (`approve` or `reject`) a backfill's plan, to be signed by who acts here.

        It counts for a day, and once. Nothing is recorded by it.
        """
        if backfill.status != "PLANNED" or backfill.plan is None:
            raise WrongStateError(backfill.id, backfill.status, _DONE[decision])
        return self.text_on(backfill.id, backfill.plan.digest, decision, seen=seen)

    def text_on(self, request: str, plan: str, decision: str, *, seen: int | None = None) -> SignedText:
        """The same of what is asked for in a stream, by the digest of its plan."""
        record = self.core.policy_record()
        now, _ = self.core.time_of_deed(record.policy)
        knew = self.knowledge(seen)
        return SignedText(
            ledger=self.core.ledger.id,
            request=request,
            plan=plan,
            policy=record.digest,
            decision=decision,
            approver=self.core.actor,
            position=knew.seen or 0,
            checkpoint=knew.checkpoint,
            nonce=secrets.token_hex(16),
            expires=format_time(now + COUNTS_FOR),
        )

    def sign(self, said: SignedText, key_file: Path, passphrase: Callable[[], str | None]) -> Handed:
        """That text, signed in this process with the key of a file."""
        from tradex_ledger.sealing.private import sign_with

        return Handed(said.text, sign_with(key_file, said, passphrase))

    def write(self, said: SignedText, file: Path) -> None:
        """Write a text to a new file, to be signed elsewhere. Raises: `GivenFileError` where there is one."""
        from tradex_ledger.sealing.given import write_new

        write_new(file, "the text", said.text.encode("utf-8"))

    def read(self, text: Path, signature: Path) -> Handed:
        """What is handed in: the file of a text, and that of its signature."""
        from tradex_ledger.sealing.given import text_given
        from tradex_ledger.sealing.sshsig import LONGEST

        return Handed(text_given(text, "the text", LONGEST_TEXT), text_given(signature, "the signature", LONGEST))

    def knowledge(self, seen: int | None = None) -> Knowledge:
        """What who decides now was shown: that position (None: the newest), and the newest signed checkpoint."""
        return Knowledge(self.core.ledger.position() if seen is None else seen, self.core.newest_checkpoint())

    def given(self, handed: Handed | None, *, seen: int | None = None) -> Given:
        """What is decided on: what was handed in, once it is verified, or else what was known.

        Raises: `ApprovalTextError`, `SignatureUsedError`, what `verified` raises.
        """
        record = self.core.policy_record()
        now, believed = self.core.time_of_deed(record.policy)
        if handed is None:
            return Given(self.knowledge(seen), now, believed, record, [record])
        from tradex_ledger.sealing.approvals import verified

        said, keys, ledger = parsed(handed.text), self.keys(), self.core.ledger
        if said.position > (newest := ledger.position()):
            raise SignedOtherwiseError(said.request, "position", said.position, f"{newest}, and no further")
        if said.checkpoint is not None:
            self._check_known(said, said.checkpoint, newest)
        signature = verified(said, handed.signature, keys, ledger=ledger.id, at=now)
        self._check_unused(said)
        return Given(signature, now, believed, record, [record, keys] if keys.version else [record])

    def keys(self) -> ApproverKeys:
        """The keys on record; without an event where there is none."""
        ledger = self.core.ledger
        if not ledger.version_of(STREAM):
            return ApproverKeys.begun(STREAM, 0)
        return ledger.get(ApproverKeys, STREAM, "key")

    def _check_known(self, said: SignedText, body: str, newest: int) -> None:
        """A head that was shown to somebody is one of this ledger."""
        from tradex_ledger.ledger.tree import stored_tree
        from tradex_ledger.sealing.checkpoint import parsed as checkpoint

        head = checkpoint(body)
        if head.size > newest or stored_tree(self.core.ledger.store, head.size).root() != head.root:
            raise SignedOtherwiseError(said.request, "checkpoint", head.size, "none of that root")

    def _check_unused(self, said: SignedText) -> None:
        from tradex_ledger.sealing.approvals import DECISIONS

        for row in events_of(self.core.ledger.store, tuple(DECISIONS), saying=f'"nonce":"{said.nonce}"'):
            raise SignatureUsedError(said.nonce, row.stream)
