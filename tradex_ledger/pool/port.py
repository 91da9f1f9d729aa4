"""What a pool is to everybody else: it runs tasks somewhere.

A task is a small value that can be pickled, and a function that the package has: it may run on another machine, and run
again after its worker died, while nobody knows how far it had come.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from tradex_ledger.paths import gone_afterwards

T = TypeVar("T")
R = TypeVar("R")

IN_FLIGHT_PER_WORKER = 2
LOOK_SECONDS = 5.0


class Pool(Protocol):
    """Where tasks run. What it needs is started when the first task comes."""

    was_killed: bool
    """Whether tasks may still be under way that nobody waits for."""
    who: Callable[[], str]
    """What tells, asked where a task runs, how that worker is called; it can be pickled."""

    def run(self, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[T, R]]:
        """Yield (task, result) in the order in which tasks finish. The first error that a task raised ends it.

        Raises: what a task raised; `EnvironmentFault` where no worker can run it.
        """
        ...

    def close(self, *, wait: bool = False) -> None:
        """Give up what it holds; tasks under way are not waited for, unless `wait` says so. It may be used again."""
        ...

    def kill(self) -> None:
        """The same at once, with what is queued: who was interrupted waits for nothing."""
        ...


@contextmanager
def folder_of(pool: Pool, prefix: str) -> Iterator[Path]:
    """A folder of this machine for what a pool builds; gone afterwards, whoever interrupts."""
    with gone_afterwards(Path(tempfile.mkdtemp(prefix=prefix))) as folder:
        try:
            yield folder
        except BaseException:
            pool.kill()  # else a worker would go on writing there
            raise


def spread(
    submit: Callable[[T], Future[R]], tasks: Sequence[T], room: Callable[[], int]
) -> Iterator[tuple[T, Future[R]]]:
    """Yield each task with its future once that is done, never more than `room()` under way at once.

    `room` is asked anew whenever one is done, and every few seconds: it may raise. What is not done when the iteration
    ends is cancelled.
    """
    queue = list(reversed(tasks))
    running: dict[Future[R], T] = {}
    try:
        while queue or running:
            limit = room()
            while queue and len(running) < limit:
                task = queue.pop()
                running[submit(task)] = task
            done, _ = wait(running, LOOK_SECONDS, FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future
    finally:
        for future in running:
            future.cancel()
