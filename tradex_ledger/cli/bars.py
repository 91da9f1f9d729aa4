"""What goes on, on a terminal: how far each stage of a run is, and what is waited for, until anything else is said.

One thread draws it over and over again. What is said meanwhile is said above it; a result ends it, and it stays above
that as it was last. Whoever is quiet for longer than `QUIET_S` is said to be at work, and at what.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from tradex_ledger.cli.stages import RUN, Look, Stage, cut, drawn, waiting
from tradex_ledger.cli.terminal import is_drawn_on, is_unicode, size_of

MOST = 12
"""Stages at a time: the oldest makes room. What a screen has no line for is not drawn, and that would be the newest."""
QUIET_S = 0.2
"""Half a second is when people begin to wonder; the start of the program has taken its part of it."""
_TICK_S = 0.1


class Bars:
    """A line a stage under the run they are of. There is one display at a time, whoever prints."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.RLock()
        self._stream: TextIO | None = None
        self._run: Stage | None = None
        self._stages: dict[str, Stage] = {}
        self._lines = 0
        self._name, self._what, self._since, self._resting, self._thread = "", "", 0.0, 0, threading.Event()
        self._is_plain, self._was_said = False, False

    @property
    def is_open(self) -> bool:
        """Whether the terminal's last line is one of these, so that what comes needs a line of its own."""
        return self._lines > 0

    def watch(self, stream: TextIO, name: str, what: str) -> None:
        """A call begins, of a command of that name: whenever it is quiet for long, that is what it does.

        Where nothing can be drawn over, it is said in a line, once.
        """
        with self._lock:
            self._stream, self._name, self._what, self._since = stream, name, what, self._now()
            self._is_plain, self._was_said = not is_drawn_on(stream), False
        self._thread.set()
        self._thread = threading.Event()
        threading.Thread(target=self._tick, args=(self._thread,), daemon=True).start()

    def doing(self, what: str) -> None:
        """What is done from now on, until something else is."""
        with self._lock:
            self._what, self._was_said = what, False

    def tell(self, stream: TextIO, stage: str, done: int, total: int) -> None:
        """How far a stage is; one that is called as a run heads those that follow."""
        now = self._now()
        with self._lock:
            self._stream = stream
            if RUN.fullmatch(stage):
                if self._run is not None and self._run.name != stage:
                    self.end()
                self._run = _told(self._run, stage, done, total, now)
            else:
                if stage not in self._stages and len(self._stages) == MOST:
                    del self._stages[next(iter(self._stages))]
                self._stages[stage] = _told(self._stages.get(stage), stage, done, total, now)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Something else is said: what is drawn makes room for it, and goes on below it."""
        with self._lock:
            self._erase()
            yield
            self._since = self._now()

    @contextmanager
    def rest(self) -> Iterator[None]:
        """Somebody else has the terminal, or it is known what is waited for: nothing is drawn meanwhile."""
        with self._lock:
            self.end()
            self._resting += 1
        try:
            yield
        finally:
            with self._lock:
                self._resting -= 1
                self._since = self._now()

    def end(self) -> None:
        """Leave what there is as it is; what is told next begins anew."""
        with self._lock:
            if self._run is not None or self._stages:
                self._draw(self._now())
                self._write("\n")
                self._lines = 0
            self._erase()
            self._run, self._stages = None, {}
            self._since = self._now()

    @contextmanager
    def until_the_end(self) -> Iterator[None]:
        """A call, after which nothing is drawn."""
        try:
            yield
        finally:
            self._thread.set()
            self.end()

    def _tick(self, is_over: threading.Event) -> None:
        while not is_over.wait(_TICK_S):
            with self._lock:
                now = self._now()
                is_told = bool(self._run or self._stages)
                if not is_over.is_set() and not self._resting and (is_told or now - self._since >= QUIET_S):
                    self._draw(now)

    def _draw(self, now: float) -> None:
        assert self._stream is not None
        if self._is_plain:
            if not self._was_said:
                room = size_of(self._stream)[0] - len(" ...") - 1
                self._write(f"{cut(f'{self._name}: {self._what}', room, is_unicode=False)} ...\n")
            self._was_said = True
            return
        columns, rows = size_of(self._stream)
        look = Look(columns - 1, is_unicode(self._stream), not os.environ.get("NO_COLOR"))
        stages = list(self._stages.values())[-max(1, min(MOST, rows - 2)) :]
        lines = drawn(self._run, stages, now, look) or [waiting(f"{self._name}: {self._what}", now - self._since, look)]
        self._write(self._back() + "\x1b[K\n".join(lines) + "\x1b[J")
        self._lines = len(lines)

    def _erase(self) -> None:
        if self._lines:
            self._write(self._back() + "\x1b[J")
            self._lines = 0

    def _back(self) -> str:
        return "\r" + (f"\x1b[{self._lines - 1}A" if self._lines > 1 else "") if self._lines else ""

    def _write(self, text: str) -> None:
        if self._stream is not None:
            with suppress(OSError, ValueError):  # the terminal has gone, and nobody misses a bar
                self._stream.write(text)
                self._stream.flush()


def _told(known: Stage | None, name: str, done: int, total: int, now: float) -> Stage:
    if known is None:
        return Stage(name, now, now, now, done, done, total)
    known.tell(done, total, now)
    return known


BARS = Bars()
"""Those of the terminal: there is one, whoever prints."""
