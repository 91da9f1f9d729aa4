"""What a witness is asked: to cosign a head, with the proof that it extends the one that the witness knows.

A file of its own, so that who witnesses has no need of the ledger. It has the form in which witnesses are asked by
others, too: the body of `add-checkpoint` (c2sp.org/tlog-witness).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tradex_ledger.errors import UsageError
from tradex_ledger.ledger.merkle import HASH_SIZE
from tradex_ledger.ledger.select import Store
from tradex_ledger.ledger.tree import stored_tree
from tradex_ledger.sealing.base64 import base64, unbase64
from tradex_ledger.sealing.checkpoint import MOST_EVENTS, Checkpoint
from tradex_ledger.sealing.note_errors import NoteError

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})").fullmatch
_MOST_HASHES = 63


class NoProofFromError(UsageError):
    """A head of so many events cannot be the beginning of this one."""

    code = "no-proof-from"

    def __init__(self, old: int, size: int) -> None:
        super().__init__(
            f"a witness that knows {old} events cannot be shown that this head of {size} extends them",
            mend="give what the witness knows (tradex ledger witness DIR), 0 if it knows nothing yet",
        )


@dataclass(frozen=True, slots=True)
class Request:
    """The size of the head that the witness knows (0: none), the hashes of the proof, and the note to be cosigned."""

    old: int
    proof: tuple[bytes, ...]
    note: str

    @property
    def text(self) -> str:
        """As a file has it."""
        return "".join((f"old {self.old}\n", *(f"{base64(one)}\n" for one in self.proof), "\n", self.note))


def request_for(store: Store, checkpoint: Checkpoint, note: str, old: int) -> Request:
    """What a witness that knows `old` events is asked for a head. Raises: `NoProofFromError`, `BrokenLedgerError`."""
    if not 0 <= old <= checkpoint.size:
        raise NoProofFromError(old, checkpoint.size)
    proof = stored_tree(store, checkpoint.size).consistency_proof(old) if old else []
    return Request(old, tuple(proof), note)


def parsed_request(text: str) -> Request:
    """The request of a file's text. Raises: `NoteError` for what has not exactly the form of one."""
    head, blank, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    old = _OLD(first)
    if old is None or not blank or int(old[1]) > MOST_EVENTS:
        raise NoteError("its first line is not that of a request to a witness (old SIZE)")
    if len(lines) > _MOST_HASHES:
        raise NoteError(f"its proof has {len(lines)} hashes; none has more than {_MOST_HASHES}")
    proof = tuple(found for line in lines if (found := unbase64(line)) is not None and len(found) == HASH_SIZE)
    if len(proof) < len(lines):
        raise NoteError("a line of its proof is no hash")
    return Request(int(old[1]), proof, note)
