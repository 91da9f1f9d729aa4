"""Proofs that an event is in a ledger (c2sp.org/tlog-proof@v1): a place, a path, and the checkpoint that it leads to.

A file of this form is checked without a ledger: by what the event's entry is, byte for byte, and by the verifier key of
whose checkpoint it is. The specification lets a file have an `extra` line, which proves nothing: it is refused, so no
byte of a file can be another without its being seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.ledger.merkle import HASH_SIZE, leaf_hash, verify_inclusion
from tradex_ledger.sealing.base64 import base64, unbase64
from tradex_ledger.sealing.checkpoint import Checkpoint, SignedCheckpoint, opened_checkpoint
from tradex_ledger.sealing.note import VerifierKey
from tradex_ledger.sealing.note_errors import UnsignedError

KIND = "c2sp.org/tlog-proof@v1"
SUFFIX = ".tlog-proof"
MOST_HASHES = 63
"""A path in a tree of 2^63 events is no longer."""
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})").fullmatch


class ProofError(BrokenLedgerError):
    """A text is no proof: it has not the form of one."""

    code = "no-proof"

    def __init__(self, why: str) -> None:
        super().__init__(f"this is no proof of an event: {why}", mend="take the file as it was written, byte for byte")


class NotProvenError(BrokenLedgerError):
    """A proof that is whole and signed does not lead from this entry to its checkpoint."""

    code = "not-proven"

    def __init__(self, position: int, size: int) -> None:
        super().__init__(
            f"the proof does not lead from this entry, at position {position}, to the root of the {size:,} events "
            "that its checkpoint names: the entry is another one, or the proof was changed",
            mend="take entry and proof as they were written, from another place where they are kept",
        )
        self.position = position


@dataclass(frozen=True, slots=True)
class Proof:
    """An event's place (from 0), the path of hashes (32 bytes each) to the root, and the checkpoint's note."""

    index: int
    path: tuple[bytes, ...]
    note: str

    @property
    def position(self) -> int:
        """The event's position in its ledger, from 1."""
        return self.index + 1

    @property
    def text(self) -> str:
        """The file."""
        return "\n".join((KIND, f"index {self.index}", *map(base64, self.path), "", self.note))


def parsed(text: str) -> Proof:
    """The proof of a file's text; nothing is verified. Raises: `ProofError` for what has not its form."""
    head, blank, note = text.partition("\n\n")
    if not blank:
        raise ProofError("no blank line stands before its checkpoint")
    kind, *lines = head.split("\n")
    if kind != KIND:
        raise ProofError(f"its first line is {kind[:60]!r}, and that of a proof is {KIND!r}")
    if not lines or not (found := _INDEX(lines[0])):
        raise ProofError(f"its second line, {''.join(lines[:1])[:60]!r}, does not say an index")
    if len(lines) - 1 > MOST_HASHES:
        raise ProofError(f"it has {len(lines) - 1:,} hashes; no path has more than {MOST_HASHES}")
    return Proof(int(found[1]), tuple(map(_hash, lines[1:])), note)


def proven(
    proof: Proof, entry: bytes, ledger_keys: Iterable[VerifierKey], witnesses: Iterable[VerifierKey] = ()
) -> SignedCheckpoint:
    """The checkpoint that an entry is proven to be under, signed by one of its ledger's keys and by all of `witnesses`.

    Raises: `NotProvenError`; `NoteError`, `SignatureError`, `UnsignedError` of its checkpoint.
    """
    signed = signed_by_all(proof.note, ledger_keys, witnesses)
    check_path(proof, entry, signed.checkpoint)
    return signed


def signed_by_all(
    note: str, ledger_keys: Iterable[VerifierKey], witnesses: Iterable[VerifierKey] = ()
) -> SignedCheckpoint:
    """The checkpoint of a note, signed by one of its ledger's keys and by all of `witnesses`.

    Raises: `NoteError`, `SignatureError`, `UnsignedError`.
    """
    wanted = tuple(witnesses)
    signed = opened_checkpoint(note, ledger_keys, wanted)
    if missing := {f"{key.name} ({key.id.hex()})" for key in wanted if not signed.opened.by(key)}:
        raise UnsignedError({one.key.name for one in signed.opened.verified}, missing)
    return signed


def check_path(proof: Proof, entry: bytes, head: Checkpoint) -> None:
    """Raise `NotProvenError` unless the proof leads from the entry to the root of a checkpoint that is believed."""
    if not verify_inclusion(proof.index, head.size, leaf_hash(entry), proof.path, head.root):
        raise NotProvenError(proof.position, head.size)


def _hash(line: str) -> bytes:
    found = unbase64(line)
    if found is None or len(found) != HASH_SIZE:
        raise ProofError(f"{line[:60]!r} is no hash of its path")
    return found
