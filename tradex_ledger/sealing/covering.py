"""Heads of a ledger to prove events by, the newest, or the first that covered one: signed by all who cosigned it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.select import Store
from tradex_ledger.sealing.checkpoint import SignedCheckpoint
from tradex_ledger.sealing.heads import Head, counts, head_in, newest_in, verified
from tradex_ledger.sealing.lines import lines_of
from tradex_ledger.sealing.note import VerifierKey, taken_apart
from tradex_ledger.sealing.places import Named, Place, Places


def newest_signed(store: Store, places: Places, witnesses: Sequence[VerifierKey]) -> SignedCheckpoint | None:
    """The newest head in the workspace, or outside where it has none; None: none was ever signed.

    Raises: `HeadError`, `NoteError`, `SignatureError`, `UnsignedError`, `EnvironmentFault`.
    """
    try:
        heads = [head for place in places.all if (head := newest_in(place))]
        return _signed(store, places, witnesses, heads, max)
    except OSError as error:
        raise translate(error, "reading the heads of the ledger") from error


def first_covering(
    store: Store, places: Places, witnesses: Sequence[VerifierKey], position: int
) -> SignedCheckpoint | None:
    """The smallest head that covers a position, which stays the same whatever is signed later; None: there is none.

    Raises what `newest_signed` raises.
    """
    try:
        named = [(place, one) for place in places.all for one in place.heads() if one.size >= position]
        least = min((one.size for _, one in named), default=0)
        heads = [head_in(place, one) for place, one in named if one.size == least]
        return _signed(store, places, witnesses, heads, min)
    except OSError as error:
        raise translate(error, "reading the heads of the ledger") from error


def _signed(
    store: Store,
    places: Places,
    witnesses: Sequence[VerifierKey],
    found: Sequence[Head],
    which: Callable[..., Head | None],
) -> SignedCheckpoint | None:
    """The largest of some heads, or the smallest, that is of this ledger as it is."""
    lines = lines_of(store)  # only now: by then the ledger has whatever was signed of it
    heads = [head for head in found if counts(store, lines, head.checkpoint, head.where)]
    chosen = which(heads, key=lambda head: head.checkpoint.size, default=None)
    if chosen is None:
        return None
    return verified(store, lines, _with_witnesses(chosen, places.inside, witnesses), chosen.where, witnesses)


def _with_witnesses(head: Head, inside: Place, witnesses: Sequence[VerifierKey]) -> str:
    """A head's note with the signatures of witnesses that were taken in, each once, in the order of the settings."""
    line, size = head.named.line, head.named.size
    have = {(one.name, one.id) for one in taken_apart(head.note)[1]}
    note, cosigned = head.note, set(inside.cosigned())
    for key in witnesses:
        named = Named(line, size, key.id.hex())
        if named not in cosigned or (key.name, key.id) in have:
            continue
        for one in taken_apart(inside.read(named))[1]:
            if (one.name, one.id) == (key.name, key.id):
                note += f"{one.line}\n"
                break
    return note
