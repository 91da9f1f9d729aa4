"""Another executor is another pool: forty lines say of it how it is opened, and how its workers die."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.pool.executor import Cluster, ExecutorPool, TaskKilledError
from tradex_ledger.pool.port import R, T
from tradex_ledger.workspace import Workspace


class LostError(Exception):
    """How this engine tells that a worker died."""


@dataclass
class Threads(Cluster):
    """Not Dask: what Ray or another engine would have to say, and no more."""

    opened: int = 0
    killed: tuple[type[Exception], ...] = (LostError,)
    who: Callable[[], str] = lambda: threading.current_thread().name

    def open(self) -> Executor:
        self.opened += 1
        return ThreadPoolExecutor(2)

    def on_worker(self, function: Callable[[T], R]) -> Callable[[T], R]:
        return function

    def room(self) -> int:
        return 2

    def gone(self) -> EnvironmentFault:
        return EnvironmentFault("the threads have gone away")

    def close(self) -> None:
        self.opened -= 1


def test_another_executor_drives_a_run(tmp_path: Path):
    threads = Threads()
    pool = ExecutorPool(threads)
    ws = worlds.copied(tmp_path, days=3, until=None, thin=True)
    with Workspace.open(ws, actor="ana", clock=small.Ticking(worlds.RAN)) as workspace:
        workspace.core.execution()
        workspace.core._pool = pool
        workspace.incremental.run(last=small.day(3))
        assert threads.opened == 1
        (found,) = {
            (entry.data["worker"][:18], entry.data["began_at"] > "2026")
            for entry in workspace.audit.log(topics=["run.partition_rebuilt"]).events
        }
    assert found == ("ThreadPoolExecutor", True)
    assert threads.opened == 0
    assert len(list((ws / "lake").glob("gold_metrics/*/*/*.parquet"))) == 3


def test_of_two_that_died_beside_each_other_only_the_guilty_one_fails():
    tried: list[int] = []

    def die(number: int) -> int:
        tried.append(number)
        if number == 2 or (number == 1 and tried.count(1) == 1):  # the first dies with its neighbour
            raise LostError
        return -number

    done = []
    with pytest.raises(TaskKilledError, match="were given 2 died"):
        done += [result for result in ExecutorPool(Threads()).run(die, [1, 2, 3])] or []
    assert sorted(tried) == [1, 1, 2, 2, 3]
