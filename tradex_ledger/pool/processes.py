"""Where tasks run: in this process when there is one, in worker processes when there are more."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import ModuleType

from tradex_ledger.clock import process_name
from tradex_ledger.datasets.too_long import TookTooLongError
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.pool.port import IN_FLIGHT_PER_WORKER, Pool, R, T, spread

ATTEMPTS = 4
_THE_DRIVERS = (signal.SIGINT, signal.SIGHUP)
_HELD_OFF = (*_THE_DRIVERS, signal.SIGTERM)


class WorkersDiedError(EnvironmentFault):
    """Worker processes ended again and again, killed from outside or out of memory."""

    code = "workers-died"

    def __init__(self, attempts: int) -> None:
        super().__init__(
            f"the worker processes died {attempts} times in a row",
            mend="see whether memory is short (a smaller window_partitions helps), then run again: it resumes",
        )


def _start_worker(parent: int) -> None:
    """Leave Ctrl-C and hanging up to the driver, and end when it is gone: an orphan would hold memory for nothing.

    Arrow takes its memory from the system here, and gives it back: its own pools keep what one large day took.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    for number in _THE_DRIVERS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_OFF)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _signals_held_off() -> Iterator[None]:
    """Processes that are started meanwhile get no signal before they can take it, and this one gets its own later.

    A terminal sends Ctrl-C to all of a group: a process that is still being imported would end in a traceback, and
    Python's tracker of semaphores would die of a SIGHUP.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_OFF)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes that are started meanwhile do not import the program that asked for them.

    Tasks need nothing of it: a script or a notebook's kernel would be run again in each, at its cost in time and
    memory, and one that does not guard its main part would start workers from workers.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class ProcessPool(Pool):
    """Worker processes of this machine, started when first needed, and again when they die."""

    def __init__(self, workers: int) -> None:
        self.workers = max(1, workers)
        self._executor: ProcessPoolExecutor | None = None
        self.was_killed = False
        self.who = process_name

    def run(self, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[T, R]]:
        """Yield (task, result) in the order in which tasks finish. The first error ends the iteration.

        Raises: what a task raised; `WorkersDiedError`. A process whose engine goes on after its time is ended.
        """
        if len(tasks) <= 1 or self.workers == 1:
            for task in tasks:
                yield task, function(task)
            return
        waiting, deaths = list(tasks), 0
        while waiting:
            try:
                for task, result in self._run_once(function, waiting):
                    deaths = 0
                    waiting.remove(task)
                    yield task, result
            except BrokenProcessPool:
                # Wait for the others to end: one of them may still be writing where the task is to write again.
                self.close(wait=True)
                deaths += 1
                if deaths == ATTEMPTS:
                    raise WorkersDiedError(deaths) from None
            except TookTooLongError as error:
                if error.goes_on:  # in its process, with the memory that it holds
                    self._end_processes()
                raise

    def _run_once(self, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[T, R]]:
        executor = self._started()

        def submit(task: T) -> Future[R]:
            with _signals_held_off(), _without_main():
                return executor.submit(function, task)

        for task, future in spread(submit, tasks, lambda: self.workers * IN_FLIGHT_PER_WORKER):
            yield task, future.result()

    def _started(self) -> ProcessPoolExecutor:
        if self._executor is None:
            # Spawned, not forked: DuckDB and our own heartbeat run threads, which a fork would tear.
            with _signals_held_off():
                self._executor = ProcessPoolExecutor(
                    self.workers,
                    mp_context=multiprocessing.get_context("spawn"),
                    initializer=_start_worker,
                    initargs=(os.getpid(),),
                )
        return self._executor

    def close(self, *, wait: bool = False) -> None:
        """End the worker processes; tasks under way are not waited for, unless `wait` says so."""
        if self._executor is not None:
            self._executor.shutdown(wait=wait, cancel_futures=True)
            self._executor = None

    def kill(self) -> None:
        """End the worker processes now, whatever they do: who was interrupted waits for nothing."""
        self.was_killed = True
        self._end_processes()

    def _end_processes(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            for process in list((executor._processes or {}).values()):
                process.kill()
            executor.shutdown(wait=False, cancel_futures=True)
