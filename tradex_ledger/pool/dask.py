"""The workers of a Dask cluster (`dask:tcp://HOST:PORT`): they need the package and the lake, nothing of the driver's.

A task whose worker dies is given to another by the scheduler, as often as its `allowed-failures` says. Whoever reaches
the scheduler can run what he likes on its workers: it belongs into a closed network, or behind TLS (`dask:tls://…`, by
Dask's own settings).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Generic

from distributed import Client, KilledWorker, Security, get_worker

from tradex_ledger.datasets.too_long import TookTooLongError
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.pool.executor import Cluster
from tradex_ledger.pool.port import IN_FLIGHT_PER_WORKER, R, T
from tradex_ledger.pool.versions import Found, check_versions, versions_here

CONNECT_SECONDS = 10
PATIENCE_SECONDS = 60.0
_LAST_WORDS_SECONDS = 2.0


class NoSchedulerError(EnvironmentFault):
    """Nobody answers where the scheduler of a cluster is to be."""

    code = "no-scheduler"

    def __init__(self, address: str, problem: str) -> None:
        super().__init__(
            f"the scheduler at {address} {problem}",
            mend=f"start it there (dask scheduler --port {address.rpartition(':')[2]}), or mend [compute] pool in "
            "tradex.toml, then run again: it resumes",
            transient=True,
        )


class NoTlsError(EnvironmentFault):
    """A scheduler is to be reached by TLS, and nothing says by which certificates."""

    code = "no-tls"

    def __init__(self, address: str) -> None:
        super().__init__(
            f"the scheduler at {address} is to be reached by TLS, and Dask's settings name no certificates",
            mend="name them (distributed.comm.tls in ~/.config/dask, or DASK_DISTRIBUTED__COMM__TLS__…), or use dask:tcp://",
        )


class NoWorkersError(EnvironmentFault):
    """A cluster's scheduler is there, and no worker."""

    code = "no-workers"

    def __init__(self, address: str, seconds: float) -> None:
        super().__init__(
            f"the scheduler at {address} has had no worker for {seconds:.0f} seconds",
            mend=f"start some (dask worker {address} --nthreads 1), then run again: it resumes",
            transient=True,
        )


def worker_name() -> str:
    """How the scheduler calls the worker that this is asked on: by the name it was started with, or its address."""
    return str(get_worker().name)


@dataclass(slots=True)
class DaskCluster(Cluster):
    """The cluster of the scheduler at an address (`tcp://HOST:PORT`); `patience` is how long it may have no worker, in
    seconds."""

    address: str
    patience: float = PATIENCE_SECONDS
    killed: tuple[type[Exception], ...] = (KilledWorker,)
    who: Callable[[], str] = worker_name
    _client: Client | None = None
    _seen: float = 0.0

    def open(self) -> Executor:
        """Connect, wait for a worker, and ask all what versions they have.

        Raises: `NoSchedulerError`, `NoTlsError`, `NoWorkersError`, `WorkersDifferError`.
        """
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what went wrong is said here, and once
        if self.address.startswith("tls:") and not Security().get_connection_args("client").get("ssl_context"):
            raise NoTlsError(self.address)
        try:
            self._client = client = Client(self.address, timeout=CONNECT_SECONDS, set_as_default=False)
        except OSError:
            raise NoSchedulerError(self.address, f"does not answer within {CONNECT_SECONDS} seconds") from None
        try:
            client.wait_for_workers(1, timeout=self.patience)
            self._check(client)
            executor: Executor = client.get_executor(pure=False)
        except TimeoutError:
            self.close()
            raise NoWorkersError(self.address, self.patience) from None
        except OSError:
            self.close()
            raise self.gone() from None
        except EnvironmentFault:
            self.close()
            raise
        return executor

    def _check(self, client: Client) -> None:
        """Ask the scheduler, which passes tasks on, and all workers; one that dies meanwhile is not asked."""
        here = versions_here()
        try:
            check_versions(self.address, "scheduler", client.run_on_scheduler(versions_here), here)
        except ImportError:
            check_versions(self.address, "scheduler", {}, here)
        for who, there in client.run(versions_here, on_error="return").items():
            if not isinstance(there, OSError):  # another error is how one tells that it lacks the package
                check_versions(self.address, f"worker {who}", there if isinstance(there, dict) else {}, here)

    def on_worker(self, function: Callable[[T], R]) -> Callable[[T], R]:
        """The function, where a worker has what is here: it may have come later."""
        return OnWorker(function, self.address, versions_here())

    def room(self) -> int:
        """Twice as many as there are threads. Raises: `NoWorkersError` when there was none for too long."""
        assert self._client is not None
        if self._client.status != "running":  # it tries to connect again, and has given up all that was asked
            raise self.gone()
        try:
            threads: int = sum(self._client.nthreads().values())
        except (OSError, RuntimeError, ValueError):
            raise self.gone() from None
        now = time.monotonic()
        if threads or not self._seen:
            self._seen = now
        if now - self._seen > self.patience:
            raise NoWorkersError(self.address, now - self._seen)
        return max(1, threads * IN_FLIGHT_PER_WORKER)

    def gone(self) -> EnvironmentFault:
        """The scheduler is not there any more."""
        return NoSchedulerError(self.address, "has gone away")

    def close(self) -> None:
        """Disconnect."""
        client, self._client, self._seen = self._client, None, 0.0
        if client is not None:
            client.close(timeout=_LAST_WORDS_SECONDS)


@dataclass(frozen=True, slots=True)
class OnWorker(Generic[T, R]):
    """What a worker calls: a function, once it was seen that its bytes will be those of the driver."""

    function: Callable[[T], R]
    address: str
    versions: Found

    def __call__(self, task: T) -> R:
        """Run the function. Raises: what it raises; `WorkersDifferError`."""
        check_versions(self.address, f"worker {get_worker().address}", versions_here(), self.versions)
        try:
            return self.function(task)
        except TookTooLongError as error:
            if error.goes_on:  # in this process, with the memory that it holds: a nanny starts another
                threading.Timer(_LAST_WORDS_SECONDS, os._exit, [1]).start()
            raise
