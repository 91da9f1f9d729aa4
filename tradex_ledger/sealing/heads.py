"""Whether the ledger is still what its heads say that it was: asked before anything is written, told to readers.

A head is of so many events, and their root. A ledger of fewer events was cut, or is an older copy; one with another
root at that size was changed, or is another one that went on from a copy. What two people gave up with a lost line
(`lines.py`) counts no more. Signatures are looked at last, since that costs more than all the rest: where a head does
not fit, before anybody is told so.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from tradex_ledger.errors import BrokenLedgerError, TradexError
from tradex_ledger.keyed import read_sealed, write_sealed
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.select import Store
from tradex_ledger.sealing.checkpoint import Checkpoint, SignedCheckpoint, opened_checkpoint, parsed
from tradex_ledger.sealing.lines import Lines, lines_of
from tradex_ledger.sealing.note_errors import NoteError, UnsignedError
from tradex_ledger.sealing.note_text import taken_apart
from tradex_ledger.sealing.places import Named, Place
from tradex_ledger.sealing.roots import CACHE, root_at

if TYPE_CHECKING:
    from tradex_ledger.domain.waiting import EpochPlan
    from tradex_ledger.sealing.note import VerifierKey

_SEEN = "signed head"


class HeadError(BrokenLedgerError):
    """A ledger is not what a head says that it was: nothing is written to it, and no other head is signed."""

    code = "head"

    def __init__(self, message: str, mend: str, head: Checkpoint | None = None) -> None:
        super().__init__(message, mend=mend)
        self.head = head


class CutLedgerError(HeadError):
    """The ledger has fewer events than a head is of."""

    code = "ledger-cut"

    def __init__(self, own: Checkpoint, head: Checkpoint, where: str) -> None:
        super().__init__(
            f"this ledger ends at position {own.size} (root {own.root.hex()}), and the head kept in {where} is of "
            f"{head.size} events (root {head.root.hex()}): it was cut, or is an older copy",
            _lost_mend(head.size),
            head,
        )


class SplitViewError(HeadError):
    """The ledger has other events than a head is of."""

    code = "split-view"

    def __init__(self, own: Checkpoint, head: Checkpoint, where: str) -> None:
        super().__init__(
            f"the first {head.size} events of this ledger have the root {own.root.hex()}, and the head kept in {where} "
            f"says {head.root.hex()}: events were changed, or two copies of one ledger have gone on",
            _lost_mend(head.size),
            head,
        )


class OtherLedgerHeadError(HeadError):
    """A head is of another ledger."""

    code = "head-of-another"

    def __init__(self, own: str, head: Checkpoint, where: str) -> None:
        super().__init__(
            f"the head kept in {where} is of {head.origin} ({head.size} events), and this ledger is {own}",
            "name the right ledger under [workspace] in tradex.toml, or move what is kept of the other one away",
            head,
        )


class Head(NamedTuple):
    """A head as a place keeps it; its signatures say nothing yet."""

    place: Place
    named: Named
    checkpoint: Checkpoint
    note: str

    @property
    def where(self) -> str:
        """The place, and the name of the file there."""
        return f"{self.place.name} ({self.named.name})"


def head_in(place: Place, named: Named) -> Head:
    """The head of that name in a place. Raises: `NoteError` where it is none, or is called otherwise; `OSError`."""
    note = place.read(named)
    try:
        checkpoint = parsed(taken_apart(note)[0])
    except NoteError as error:
        raise _of(error, place, named) from None
    if checkpoint.size != named.size:
        raise _of(NoteError(f"it is of {checkpoint.size} events"), place, named)
    return Head(place, named, checkpoint, note)


def newest_in(place: Place) -> Head | None:
    """The newest head in a place. Raises: `NoteError`, `OSError`."""
    named = place.newest()
    return None if named is None else head_in(place, named)


def counts(store: Store, lines: Lines, checkpoint: Checkpoint, where: str) -> bool:
    """Whether a head is of this ledger as it is; False of one that was given up with a lost line.

    Signatures are not looked at. Raises: `HeadError` where it is neither.
    """
    number = lines.number_of(checkpoint.origin)
    if number is None:
        raise OtherLedgerHeadError(lines.ledger, checkpoint, where)
    size = min(checkpoint.size, lines.head)
    own = Checkpoint(lines.origin_at(size), size, root_at(store, size))
    if replace(own, origin=checkpoint.origin) == checkpoint and (
        own.origin == checkpoint.origin or lines.is_given_up(number, checkpoint.size)
    ):
        return True
    if lines.is_given_up(number, checkpoint.size):
        return False
    if checkpoint.size > lines.head:
        raise CutLedgerError(own, checkpoint, where)
    raise SplitViewError(own, checkpoint, where)


def verified(
    store: Store, lines: Lines, note: str, where: str, witnesses: Iterable[VerifierKey] = ()
) -> SignedCheckpoint:
    """A head that this ledger signed, by a key that counts for its line and size; whether it fits is another question.

    Raises: `NoteError`, `SignatureError`, `UnsignedError`, `OtherLedgerHeadError`.
    """
    from tradex_ledger.sealing.keys import keys_of  # slow to load

    checkpoint = parsed(taken_apart(note)[0])
    number = lines.number_of(checkpoint.origin)
    if number is None:
        raise OtherLedgerHeadError(lines.ledger, checkpoint, where)
    keys = keys_of(store, lines, number, checkpoint.size)
    try:
        return opened_checkpoint(note, keys, witnesses)
    except UnsignedError as error:
        error.message = f"the head kept in {where} is {error.message}"
        raise


def check_signed(store: Store, lines: Lines, head: Head) -> None:
    """Raise what `verified` raises; of a head that this user has seen signed, his caches remember it.

    To load what verifies takes longer than all else that a look at a ledger does.
    """
    digest = sha256(head.note.encode()).digest()
    folder = store.caches.made(CACHE)
    seen = folder / sha256(head.place.name.encode()).hexdigest()[:32] if folder else None
    if seen is not None and read_sealed(seen, _SEEN) == digest:
        return
    verified(store, lines, head.note, head.where)
    if seen is not None:
        write_sealed(seen, digest, _SEEN)


def check(store: Store, lines: Lines, head: Head) -> bool:
    """Whether a kept head counts, as `counts` has it; what does not fit is named once its signature was found good.

    Raises: `HeadError`, `NoteError`, `SignatureError`, `UnsignedError`.
    """
    try:
        return counts(store, lines, head.checkpoint, head.where)
    except HeadError:
        verified(store, lines, head.note, head.where)
        raise


def check_all(store: Store, places: Iterable[Place], *, begun: EpochPlan | None = None) -> None:
    """Raise where the newest head in a place does not fit the ledger, as it is, or once a planned epoch has begun.

    A place that cannot be looked into says nothing. Raises: `HeadError`, `NoteError`, `SignatureError`,
    `UnsignedError`.
    """
    heads = []
    for place in places:
        with suppress(OSError):
            heads.append(newest_in(place))
    if not any(heads):
        return
    lines = lines_of(store)  # only now: by then the ledger has whatever was signed of it
    lines = lines if begun is None else lines.with_epoch(begun)
    for head in filter(None, heads):
        check(store, lines, head)


def problem(store: Store, places: Iterable[Place]) -> TradexError | None:
    """What `check_all` would raise, for readers."""
    try:
        check_all(store, places)
    except BrokenLedgerError as error:
        return error
    return None


def lost_in(store: Store, places: Iterable[Place]) -> tuple[int, int] | None:
    """The smallest and the largest head (of how many events) that this ledger has not, and nobody gave up; None: it
    has all. Each must have been signed. Raises: `HeadError` for one of another ledger, `NoteError`, `SignatureError`,
    `UnsignedError`, `EnvironmentFault`.
    """
    kept, sizes = [], []
    for place in places:
        try:
            kept += [head_in(place, named) for named in place.heads()]
        except OSError as error:
            raise translate(error, f"reading the heads in {place.name}") from error
    lines = lines_of(store)
    for head in kept:
        try:
            check(store, lines, head)
        except (CutLedgerError, SplitViewError):
            sizes.append(head.checkpoint.size)
    return (min(sizes), max(sizes)) if sizes else None


def _of(error: NoteError, place: Place, named: Named) -> NoteError:
    error.message = f"{named.name} in {place.name} is no head: {error.message}"
    return error


def _lost_mend(size: int) -> str:
    return (
        "put back the newest copy of the ledger; if it is lost, two people let this one go on without it: "
        f"tradex ledger epoch --lost-head {size} --reason …"
    )
