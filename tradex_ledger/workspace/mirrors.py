"""Mirrors of the lake for other readers: kept up, made anew, looked at. Nothing is put on record by it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tradex_ledger.attempts import failed, noted
from tradex_ledger.audit.documents.mirrors import MirrorDocument, SyncedDocument, TriedDocument
from tradex_ledger.errors import EnvironmentFault, TradexError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tradex_ledger.config import Config
    from tradex_ledger.domain.mirrors import MirrorSetting
    from tradex_ledger.ledger.select import Store
    from tradex_ledger.mirrors.keep import Synced
    from tradex_ledger.workspace.core import Core


class Mirrors:
    """What the settings name under [mirrors]: `workspace.mirrors.sync()`."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def all(self) -> list[MirrorDocument]:
        """How each stands."""
        return standing(self.core.settings, self.core.ledger.store)

    def sync(self, name: str | None = None) -> list[SyncedDocument]:
        """Take in what is new since the position that each holds. Raises: `NoSuchMirrorError`, and what
        `mirrors.keep.sync` raises."""
        from tradex_ledger.mirrors.keep import Known, sync
        from tradex_ledger.mirrors.open import named

        core, known, done = self.core, Known(), list[SyncedDocument]()
        for one in named(core.settings, name):
            with self._noted(one):
                done.append(_told(sync(core.ledger, core.lake, one, known=known)))
        return done

    def rebuild(self, name: str | None = None) -> list[SyncedDocument]:
        """Make them anew, from zero. Raises what `sync` raises."""
        from tradex_ledger.mirrors.keep import Known, rebuild
        from tradex_ledger.mirrors.open import named

        core, known, done = self.core, Known(), list[SyncedDocument]()
        for one in named(core.settings, name):
            with self._noted(one):
                done.append(_told(rebuild(core.ledger, core.lake, one, known=known)))
        return done

    def catching_up(self) -> Callable[[], list[TriedDocument]]:
        """For who stays, a worker: each call tries what is behind, no sooner than its pauses allow, and returns what
        was caught up, and each failure once. Raises: `BrokenLedgerError`, and what `core.settings` raises."""
        from tradex_ledger.mirrors.catch_up import CatchUp

        core = self.core
        mirrors = CatchUp(core.ledger, core.lake, core.config.folder, core.clock, time.monotonic)
        return lambda: [_caught_up(*one) for one in mirrors.look(core.settings.mirrors)]

    def _noted(self, setting: MirrorSetting) -> AbstractContextManager[None]:
        return noted(self.core.config.folder, setting.follower, self.core.ledger.id, self.core.clock)


def standing(config: Config, store: Store) -> list[MirrorDocument]:
    """How each mirror stands that the settings name; without what writes them."""
    if not config.mirrors:
        return []
    from tradex_ledger.mirrors.keep import standing as stands

    found = []
    for one in config.mirrors:
        how = stands(store, one)
        found.append(
            MirrorDocument(
                name=one.name,
                kind=one.kind,
                place=one.place,
                position=how.held.position if how.held else None,
                behind=how.behind,
                since=how.since,
                failed=failed(config.folder, one.follower, store.ledger),
                problem=how.problem.message if how.problem else None,
                mend=how.problem.mend if how.problem else None,
                command=_command(one.name, how.problem),
                left_out=how.left_out,
            )
        )
    return found


def _command(name: str, problem: TradexError | None) -> str:
    """What helps: a place that cannot be reached is tried again, one that is not ours is made anew."""
    verb = "sync" if problem is None or isinstance(problem, EnvironmentFault) else "rebuild"
    return f"tradex mirror {verb} {name}"


def _caught_up(setting: MirrorSetting, found: Synced | TradexError) -> TriedDocument:
    if isinstance(found, TradexError):
        return TriedDocument(setting.name, None, f"{found.message}; {found.mend}")
    return TriedDocument(setting.name, found.position, None)


def _told(done: Synced) -> SyncedDocument:
    return SyncedDocument(done.setting.name, done.setting.kind, done.setting.place, done.position, done.steps)
