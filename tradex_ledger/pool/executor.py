"""A pool over any `concurrent.futures.Executor`: forty lines say of one how it is opened, and how its workers die."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor
from typing import Protocol

from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.pool.port import Pool, R, T, spread


class Cluster(Protocol):
    """The workers of others that an executor gives tasks to."""

    killed: tuple[type[Exception], ...]
    """What a task raises when the workers that it was given to died, as often as it was tried."""
    who: Callable[[], str]
    """What tells, asked where a task runs, how the executor calls that worker; it can be pickled."""

    def open(self) -> Executor:
        """What takes tasks. Raises: `EnvironmentFault` where there is none, or where it must not have them."""
        ...

    def on_worker(self, function: Callable[[T], R]) -> Callable[[T], R]:
        """What a worker is to call in place of a function."""
        ...

    def room(self) -> int:
        """How many tasks to give out at once. Raises: `EnvironmentFault` when nobody is there to run any."""
        ...

    def gone(self) -> EnvironmentFault:
        """What it means that tasks were cancelled which nobody cancelled here."""
        ...

    def close(self) -> None:
        """Let go of it; it may be gone already."""
        ...


class TaskKilledError(EnvironmentFault):
    """Tasks end the worker that runs them, each time; what else there was to do is done."""

    code = "task-killed"

    def __init__(self, tasks: Sequence[str]) -> None:
        named = ", ".join(tasks)
        super().__init__(
            f"the workers that were given {named} died each time; all else that there was to do is done",
            mend="see in the workers' logs what they died of (memory: a smaller window_partitions helps), then run "
            "again: it resumes",
        )


class ExecutorPool(Pool):
    """Gives tasks to a cluster's executor, which runs them again where a worker dies."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.was_killed = False
        self.who = cluster.who
        self._executor: Executor | None = None

    def run(self, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[T, R]]:
        """Yield (task, result) in the order in which tasks finish. The first error that a task raised ends it.

        Raises: what a task raised; `TaskKilledError` once all others are done; `EnvironmentFault`.
        """
        killed: list[T] = []
        yield from self._given(function, tasks, killed)
        if len(killed) > 1:
            # A worker that dies takes with it what it was given beside the task that it died of: each is tried alone.
            suspects, killed = killed, []
            for task in suspects:
                yield from self._given(function, [task], killed)
        if killed:
            raise TaskKilledError([str(task) for task in killed])

    def _given(self, function: Callable[[T], R], tasks: Sequence[T], killed: list[T]) -> Iterator[tuple[T, R]]:
        """The same; tasks whose workers died go to `killed`."""
        if not tasks:
            return
        executor, call = self._opened(), self.cluster.on_worker(function)
        try:
            for task, future in spread(lambda task: executor.submit(call, task), tasks, self.cluster.room):
                try:
                    result = future.result()
                except self.cluster.killed:
                    killed.append(task)
                    continue
                yield task, result
        except CancelledError:
            self._executor = None
            self.cluster.close()
            raise self.cluster.gone() from None

    def _opened(self) -> Executor:
        if self._executor is None:
            self._executor = self.cluster.open()
        return self._executor

    def close(self, *, wait: bool = False) -> None:
        """Let go of the cluster; what was given to it and did not begin is cancelled."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=wait)
            self.cluster.close()

    def kill(self) -> None:
        """The same: a task that a worker is at goes on there, into a folder that the next drive wipes."""
        self.was_killed = True
        self.close()
