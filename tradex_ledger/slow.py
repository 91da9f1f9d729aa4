"""What takes long, and is nobody's command, says so: whoever talks to a person listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

MANY = 100_000
"""Events that take longer than anybody waits without a word."""
Hears = Callable[[str], None]
_listeners: list[tuple[Hears, Hears, Hears]] = []


def _nobody(text: str) -> None:
    """Nobody hears it."""


@contextmanager
def listen(heard: Hears, doing: Hears = _nobody, detail: Hears = _nobody) -> Iterator[None]:
    """Those are told while this lasts, and nobody else: of what takes long, of what is done now, and of details."""
    before = _listeners[:]
    _listeners[:] = [(heard, doing, detail)]
    try:
        yield
    finally:
        _listeners[:] = before


def tell(text: str) -> None:
    """Say what is waited for."""
    for heard, _, _ in _listeners:
        heard(text)


def doing(text: str) -> None:
    """Say what is done from now on: it is heard of only where it takes long."""
    for _, heard, _ in _listeners:
        heard(text)


def detail(text: str) -> None:
    """Say what was done, or why, to who wants to hear more."""
    for _, _, heard in _listeners:
        heard(text)


def reading(done: int, total: int) -> None:
    """Say how many events of how many were read, where many are left."""
    if total - done >= MANY:
        tell(f"reading the events, which is done once: {done} of {total}")
