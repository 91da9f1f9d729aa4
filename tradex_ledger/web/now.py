"""Which position is now: while many ask at once, they ask as of the same, so that one works out what all of them see.

Whoever asks alone is told the newest. Nobody is told less than what the streams have said already, or what was decided
here: a deed forgets what is held.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from tradex_ledger.web.at import At

HELD_S = 2.0


class Now:
    """The newest position that was asked for, and how many pages are being worked out."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._asking = 0
        self._held: tuple[At, float] | None = None

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While a page is worked out."""
        with self._lock:
            self._asking += 1
        try:
            yield
        finally:
            with self._lock:
                self._asking -= 1

    def forget(self) -> None:
        """Something was decided: whoever asks next sees it."""
        with self._lock:
            self._held = None

    def at(self, told: int, newest: Callable[[], At]) -> At:
        """The position to ask as of; `told` is what the streams have said last."""
        with self._lock:
            held = self._held if self._asking > 1 else None
        if held is not None and time.monotonic() - held[1] < HELD_S and held[0].position >= told:
            return held[0]
        since, found = time.monotonic(), newest()
        with self._lock:
            self._held = (found, since)
        return found
