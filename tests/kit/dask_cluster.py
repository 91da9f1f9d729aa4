"""A Dask cluster of a test's own: its scheduler and its workers are processes, started here and ended by their ids."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tests.kit.tree import ROOT

_SECONDS = 60
FAILURES = "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"


@dataclass(slots=True)
class DaskProcesses:
    """A scheduler and workers of one thread each. Their scratch files and logs are in a folder."""

    folder: Path
    address: str = ""
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def pool(self) -> str:
        """How settings name it."""
        return f"dask:{self.address}"

    def start_scheduler(self, *, port: int = 0, allowed_failures: int = 1) -> None:
        """Start the scheduler; it is there on return."""
        told = self.folder / "scheduler.json"
        told.unlink(missing_ok=True)
        options = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--scheduler-file", str(told)]
        self.scheduler = self._started("dask_scheduler", *options, environment={FAILURES: str(allowed_failures)})
        until = time.monotonic() + _SECONDS
        while not self.address:
            if self.scheduler.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:])
            try:
                self.address = json.loads(told.read_text())["address"]
            except (OSError, ValueError):
                time.sleep(0.02)

    def start_worker(
        self, environment: Mapping[str, str] = MappingProxyType({}), *, nanny: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a worker; it comes when it is ready."""
        kind = "--nanny" if nanny else "--no-nanny"
        options = ["--nthreads", "1", kind, "--no-dashboard", "--local-directory", str(self.folder)]
        worker = self._started("dask_worker", self.address, *options, environment=environment)
        self.workers.append(worker)
        return worker

    def _started(self, module: str, *options: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *options],
                cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def stop(self) -> None:
        """End all of it, whatever it does."""
        for process in (*self.workers, self.scheduler):
            if process is not None:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)  # a nanny's worker is in its group
                process.wait(_SECONDS)


@contextmanager
def dask_cluster(
    folder: Path, *, workers: int = 2, nanny: bool = False, allowed_failures: int = 1
) -> Iterator[DaskProcesses]:
    """A scheduler and workers for the length of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = DaskProcesses(folder)
    try:
        cluster.start_scheduler(allowed_failures=allowed_failures)
        for _ in range(workers):
            cluster.start_worker(nanny=nanny)
        yield cluster
    finally:
        cluster.stop()
