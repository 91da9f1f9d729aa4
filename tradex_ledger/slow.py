"""Where what takes long, and is nobody's command, says how far it is: whoever talks to a person listens."""

from __future__ import annotations

from collections.abc import Callable

Heard = Callable[[int, int], None]
"""Told how many of how many events are done."""
MANY = 100_000
"""Events that take longer than anybody waits without a word."""
_listeners: list[Heard] = []


def listen(heard: Heard) -> None:
    """From now on that one is told, and nobody else."""
    _listeners[:] = [heard]


def tell(done: int, total: int) -> None:
    """Say how many events of how many were read, where many are left."""
    for heard in _listeners if total - done >= MANY else ():
        heard(done, total)
