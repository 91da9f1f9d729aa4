"""Mirrors kept up: what the ledger has behind the position that a mirror holds is taken in, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeAlias

from tradex_ledger import slow
from tradex_ledger.attempts import noted
from tradex_ledger.domain.feeds import MOST_LACKING
from tradex_ledger.domain.mirrors import MirrorSetting
from tradex_ledger.errors import BrokenLedgerError, TradexError
from tradex_ledger.lake.port import Lake
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.ledger.ask import END, events_of, has_moved
from tradex_ledger.ledger.select import Store
from tradex_ledger.mirrors.files import Point, nowhere
from tradex_ledger.mirrors.open import held, left_out, open_mirror
from tradex_ledger.mirrors.port import Held, StrangeMirrorError
from tradex_ledger.mirrors.readers import MOVES, steps
from tradex_ledger.mirrors.step import Step
from tradex_ledger.sealing.roots import root_at

_KEPT_UP_AFTER = frozenset({
    *("run.published", "backfill.reverted", "dataset.files_erased", "dataset.files_lost", "dataset.logic_versioned"),
    *("run.layer_completed", "backfill.failed", "incremental_run.failed"),
})  # fmt: skip
"""After these a mirror is kept up. Batches of Bronze are many: they go along with what ends their layer."""
Known: TypeAlias = dict[tuple[int, int], list[Step]]
"""Steps between two positions."""


class Synced(NamedTuple):
    """What was done to a mirror: it holds `position` now, and took in so many steps for that."""

    setting: MirrorSetting
    position: int
    steps: int


class Standing(NamedTuple):
    """A mirror: how far it has come, how many events it does not know after which readers see something else, `since`
    when it is to know the first of them (None: it need not yet), what is the matter with it, and which datasets it
    leaves out."""

    setting: MirrorSetting
    held: Held | None
    behind: int
    since: str | None
    problem: TradexError | None
    left_out: dict[str, str]


def sync(
    ledger: Ledger, lake: Lake, setting: MirrorSetting, point: Point = nowhere, known: Known | None = None
) -> Synced:
    """Take in what is new; `known` are the steps that were worked out already, for another mirror. Raises:
    `StrangeMirrorError`, `UnfitMirrorError`, `MirrorDisagreesError`, `EnvironmentFault`."""
    store = ledger.store
    mirror = open_mirror(setting, store, lake, point)
    before = mirror.held()
    check_held(store, setting.name, before)
    upto = _head(store)
    since = before.position if before else 0
    if before is not None and since == upto.position and mirror.fits():
        return Synced(setting, since, 0)
    known, span = {} if known is None else known, (since, upto.position)
    if span not in known:
        known[span] = steps(ledger, *span) if has_moved(store, MOVES, *span) else []
    return Synced(setting, upto.position, mirror.take(known[span], before, upto))


def rebuild(
    ledger: Ledger, lake: Lake, setting: MirrorSetting, point: Point = nowhere, known: Known | None = None
) -> Synced:
    """Make a mirror anew, from zero. Raises what `sync` raises."""
    open_mirror(setting, ledger.store, lake, point).clear()
    return sync(ledger, lake, setting, point, known)


def check_held(store: Store, name: str, held: Held | None) -> None:
    """Raise `StrangeMirrorError` where what a mirror holds is not the beginning of this ledger."""
    if held is None:
        return
    if held.ledger != store.ledger:
        raise StrangeMirrorError(name, f"is one of the ledger {held.ledger}, and this is {store.ledger}")
    if held.position > store.position():
        problem = f"is as of position {held.position}, and this ledger ends with {store.position()}"
        raise StrangeMirrorError(name, problem)
    if held.root != root_at(store, held.position).hex():
        raise StrangeMirrorError(name, f"is as of position {held.position} of another record than this ledger's")


def standing(store: Store, setting: MirrorSetting) -> Standing:
    """How a mirror stands; nothing of it is written."""
    has: Held | None = None
    try:
        has = held(setting)
        check_held(store, setting.name, has)
        lacks = left_out(setting)
    except TradexError as error:
        return Standing(setting, has, 0, None, error, {})
    after = has.position if has else 0
    lacking = len(events_of(store, MOVES, after=after, limit=MOST_LACKING))
    return Standing(setting, has, lacking, due_since(store, after), None, lacks)


def due_since(store: Store, after: int) -> str | None:
    """Since when a mirror that has come to a position is to have come further: batches of Bronze wait for the end of
    their layer."""
    for lacking in events_of(store, MOVES, after=after, limit=1):
        for due in events_of(store, tuple(_KEPT_UP_AFTER), after=lacking.position - 1, limit=1):
            return due.at
    return None


def is_due(store: Store, setting: MirrorSetting) -> bool:
    """Whether readers see something else than a mirror holds: that costs a look, and most saves no more."""
    has = held(setting)
    return has is None or has.position > store.position() or has_moved(store, MOVES, has.position, END)


class AfterSaves:
    """What follows a save: mirrors are kept up, where the save calls for it. A mirror that cannot be never fails what
    was saved: that is said, and the next save, or `tradex mirror sync`, catches up."""

    def __init__(
        self,
        ledger: Ledger,
        lake: Lake,
        mirrors: Sequence[MirrorSetting],
        folder: Path,
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger, self._lake, self._mirrors = ledger, lake, mirrors
        self._folder, self._clock = folder, clock
        self._told: set[str] = set()

    def __call__(self, topics: frozenset[str], position: int) -> None:
        """Keep all mirrors up. Raises: `BrokenLedgerError`."""
        del position  # another may have saved meanwhile
        if not topics & _KEPT_UP_AFTER:
            return
        known: Known = {}
        for setting in self._mirrors:
            try:
                with noted(self._folder, setting.follower, self._ledger.id, self._clock):
                    if is_due(self._ledger.store, setting):
                        sync(self._ledger, self._lake, setting, known=known)
            except BrokenLedgerError:
                raise
            except TradexError as error:
                self._tell(f"the mirror {setting.name} is behind: {error.message}; {error.mend}")

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            slow.tell(text)


def _head(store: Store) -> Held:
    position = store.position()
    return Held(store.ledger, position, root_at(store, position).hex())
