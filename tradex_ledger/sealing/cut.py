"""Heads are cut: signed where all that was signed before is the beginning of it, and laid in every place.

The order, and what a crash leaves: (1) the newest head of each place is read and held against the ledger, by signature,
root and consistency proof; (2) the new one is signed and laid in the workspace; (3) then in each place outside. A crash
before 2 leaves nothing, one before 3 a head that the places outside have not yet: whoever cuts next lays the newest one
wherever it is missing. A place that cannot be reached is told, counted, and caught up likewise.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tradex_ledger import slow
from tradex_ledger.errors import TradexError
from tradex_ledger.lake.identity_errors import EpochWaitsError
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.merkle import verify_consistency
from tradex_ledger.ledger.select import Store
from tradex_ledger.ledger.tree import ask_tree
from tradex_ledger.sealing.checkpoint import Checkpoint, sealed
from tradex_ledger.sealing.heads import (
    Head,
    HeadError,
    SplitViewError,
    counts,
    head_in,
    newest_in,
    verified,
)
from tradex_ledger.sealing.keys import FILE, NoKeyError, announced, path_of, publish, read_signer
from tradex_ledger.sealing.lines import Lines, lines_of
from tradex_ledger.sealing.note import SignerKey
from tradex_ledger.sealing.places import Named, Place, Places
from tradex_ledger.sealing.proving import keep_edge
from tradex_ledger.sealing.roots import light_root

SEALED_AFTER = frozenset(
    {
        *("backfill.approved", "policy.set", "lake.epoch_begun"),
        *("run.published", "backfill.reverted", "backfill.completed", "incremental_run.succeeded"),
        *("dataset.files_pruned", "dataset.files_lost", "seal.key_announced"),
    }
)
"""After these a head is cut at once: somebody allowed something, or readers see something else from here on."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A place outside: how many heads of the workspace it had not before, and why it has not the newest now."""

    place: str
    missed: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class Cut:
    """The newest head, as it is kept; whether it was signed just now; the places outside."""

    checkpoint: Checkpoint
    note: str
    is_new: bool
    file: Path
    places: tuple[Reached, ...]


def cut(store: Store, places: Places) -> Cut:
    """Sign the ledger's head, unless the workspace has it, and lay it wherever it is missing.

    Raises: `HeadError`, `NoteError`, `SignatureError`, `UnsignedError`: what was signed before does not fit, and
    nothing is signed; `NoKeyError`, `KeyFileError`, `EpochWaitsError`, `EnvironmentFault`.
    """
    try:
        inside, outside = places.inside, places.outside
        before = newest_in(inside)
        reached = [_looked(place) for place in outside]
        lines = lines_of(store)  # only now: by then the ledger has whatever was signed of it
        signer = _signer(store, lines, places.workspace)
        root, edge = ask_tree(store, lines.head, lambda tree: (tree.root(), tree.edge()))
        own = Checkpoint(signer.name, lines.head, root)
        for head in (before, *(found for found, _ in reached)):
            if head is not None:
                _check_extends(store, lines, edge, own, head)
        named = Named(lines.number_at(own.size), own.size)
        is_new = before is None or before.named != named
        note = sealed(own, signer) if before is None or is_new else before.note
        if is_new and not inside.lay(named, note):
            note = _by_another(own, head_in(inside, named)).note
        keep_edge(store.caches, own.size, edge)  # what is proven by this head is found at once
        publish(places.workspace, signer.verifier)
        kept = inside.heads()
    except OSError as error:
        raise translate(error, "sealing the ledger") from error
    caught_up = tuple(
        _caught_up(place, head, problem, named, note, kept)
        for place, (head, problem) in zip(outside, reached, strict=True)
    )
    return Cut(own, note, is_new, inside.folder / named.name, caught_up)


_KEY_MEND = f"put {FILE} back from a backup, or: tradex ledger key --new --reason …"


class AfterSaves:
    """What follows a save: a head, where the save calls for one. It never fails what was saved.

    Where there is no key, none is cut: a ledger of before has none until somebody asks for the first head.
    """

    def __init__(self, store: Store, places: Places, every: int) -> None:
        self._store = store
        self._places = places
        self._every = every
        self._newest: int | None = None
        self._told: set[str] = set()

    def __call__(self, topics: frozenset[str], position: int) -> None:
        """Cut a head after a save of these topics, if it is time. Raises: `HeadError`: two histories are written on."""
        if not os.path.lexists(path_of(self._places.workspace)):
            return
        try:
            if not topics & SEALED_AFTER and position - self._sealed() < self._every:
                return
            made = cut(self._store, self._places)
        except (HeadError, EpochWaitsError) as error:
            if isinstance(error, HeadError):
                raise
            return
        except TradexError as error:
            self._tell(f"no head was cut: {error.message}; {error.mend}")
            return
        except OSError as error:
            self._tell(f"no head was cut: {error}")
            return
        self._newest = made.checkpoint.size
        for place in made.places:
            if place.problem:
                self._tell(f"{place.place} did not get the newest head: {place.problem}; the next one catches up")

    def _sealed(self) -> int:
        if self._newest is None:
            newest = self._places.inside.newest()
            self._newest = newest.size if newest else 0
        return self._newest

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            slow.tell(text)


def _signer(store: Store, lines: Lines, workspace: Path) -> SignerKey:
    """The key, by the name that it has in the line that goes on. Raises: `NoKeyError`, `EpochWaitsError`."""
    if lines.waits:
        raise EpochWaitsError(lines.ledger)
    path, signer = path_of(workspace), read_signer(workspace, lines.ledger)
    if signer is None:
        raise NoKeyError(path, "is not there: nothing signs for this ledger here", _KEY_MEND)
    if all(key.public != signer.verifier.public for key in announced(store)):
        raise NoKeyError(path, "is not on record, or was replaced: what it signs is believed by nobody", _KEY_MEND)
    return replace(signer, name=lines.origin_at(lines.head))


def _check_extends(store: Store, lines: Lines, edge: Sequence[bytes], own: Checkpoint, head: Head) -> None:
    """Raise unless the new head extends a kept one that counts, by a consistency proof of the tree."""
    verified(store, lines, head.note, head.where)
    kept = head.checkpoint
    if not counts(store, lines, kept, head.where) or kept.size == 0:
        return
    proof = ask_tree(store, own.size, lambda tree: tree.consistency_proof(kept.size), edge)
    if not verify_consistency(kept.size, own.size, kept.root, own.root, proof):
        raise SplitViewError(replace(own, size=kept.size, root=light_root(store, kept.size)), kept, head.where)


def _by_another(own: Checkpoint, kept: Head) -> Head:
    """The head that another process laid under the same name at the same time. Raises: `SplitViewError`."""
    if kept.checkpoint != own:
        raise SplitViewError(own, kept.checkpoint, kept.where)
    return kept


def _looked(place: Place) -> tuple[Head | None, str | None]:
    """The newest head in a place outside, or why it cannot be reached."""
    try:
        return newest_in(place), None
    except OSError as error:
        return None, _why(error)


def _caught_up(
    place: Place, head: Head | None, problem: str | None, named: Named, note: str, kept: Sequence[Named]
) -> Reached:
    """Lay the newest head in a place outside that can be reached and has it not."""
    missed = sum(head is None or one > head.named for one in kept)
    if problem is None and missed:
        try:
            place.lay(named, note)
        except OSError as error:
            problem = _why(error)
    return Reached(place.name, missed, problem)


def _why(error: OSError) -> str:
    return error.strerror or str(error)
