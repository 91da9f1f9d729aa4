"""Commands on the keys that sign approvals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tradex_ledger.domain.approver_keys import STREAM, ApproverKey, ApproverKeys
from tradex_ledger.workspace.core import Core

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.keys import KeysDocument
    from tradex_ledger.views import Asked


class Keys:
    """Whose SSH key signs approvals. Each change is an event, by whom the policy lets do that."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def add(self, name: str, text: str, *, reason: str) -> tuple[ApproverKey, bool]:
        """Put a person's key on record (`text`: of a `.pub` file, or a line of allowed signers), or propose it where
        that takes a second person; returns it, and whether it counts already.

        Raises: `KeyRefusedError`, `KeyThereError`, `OtherPurposeError`, `NotAllowedError`, `ActorNameError`.
        """
        from tradex_ledger.domain.person import check_actor
        from tradex_ledger.sealing.allowed import key_given

        record, keys = self.core.policy_record(), self._keys()
        key = key_given(text, check_actor(name))
        counts = keys.add(key, reason=reason, by=self.core.actor, policy=record.policy)
        self.core.ledger.append(keys, unmoved=[record])
        return key, counts

    def add_file(self, name: str, file: Path, *, reason: str) -> tuple[ApproverKey, bool]:
        """The same with the text of a file."""
        from tradex_ledger.sealing.allowed import LONGEST
        from tradex_ledger.sealing.given import text_given

        return self.add(name, text_given(file, "the public key", LONGEST), reason=reason)

    def approve(self, digest: str) -> ApproverKey:
        """Let a proposed key count, named by the digest of its proposal, or 12 digits of it. Four eyes.

        Raises: what `ApproverKeys.approve` raises.
        """
        record, keys = self.core.policy_record(), self._keys()
        now, _ = self.core.time_of_deed(record.policy)
        key = keys.approve(digest, by=self.core.actor, policy=record.policy, now=now)
        self.core.ledger.append(keys, unmoved=[record])
        return key

    def reject(self, digest: str, *, reason: str) -> ApproverKey:
        """Say no to a proposed key, or withdraw it. Raises: what `ApproverKeys.reject` raises."""
        record, keys = self.core.policy_record(), self._keys()
        key = keys.reject(digest, reason=reason, by=self.core.actor, policy=record.policy)
        self.core.ledger.append(keys, unmoved=[record])
        return key

    def revoke(self, given: str, *, reason: str) -> ApproverKey:
        """Let a key (by its fingerprint, or whose it is) sign nothing any more. Raises: what `ApproverKeys.revoke`
        raises."""
        record, keys = self.core.policy_record(), self._keys()
        key = keys.revoke(given, reason=reason, by=self.core.actor, policy=record.policy)
        self.core.ledger.append(keys, unmoved=[record])
        return key

    def list(self, as_of: Asked = None) -> KeysDocument:
        """The keys as of a position, a day or a time, and what waits for a second person then."""
        from tradex_ledger.audit.documents.keys import keys_document

        return keys_document(self.core.ledger, as_of)

    def _keys(self) -> ApproverKeys:
        """The keys on record; where there is no record yet, one that begins with the first event of this save."""
        ledger = self.core.ledger
        if not ledger.version_of(STREAM):
            return ApproverKeys.open(by=self.core.actor)
        return ledger.get(ApproverKeys, STREAM, "key")
