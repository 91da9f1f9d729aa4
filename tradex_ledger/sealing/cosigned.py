"""Heads that witnesses have cosigned: taken back in, and counted by who must have done so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tradex_ledger.errors import RefusedError
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.select import Store
from tradex_ledger.sealing.checkpoint import Checkpoint
from tradex_ledger.sealing.heads import SplitViewError, counts, verified
from tradex_ledger.sealing.lines import Lines, lines_of
from tradex_ledger.sealing.note import COSIGNATURE, Verified, VerifierKey, taken_apart, verifier_key
from tradex_ledger.sealing.places import Named, Place


class NoCosignatureError(RefusedError):
    """A head bears the signature of no witness that the settings name."""

    code = "no-cosignature"

    def __init__(self, file: Path, names: Sequence[str]) -> None:
        super().__init__(
            f"{file} is cosigned by none of the witnesses in the settings ({', '.join(names) or 'there are none'})",
            mend="name the witness's verifier key there: [checkpoints] witnesses in tradex.toml",
        )


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A head that witnesses have cosigned: who did, and the newest second (of the epoch) at which one did."""

    checkpoint: Checkpoint
    by: tuple[str, ...]
    second: int


def witnesses_of(lines: Sequence[str]) -> tuple[VerifierKey, ...]:
    """The witnesses that settings name. Raises `KeyTextError`."""
    return tuple(key for key in map(verifier_key, lines) if key.kind == COSIGNATURE)


def take_in(store: Store, inside: Place, note: str, file: Path, witnesses: Sequence[VerifierKey]) -> Cosigned:
    """Keep a cosigned head in the workspace, a file for each of the witnesses.

    Raises: `NoteError`, `SignatureError`, `UnsignedError`, `HeadError`, `NoCosignatureError`, `EnvironmentFault`.
    """
    lines = lines_of(store)
    found = verified(store, lines, note, str(file), witnesses)
    known = [one for one in found.opened.verified if one.key in witnesses]
    if not counts(store, lines, found.checkpoint, str(file)) or not known:
        raise NoCosignatureError(file, [key.name for key in witnesses])
    text, signatures = taken_apart(note)
    own = [one for one in signatures if one.name == found.checkpoint.origin]
    for key in {one.key for one in known}:
        kept = (*own, *(one for one in signatures if (one.name, one.id) == (key.name, key.id)))
        named = Named(lines.number_at(found.checkpoint.size), found.checkpoint.size, key.id.hex())
        try:
            inside.lay(named, "".join((f"{text}\n", *(f"{one.line}\n" for one in kept))))
        except OSError as error:
            raise translate(error, f"keeping {file}") from error
    return _cosigned(found.checkpoint, known)


def newest_cosigned(
    store: Store, lines: Lines, inside: Place, witnesses: Sequence[VerifierKey], quorum: int
) -> Cosigned | None:
    """The newest head that so many of the witnesses have cosigned, and that fits the ledger; None: there is none.

    Raises: `NoteError`, `SignatureError`, `UnsignedError`, `HeadError`, `OSError`.
    """
    by_head: dict[tuple[int, int], list[Named]] = {}
    for named in inside.cosigned():
        by_head.setdefault((named.line, named.size), []).append(named)
    for at in sorted(by_head, reverse=True):
        if quorum < 1 or len(by_head[at]) < quorum:
            continue
        notes = [verified(store, lines, inside.read(named), named.name, witnesses) for named in by_head[at]]
        if any(one.checkpoint != notes[0].checkpoint for one in notes):
            raise SplitViewError(notes[0].checkpoint, notes[-1].checkpoint, by_head[at][-1].name)
        known = [one for note in notes for one in note.opened.verified if one.key in witnesses]
        if len({one.key for one in known}) >= quorum and counts(store, lines, notes[0].checkpoint, by_head[at][0].name):
            return _cosigned(notes[0].checkpoint, known)
    return None


def _cosigned(checkpoint: Checkpoint, known: Sequence[Verified]) -> Cosigned:
    return Cosigned(checkpoint, tuple(sorted({one.key.name for one in known})), max(one.second or 0 for one in known))
