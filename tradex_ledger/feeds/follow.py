"""Following the ledger for all receivers at once, a thread each: who is down delays only itself."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tradex_ledger.errors import BrokenLedgerError, TradexError
from tradex_ledger.feeds.errors import FeedDownError, FeedGoneError, NoSuchFeedError, SentElsewhereError
from tradex_ledger.feeds.send import Pause, Sent

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0
_AT_ONCE_S, _FINISH_S = 0.5, 35.0
"""An attempt under way has an end (`http.WHOLE_S`); who is to end at once does not wait for it."""
_FOR_GOOD = (FeedGoneError, NoSuchFeedError, BrokenLedgerError)
Send = Callable[[str, Pause], Sent]


@dataclass(slots=True)
class Pace:
    """How long to wait after the next failure, and what was told last."""

    pause_s: float = FIRST_PAUSE_S
    told: str = ""

    def failed(self, wanted_s: float | None) -> float:
        """The pause now; the next one is twice as long."""
        now = max(self.pause_s, wanted_s or 0.0)
        self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)
        return now

    def went(self) -> None:
        """All is well: begin anew."""
        self.pause_s, self.told = FIRST_PAUSE_S, ""


class Followers:
    """Sends what is new to each receiver until it is stopped; what became of it is `news`, a failure once."""

    def __init__(self, names: Iterable[str], send: Send, every_s: float) -> None:
        self._send, self._every_s = send, every_s
        self._stopped, self._finishes = threading.Event(), False
        self._news: deque[Sent | TradexError] = deque()
        self._threads = [threading.Thread(target=self._follow, args=(name,), daemon=True) for name in names]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self, *, finish: bool) -> None:
        """End: at once, or once each was told what there is now. Who hangs is not waited for without end."""
        self._finishes = finish
        self._stopped.set()
        for thread in self._threads:
            thread.join(_FINISH_S if finish else _AT_ONCE_S)

    def wait(self, seconds: float) -> bool:
        """Wait that long; False when it was stopped meanwhile, or nobody is left who sends."""
        return not self._stopped.wait(seconds) and any(thread.is_alive() for thread in self._threads)

    def news(self) -> list[Sent | TradexError]:
        """What was sent, and what went wrong, since it was asked last."""
        return [self._news.popleft() for _ in range(len(self._news))]

    def _pause(self, seconds: float) -> bool:
        return not self._stopped.wait(seconds)

    def _follow(self, name: str) -> None:
        pace = Pace()
        while True:
            is_last = self._stopped.is_set()
            if is_last and not self._finishes:
                return
            seconds = self._round(name, pace)
            if is_last or seconds is None:
                return
            self._stopped.wait(seconds)

    def _round(self, name: str, pace: Pace) -> float | None:
        """Tell what there is; in how many seconds again. None: no attempt mends what went wrong.

        A secret, a file, a line of the settings may be mended while this one waits, so all but those is tried again.
        """
        try:
            sent = self._send(name, self._pause)
        except SentElsewhereError:
            pace.went()  # another process does it
            return self._every_s
        except TradexError as error:
            if error.message != pace.told:
                pace.told = error.message
                self._news.append(error)
            if isinstance(error, _FOR_GOOD):
                return None
            return pace.failed(error.again_s if isinstance(error, FeedDownError) else None)
        if sent.events or pace.told:
            self._news.append(sent._replace(again=bool(pace.told)))
        pace.went()
        return self._every_s
