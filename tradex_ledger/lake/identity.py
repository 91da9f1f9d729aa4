"""Whether a ledger and a lake belong together: asked before anything is written or removed, and told to readers.

The lake carries markers (`lake/markers.py`): which ledger published here, and how far it had come. Each publication
lays one after its save. What a crash in between leaves out, the next command that writes makes good, since it asks the
ledger for its last publication. A lake of before, without markers, is adopted if it holds a file that this ledger
names, or if the ledger names none; but not if runs that this ledger does not know have left their files in it.

A ledger that is behind its lake, or has another event at a marked position, was put back from a copy: it goes on in a
new epoch (`domain/lake.py`), which two people begin, and which names the head that was lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tradex_ledger.lake.identity_errors import (
    BehindError,
    EpochWaitsError,
    ForkedError,
    LakeIdentityError,
    LostHeadError,
    NestedLakeError,
    OtherLedgerError,
    StrangersError,
    UnmarkedLakeError,
)
from tradex_ledger.lake.known import Epoch, Known, known_of, last_published, leaves_at, named_files
from tradex_ledger.lake.markers import Marker, drop_old
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.ask import has_stream
from tradex_ledger.ledger.moved import LedgerMovedError
from tradex_ledger.ledger.select import Store

if TYPE_CHECKING:
    from tradex_ledger.domain.waiting import EpochPlan
    from tradex_ledger.ledger.application import Ledger

RUN_FILE = re.compile(r"\w+/(?:\w+=\d+/)?\w+=\d{4}-\d\d-\d\d/((?:bf|run)-[0-9a-z]{13})-\d+\.parquet")
"""Where a run puts its files."""


def check(store: Store, lake: Lake) -> Marker | None:
    """Raise `LakeIdentityError` unless ledger and lake belong together; returns the marker that the lake lacks, if any.

    Nothing is written. Raises `OSError` where the lake cannot be looked into.
    """
    found, known = lake.markers(), known_of(store)
    _check(store, lake, found, known)
    position = min(last_published(store), known.head) or (0 if found else known.head)
    highest = max(((marker.epoch, marker.position) for marker in found), default=(-1, 0))
    is_missing = (known.epoch_at(position), position) > highest if position else not found
    return _marker(store, known, position) if is_missing else None


def problem(store: Store, lake: Lake, *, blind: bool = True) -> LakeIdentityError | LedgerMovedError | None:
    """What is wrong, for readers; None also where this user may not look into the lake, unless told not to be `blind`.

    Raises, when not `blind`: `OSError`.
    """
    try:
        check(store, lake)
    except (LakeIdentityError, LedgerMovedError) as error:
        return error
    except OSError:
        if not blind:
            raise
    return None


def settle(store: Store, lake: Lake, *, strict: bool = True) -> None:
    """Check, and make good what a crash left out. Raises `LakeIdentityError`, `EnvironmentFault`.

    Who only writes to the ledger (not `strict`) needs no right to write to the lake, or to look into it.
    """
    try:
        lacks = check(store, lake)
        if lacks is None or lake.reading:
            return
        adopted = not lake.markers()
        lake.lay(lacks)
        others = {marker.ledger for marker in lake.markers()} - {lacks.ledger}
    except OSError as error:
        if strict:
            raise translate(error, f"preparing the lake {lake.name}") from error
        return
    if adopted and others:
        lake.take_back(lacks)  # two adopt it at once: neither has it
        raise OtherLedgerError(lake.name, sorted(others)[0], lacks.ledger)


def mark(store: Store, lake: Lake, saved: int) -> None:
    """Lay the marker of the publication that was saved up to a position. Raises `OSError`; then the next command does.

    A crash before leaves a lake that says less than the ledger: the next command that writes makes it good.
    """
    position = last_published(store, upto=saved)
    if position:
        lake.lay(_marker(store, known_of(store), position))
        drop_old(lake)


def mark_saved(ledger: Ledger, lake: Lake, saved: int) -> None:
    """The same for a command of its own. Raises `EnvironmentFault`: what was saved counts all the same."""
    try:
        mark(ledger.store, lake, saved)
    except OSError as error:
        raise translate(error, f"marking the lake {lake.name}; what was done is on record") from error


def check_free(lake: Lake, own: str | None) -> None:
    """Raise `LakeIdentityError` when a new ledger cannot have that lake: it is another's, in one, around one.

    `own` is the ledger that a broken attempt to make this workspace has left.
    """
    found = lake.markers()
    for marker in found:
        if marker.ledger != own:
            raise OtherLedgerError(lake.name, marker.ledger, None)
    _check_around(lake, deep=True)
    for path, _ in () if found else run_files(lake):
        raise OtherLedgerError(lake.name, None, None, path)


def run_files(lake: Lake) -> Iterator[tuple[str, str]]:
    """Each file that lies where runs put theirs: path relative to the lake, the run's id."""
    for entry in lake.files():
        if match := RUN_FILE.fullmatch(entry.path):
            yield entry.path, match[1]


def plan_base(store: Store, lake: Lake) -> tuple[int, tuple[int, int]]:
    """What a new epoch would begin after: the last position in common, and the highest lost marker (epoch, position).

    Raises `LakeIdentityError` when it is no lost head that stands in the way; `OSError`.
    """
    known, found = known_of(store), lake.markers()
    leaves, lost = _leaves(store, known.ledger, found), []
    for marker in found:
        try:
            _check_marker(lake.name, known, marker, leaves)
        except LostHeadError:
            lost.append(marker)
    base = min((marker.position - 1 for marker in lost), default=known.head)
    highest = max(((marker.epoch, marker.position) for marker in lost), default=(known.epoch_at(known.head), 0))
    return min(base, known.head), highest


def plan_put_back(store: Store, lake: Lake) -> tuple[int, tuple[int, int]]:
    """The same for a ledger that is being put back, whatever the lake knows of what it lacks."""
    known = replace(known_of(store), moved="", waits=False)
    with suppress(LostHeadError):
        _check(store, lake, lake.markers(), known)
    base, (epoch, position) = plan_base(store, lake)
    return base, (epoch, position or base)


def check_given_up(store: Store, lake: Lake, plan: EpochPlan) -> None:
    """Raise `LakeIdentityError` unless nothing would stand in the way once the planned epoch was begun."""
    known = known_of(store)
    lost = (plan.lost_epoch, plan.lost_position)
    begun = Epoch(plan.epoch, known.head + 1, plan.base, lost)
    _check(store, lake, lake.markers(), replace(known, head=known.head + 1, epochs=(*known.epochs, begun), waits=False))


# -- what is compared


def _check(store: Store, lake: Lake, found: Sequence[Marker], known: Known) -> None:
    """Raise `LakeIdentityError` unless all that the lake says fits with what the ledger says, and that goes on."""
    if known.moved:
        raise LedgerMovedError(known.moved)
    leaves = _leaves(store, known.ledger, found)
    for marker in reversed(found):
        _check_marker(lake.name, known, marker, leaves)
    _check_around(lake, deep=False)
    if not found:
        n_named = _check_holds_some(store, lake)  # first: a wrong lake may be the root of everything there is
        _check_around(lake, deep=True)
        _check_adoptable(store, lake, known, n_named)
    if known.waits:
        raise EpochWaitsError(known.ledger)


def _check_marker(lake: str, known: Known, marker: Marker, leaves: Mapping[int, str]) -> None:
    """Raise `LakeIdentityError` when a marker tells of what this ledger neither knows nor has given up."""
    if marker.ledger != known.ledger:
        raise OtherLedgerError(lake, marker.ledger, known.ledger)
    if leaves.get(marker.position) == marker.leaf:
        return
    after = next((epoch for epoch in known.epochs if epoch.number > marker.epoch), None)
    if after is not None and marker.position > after.base and (marker.epoch, marker.position) <= after.lost:
        return
    if after is None and (marker.epoch > known.epoch_at(known.head) or marker.position > known.head):
        raise BehindError(lake, known.head, known.epoch_at(known.head), marker.position, marker.epoch)
    raise ForkedError(lake, marker.position, marker.epoch)


def _check_around(lake: Lake, *, deep: bool) -> None:
    for place in lake.neighbours(deep=deep):
        raise NestedLakeError(lake.name, place)


def _check_holds_some(store: Store, lake: Lake) -> int:
    """How many files were asked for until one was there; raise where the ledger names some, and none of them is."""
    n_named = 0
    for file in named_files(store):
        n_named += 1
        if lake.has(file):
            return n_named
    if n_named:
        raise UnmarkedLakeError(lake.name, n_named)
    return 0


def _check_adoptable(store: Store, lake: Lake, known: Known, n_named: int) -> None:
    """Raise unless a lake without markers can be this ledger's."""
    if known.epochs:
        return  # what it does not know was given up
    for path, run_id in run_files(lake):
        if not has_stream(store, run_id):
            if n_named:
                raise StrangersError(lake.name, path, run_id)
            raise OtherLedgerError(lake.name, None, known.ledger, path)


def _marker(store: Store, known: Known, position: int) -> Marker:
    leaf = leaves_at(store, known.ledger, [position])[position]
    return Marker(known.epoch_at(position), position, leaf, known.ledger)


def _leaves(store: Store, ledger: str, found: Sequence[Marker]) -> dict[int, str]:
    return leaves_at(store, ledger, sorted({marker.position for marker in found}))
