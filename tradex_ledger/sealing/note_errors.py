"""What can be wrong with a signed note, or with a key of one."""

from __future__ import annotations

from collections.abc import Iterable

from tradex_ledger.errors import BrokenLedgerError, UsageError


class NoteError(BrokenLedgerError):
    """A text is no signed note: it has not the form of one."""

    code = "no-note"

    def __init__(self, why: str) -> None:
        super().__init__(f"this is no signed note: {why}", mend="take the file as it was written, byte for byte")


class SignatureError(BrokenLedgerError):
    """A signature is not that of the key that it names, over this text."""

    code = "bad-signature"

    def __init__(self, name: str, key_id: str) -> None:
        super().__init__(
            f"the signature of {name} ({key_id}) is not over this text: text or signature was changed",
            mend="take the file as it was signed, from another place where it is kept",
        )


class UnsignedError(BrokenLedgerError):
    """None of the keys that count has signed the note."""

    code = "unsigned"

    def __init__(self, found: Iterable[str], wanted: Iterable[str]) -> None:
        super().__init__(
            f"signed by {', '.join(sorted(found)) or 'nobody'}, and by none of the keys that count: "
            f"{', '.join(sorted(wanted)) or 'there are none'}",
            mend="give the verifier key of who signed it, or a note that was signed by one of these",
        )


class KeyTextError(UsageError):
    """A text is no key of a kind that is known here."""

    code = "no-key"

    def __init__(self, why: str) -> None:
        # The text itself is not said: it may be the private one.
        super().__init__(f"this is no key of a signed note: {why}", mend="give the whole line: NAME+HASH+KEY")
