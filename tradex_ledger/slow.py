"""What takes long, and is nobody's command, says so: whoever talks to a person listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

MANY = 100_000
"""Events that take longer than anybody waits without a word."""
_listeners: list[Callable[[str], None]] = []


@contextmanager
def listen(heard: Callable[[str], None]) -> Iterator[None]:
    """That one is told while this lasts, and nobody else."""
    before = _listeners[:]
    _listeners[:] = [heard]
    try:
        yield
    finally:
        _listeners[:] = before


def tell(text: str) -> None:
    """Say what is waited for."""
    for heard in _listeners:
        heard(text)


def reading(done: int, total: int) -> None:
    """Say how many events of how many were read, where many are left."""
    if total - done >= MANY:
        tell(f"reading the events, which is done once: {done} of {total}")
