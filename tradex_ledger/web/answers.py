"""Answers that are kept: what a position says never changes, so who asks again is not made to wait.

One who asks what another is just working out waits for that, and does not work it out again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import TypeVar, cast

T = TypeVar("T")
MOST = 256
"""Answers that are kept, those that were asked for last."""


class _Answer:
    """One that is kept, or being worked out."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.is_known = False
        self.value: object = None


class Answers:
    """Answers by what was asked; the position is part of that."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._lock = Lock()

    def get(self, asked: Hashable, work_out: Callable[[], T]) -> T:
        """What is kept of a question; else what is worked out now, and kept. An error is kept by nobody."""
        with self._lock:
            answer = self._kept.setdefault(asked, _Answer())
            self._kept.move_to_end(asked)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        with answer.lock:
            if not answer.is_known:
                answer.value, answer.is_known = work_out(), True
            return cast("T", answer.value)
