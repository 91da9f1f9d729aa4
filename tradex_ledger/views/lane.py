"""Projections that do not follow from each other, worked out two at a time.

Most of what one costs is its planning, which DuckDB does in one thread. So what is decided about each is decided in
order, by one; the statements that need not be waited for are left to a second thread, which has a connection of its own
to the same database. Who needs what nobody has begun yet does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event, RLock, Thread, current_thread

import duckdb

from tradex_ledger.datasets.statement import opened_beside, parsed

Work = Callable[[duckdb.DuckDBPyConnection], None]


@dataclass(eq=False, slots=True)
class _Job:
    """Something to be done through a connection once what it `needs` is done; `error` says why it is not."""

    work: Work
    needs: list[_Job]
    is_begun: bool = False
    done: Event = field(default_factory=Event)
    error: Exception | None = field(default_factory=lambda: RuntimeError("it was not done"))


class Lane:
    """What is left to a second thread, by name, until it is closed. One thread alone asks it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._opened = ExitStack()
        self._beside: duckdb.DuckDBPyConnection | None = None
        self._jobs: dict[str, _Job] = {}
        self._waiting: list[_Job] = []
        self._lock = RLock()
        self._thread: Thread | None = None
        self._is_at_work = False

    def leave(self, name: str, needs: Iterable[str], work: Work) -> None:
        """Leave something to be done, by a name, after what it needs of what was left before."""
        if self._beside is None:
            self._beside = self._opened.enter_context(opened_beside(self._connection))
        job = _Job(work, [self._jobs[need] for need in needs if need in self._jobs])
        self._jobs[name] = job
        with self._lock:
            self._waiting.append(job)
            if self._is_at_work:
                return
            self._is_at_work = True
        self._thread = Thread(target=self._run, args=(self._beside,), name="projections beside", daemon=True)
        self._thread.start()

    def wait(self, name: str) -> None:
        """Have what was left by a name done, if any was. Raises what it raised."""
        if (job := self._jobs.get(name)) is not None:
            self._have(job, self._connection)
            if job.error is not None:
                raise job.error

    def wait_for_all(self) -> None:
        """Have all done that was left. Raises what the first raised that failed."""
        for name in self._jobs:
            self.wait(name)

    def close(self) -> set[str]:
        """End it, and what is under way; returns the names of what was left and is not done."""
        with self._lock:
            self._waiting.clear()
        # What nobody closed ends here when it is collected as garbage, in whichever thread: also the second one.
        if self._thread is not None and self._thread is not current_thread():
            if self._is_at_work and self._beside is not None:
                self._beside.interrupt()
            self._thread.join()
        self._opened.close()
        return {name for name, job in self._jobs.items() if job.error is not None}

    def _run(self, connection: duckdb.DuckDBPyConnection) -> None:
        """The second thread: the oldest that nobody has begun, until there is none."""
        while True:
            with self._lock:
                job = next(iter(self._waiting), None)
                if job is None:
                    self._is_at_work = False
                    return
            self._have(job, connection)

    def _have(self, job: _Job, connection: duckdb.DuckDBPyConnection) -> None:
        """Do a job, and first what it needs; or wait for the thread that is at it."""
        with self._lock:
            mine, job.is_begun = not job.is_begun, True
            if job in self._waiting:
                self._waiting.remove(job)
        if not mine:
            job.done.wait()
            return
        try:
            for need in job.needs:
                self._have(need, connection)
                if need.error is not None:
                    raise need.error
            job.work(connection)
            job.error = None
        except duckdb.Error as error:  # told to who waits for it
            job.error = error
        finally:
            job.done.set()


def within(connection: duckdb.DuckDBPyConnection, schema: str, *statements: str) -> None:
    """Run statements within a schema, and with the tables of all schemas behind it."""
    path = schema if schema == "main" else f"{schema},main"
    connection.execute(f"set search_path = '{path}'")
    try:
        for statement in statements:
            connection.execute(parsed(connection, statement))
    finally:
        connection.execute("set search_path = 'main'")
