"""Mirrors that are behind are tried again by who stays, a worker: whatever failed, whoever died before he kept them up.

A look costs a question to the ledger as long as nothing happens there. After a failure the next attempt waits, longer
each time, up to some minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from tradex_ledger.attempts import noted
from tradex_ledger.domain.mirrors import MirrorSetting
from tradex_ledger.errors import BrokenLedgerError, TradexError
from tradex_ledger.feeds.follow import Pace
from tradex_ledger.lake.port import Lake
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.mirrors.keep import Known, Synced, is_due, sync


class CatchUp:
    """What is known of each mirror by who looks again and again; one whose settings became others is another one."""

    def __init__(
        self,
        ledger: Ledger,
        lake: Lake,
        folder: Path,
        clock: Callable[[], datetime],
        stopwatch: Callable[[], float],
    ) -> None:
        self._ledger, self._lake, self._folder = ledger, lake, folder
        self._clock, self._stopwatch = clock, stopwatch
        self._paces: dict[MirrorSetting, Pace] = {}
        self._again: dict[MirrorSetting, float] = {}
        self._known_good: dict[MirrorSetting, int] = {}

    def look(self, mirrors: Iterable[MirrorSetting]) -> list[tuple[MirrorSetting, Synced | TradexError]]:
        """Catch up what lacks something; returns what was caught up, and each failure once. Raises:
        `BrokenLedgerError`."""
        found: list[tuple[MirrorSetting, Synced | TradexError]] = []
        known, head = Known(), self._ledger.position()
        for setting in mirrors:
            if self._known_good.get(setting) == head or self._stopwatch() < self._again.get(setting, 0.0):
                continue
            pace = self._paces.setdefault(setting, Pace())
            try:
                done = self._attempt(setting, known)
            except BrokenLedgerError:
                raise
            except TradexError as error:
                self._again[setting] = self._stopwatch() + pace.failed(None)
                if error.message != pace.told:
                    pace.told = error.message
                    found.append((setting, error))
                continue
            self._known_good[setting] = done.position if done else head
            if done and (done.steps or pace.told):
                found.append((setting, done))
            pace.went()
        return found

    def _attempt(self, setting: MirrorSetting, known: Known) -> Synced | None:
        with noted(self._folder, setting.follower, self._ledger.id, self._clock):
            if is_due(self._ledger.store, setting):
                return sync(self._ledger, self._lake, setting, known=known)
        return None
