"""What stands in the way of a signed decision. No I/O here."""

from __future__ import annotations

from tradex_ledger.errors import NotFoundError, RefusedError, UsageError

_DATASET = "dataset-"
"""How the stream begins of what is no backfill: rows of a dataset that are to be erased."""


def _show(request: str) -> str:
    is_erasure = request.startswith(_DATASET)
    return f"tradex lake erase {request.removeprefix(_DATASET)}" if is_erasure else f"tradex backfill show {request}"


def _approve(request: str) -> str:
    return (
        f"{_show(request)} --approve DIGEST" if request.startswith(_DATASET) else f"tradex backfill approve {request}"
    )


class SignedOtherwiseError(RefusedError):
    """What was signed is not what is to be decided."""

    code = "signed-otherwise"

    def __init__(self, run_id: str, name: str, signed: object, here: object) -> None:
        super().__init__(
            f"the signature is not for this decision on {run_id}: its {name} is {signed}, here it is {here}",
            mend=f"look at it again, and sign what is so now: {_show(run_id)}",
        )


class SignatureExpiredError(RefusedError):
    """A signature has a time after which it counts no more."""

    code = "signature-expired"

    def __init__(self, run_id: str, expires: str) -> None:
        super().__init__(
            f"the signature on {run_id} counted until {expires}, by the ledger's time",
            mend=f"sign a new text: {_approve(run_id)} --print-text FILE",
        )


class SignatureUsedError(RefusedError):
    """A signature decides once."""

    code = "signature-used"

    def __init__(self, nonce: str, run_id: str) -> None:
        super().__init__(
            f"a decision on {run_id} was signed with the nonce {nonce}: a text is signed for one decision",
            mend="print a new text, and sign that: tradex backfill approve ID --print-text FILE",
        )


class UnknownKeyError(RefusedError):
    """No such key is on record as that person's."""

    code = "unknown-key"

    def __init__(self, name: str, fingerprint: str) -> None:
        super().__init__(
            f"{fingerprint} is not on record as a key of {name}",
            mend="see tradex policy key list; a key is put on record by: tradex policy key add NAME FILE --reason …",
        )


class KeyNotValidError(RefusedError):
    """The key is on record, and does not count at that time."""

    code = "key-not-valid"

    def __init__(self, name: str, fingerprint: str, why: str) -> None:
        super().__init__(
            f"{fingerprint}, a key of {name}, {why}",
            mend="sign with a key that counts (tradex policy key list), or put a new one on record: "
            "tradex policy key add NAME FILE --reason …",
        )


class KeyThereError(RefusedError):
    """A key is put on record once, as one person's; one that was revoked stays so."""

    code = "key-there"

    def __init__(self, fingerprint: str, name: str, how: str) -> None:
        super().__init__(
            f"{fingerprint} {how} as a key of {name}",
            mend="see tradex policy key list; a key that was revoked is replaced by a new one: ssh-keygen -t ed25519",
        )


class NoApproverKeyError(NotFoundError):
    """No key of that name or fingerprint is on record, or more than one."""

    code = "no-approver-key"

    def __init__(self, given: str, why: str) -> None:
        super().__init__(f"{given!r} names no key: {why}", mend="give its fingerprint; see: tradex policy key list")


class NoKeyProposalError(NotFoundError):
    """No such key waits for a second person."""

    code = "no-key-proposal"

    def __init__(self, given: str, waiting: list[str]) -> None:
        super().__init__(
            f"no key {given!r} waits for its approval: {'waiting: ' + ', '.join(waiting) if waiting else 'none waits'}",
            mend="give 12 digits of the proposal's digest; see: tradex policy key list",
        )


class OwnKeyError(RefusedError):
    """Who proposed a key does not approve it."""

    code = "self-approval"

    def __init__(self, by: str, fingerprint: str) -> None:
        super().__init__(f"{by} proposed the key {fingerprint} and cannot approve it", mend="ask somebody else")


class ExpiredKeyProposalError(RefusedError):
    """The proposal waited too long."""

    code = "expired"

    def __init__(self, fingerprint: str, days: int) -> None:
        super().__init__(
            f"the proposed key {fingerprint} has waited for more than {days} days: it has expired",
            mend="propose it again: tradex policy key add NAME FILE --reason …",
        )


class OtherPurposeError(UsageError):
    """A key that was given for something else."""

    code = "key-purpose"

    def __init__(self, namespaces: str, namespace: str) -> None:
        super().__init__(
            f'that key is for namespaces="{namespaces}", and approvals are signed for {namespace}',
            mend=f"leave namespaces out, or name {namespace} in it",
        )
