"""Checkpoints (c2sp.org/tlog-checkpoint): a ledger, how many events it has, and the root of their tree, as a note.

A ledger's own checkpoint is signed by a key whose name is the checkpoint's origin. Extension lines are allowed by the
specification, say nothing that anybody could check, and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tradex_ledger.ledger.merkle import HASH_SIZE
from tradex_ledger.sealing.base64 import base64, unbase64
from tradex_ledger.sealing.note_errors import NoteError, UnsignedError

if TYPE_CHECKING:
    from tradex_ledger.sealing.note import Note, SignerKey, VerifierKey  # slow to load, for who only compares

_PROGRAM = "tradex-ledger"
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}").fullmatch
MOST_EVENTS = 2**63 - 1


def origin_of(ledger: str, line: int = 0) -> str:
    """What a ledger's checkpoints and its key are called, by its id, and by the line of its history (`lines.py`)."""
    return f"{_PROGRAM}/{ledger}/{line}" if line else f"{_PROGRAM}/{ledger}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A ledger's head: its events from position 1 to `size` have the tree with that root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed: three lines."""
        return f"{self.origin}\n{self.size}\n{base64(self.root)}\n"


class SignedCheckpoint(NamedTuple):
    """A checkpoint that its ledger has signed, and the note as it is kept."""

    checkpoint: Checkpoint
    opened: Note
    note: str


def parsed(text: str) -> Checkpoint:
    """The checkpoint of a note's text. Raises: `NoteError` for what has not exactly the form of one."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[-1]:
        raise NoteError("a checkpoint has three lines: origin, size, root")
    origin, size, encoded, _ = lines
    if not origin:
        raise NoteError("its first line, the origin, is empty")
    if not _SIZE(size) or int(size) > MOST_EVENTS:
        raise NoteError(f"its second line, {size[:40]!r}, is no size of a ledger")
    root = unbase64(encoded)
    if root is None or len(root) != HASH_SIZE:
        raise NoteError(f"its third line, {encoded[:60]!r}, is no root of a tree")
    return Checkpoint(origin, int(size), root)


def sealed(checkpoint: Checkpoint, signer: SignerKey) -> str:
    """The note of a checkpoint, signed by its ledger's key."""
    from tradex_ledger.sealing.note import ED25519, signed

    if signer.name != checkpoint.origin or signer.kind != ED25519:
        raise ValueError(f"{signer!r} does not sign for {checkpoint.origin}")
    return signed(checkpoint.text, signer)


def opened_checkpoint(
    note: str, ledger_keys: Iterable[VerifierKey], witnesses: Iterable[VerifierKey] = ()
) -> SignedCheckpoint:
    """The checkpoint of a note that its ledger has signed, by any of its keys, whoever else did, too.

    A key of another name than the origin does not sign for it. Raises: `NoteError`, `SignatureError`, `UnsignedError`.
    """
    from tradex_ledger.sealing.note import ED25519, opened

    keys = tuple(key for key in ledger_keys if key.kind == ED25519)
    found = opened(note, (*keys, *witnesses))
    checkpoint = parsed(found.text)
    if not any(key.name == checkpoint.origin and found.by(key) for key in keys):
        raise UnsignedError({one.key.name for one in found.verified}, {checkpoint.origin})
    return SignedCheckpoint(checkpoint, found, note)
