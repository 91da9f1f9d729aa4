"""Windows that the workers of a Dask cluster build: real schedulers and workers, each a process."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client
from distributed.cli import dask_scheduler, dask_worker

from examples.new_storage.sqlite_lake import SqliteLake
from tests import worlds
from tests.kit import s3, small
from tests.kit.dask_cluster import DaskProcesses, dask_cluster
from tests.kit.deadly import DeadlyLake
from tests.kit.examples import blocks, commands, words
from tradex_ledger.cli.main import run as tradex
from tradex_ledger.config import FILE, load_config
from tradex_ledger.datasets.too_long import TookTooLongError
from tradex_ledger.errors import EnvironmentFault, TradexError
from tradex_ledger.keyed import CACHE_HOME
from tradex_ledger.lake.open import open_lake
from tradex_ledger.lake.port import Lake
from tradex_ledger.pool import dask as dask_pool
from tradex_ledger.pool.dask import DaskCluster, NoSchedulerError, NoTlsError, NoWorkersError, OnWorker
from tradex_ledger.pool.executor import ExecutorPool, TaskKilledError
from tradex_ledger.pool.versions import WorkersDifferError, versions_here
from tradex_ledger.upkeep.gc import find_unreferenced
from tradex_ledger.workspace import Workspace

DAYS = 3
SILVER = "silver_social_events/event_date=2024-01-02"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    with dask_cluster(tmp_path_factory.mktemp("cluster"), nanny=True) as found:
        yield found


@pytest.fixture
def pool(cluster: DaskProcesses) -> Iterator[ExecutorPool]:
    found = ExecutorPool(DaskCluster(cluster.address))
    yield found
    found.close()


def world(folder: Path, *, window_partitions: int = 1) -> Path:
    """Three days that nobody has run."""
    return worlds.copied(folder, days=DAYS, until=None, thin=True, window_partitions=window_partitions)


def opened(ws: Path, pool: str | None, lake: Lake | None = None) -> Workspace:
    config = replace(load_config(ws / FILE), pool=pool)
    return Workspace(config, actor="ana", clock=small.Ticking(worlds.RAN), lake=lake)


def run(ws: Path, pool: str | None, lake: Lake | None = None) -> None:
    with opened(ws, pool, lake) as workspace:
        workspace.incremental.run(last=small.day(DAYS))


def built(ws: Path, lake: Lake | None = None) -> list[tuple[str, str]]:
    """Each current file that is not Bronze, as (day's folder, digest): Bronze has the run's id in its rows."""
    with opened(ws, None, lake) as workspace:
        found = workspace.core.scope().base().catalog.current
    return sorted(
        (file.path.rpartition("/")[0], file.sha256)
        for name, days in found.items()
        if not name.startswith("bronze")
        for version in days.values()
        for file in version.files
    )


def staged(ws: Path) -> list[Path]:
    return list((ws / "lake" / ".staging").iterdir())


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """What worker processes build."""
    ws = world(tmp_path_factory.mktemp("processes"))
    run(ws, None)
    found = built(ws)
    assert len(found) == 2 * DAYS
    return found


def test_a_run_over_a_cluster_gives_the_bytes_that_processes_give(
    cluster: DaskProcesses, expected: list[tuple[str, str]], tmp_path: Path
):
    ws = world(tmp_path)
    settings = (ws / FILE).read_text()
    (ws / FILE).write_text(settings.replace('# pool = "processes"', f'pool = "{cluster.pool}"'))
    assert load_config(ws / FILE).pool == cluster.pool
    before = (cluster.folder / "log").read_text().count("Receive client connection")
    run(ws, load_config(ws / FILE).pool)
    assert (cluster.folder / "log").read_text().count("Receive client connection") == before + 1
    assert (built(ws), staged(ws)) == (expected, [])
    with opened(ws, None) as workspace, Client(cluster.address) as client:
        workers = {name for (name,) in workspace.query("select distinct unnest(workers) from plans").rows}
        there = client.scheduler_info(n_workers=-1)["workers"].values()
        assert workers
        assert workers <= {str(one["name"]) for one in there}, "as the scheduler calls them"


def die_of_it(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return -number


def test_a_task_that_kills_its_workers_fails_alone_and_all_others_are_done(pool: ExecutorPool):
    done: dict[int, int] = {}
    with pytest.raises(TaskKilledError, match="given 3 died each time") as caught:
        for task, result in pool.run(die_of_it, range(1, 9)):
            done[task] = result
    assert done == {number: -number for number in range(1, 9) if number != 3}
    assert "run again: it resumes" in caught.value.mend
    assert dict(pool.run(abs, [-1])) == {-1: 1}


def refuse(number: int) -> int:
    raise WorkersDifferError("here", "worker", "duckdb", str(number), None)


def test_what_a_task_raises_comes_back_as_it_was(pool: ExecutorPool):
    with pytest.raises(WorkersDifferError, match="the worker of here has duckdb 7") as caught:
        list(pool.run(refuse, [7]))
    assert caught.value.mend


def sleep_and_tell(told: tuple[str, int]) -> int:
    time.sleep(0.3)
    Path(told[0], str(told[1])).touch()
    return os.getpid()


def test_what_is_queued_is_cancelled_when_nobody_waits_for_it(pool: ExecutorPool, tmp_path: Path):
    tasks = pool.run(sleep_and_tell, [(str(tmp_path), number) for number in range(40)])
    next(tasks)
    pool.kill()
    assert pool.was_killed
    time.sleep(1)
    assert len(list(tmp_path.iterdir())) < 10


def test_two_drivers_share_a_cluster(cluster: DaskProcesses, tmp_path: Path):
    """They are other clients: whoever calls the same function with the same task gets an answer of its own."""
    pools = [ExecutorPool(DaskCluster(cluster.address)) for _ in range(2)]
    tasks = [(str(tmp_path), number) for number in range(4)]
    runs = [iter(pool.run(sleep_and_tell, tasks)) for pool in pools]
    firsts = [next(one) for one in runs]
    rest = [list(one) for one in runs]
    assert [len(found) for found in rest] == [3, 3] and len(firsts) == 2
    for pool in pools:
        pool.close()


def test_a_scheduler_that_is_not_there_is_named_with_its_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(dask_pool, "CONNECT_SECONDS", 0.3)
    with pytest.raises(NoSchedulerError, match=r"at tcp://127\.0\.0\.1:1 does not answer") as caught:
        list(ExecutorPool(DaskCluster("tcp://127.0.0.1:1")).run(abs, [1]))
    assert "dask scheduler --port 1" in caught.value.mend
    with pytest.raises(NoTlsError, match="name no certificates"):
        list(ExecutorPool(DaskCluster("tls://127.0.0.1:1")).run(abs, [1]))


def test_a_worker_of_another_version_gets_no_task(tmp_path: Path):
    """One that finds another DuckDB installed."""
    other = tmp_path / "other" / "duckdb-1.0.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: duckdb\nVersion: 1.0.0\n")
    with dask_cluster(tmp_path / "c", workers=0) as cluster:
        cluster.start_worker({"PYTHONPATH": str(other.parent)})
        with pytest.raises(WorkersDifferError, match=r"worker tcp://\S+ of \S+ has duckdb 1\.0\.0, and here") as caught:
            list(ExecutorPool(DaskCluster(cluster.address)).run(sleep_and_tell, [(str(tmp_path), 1)]))
        assert f"duckdb=={versions_here()['duckdb']}" in caught.value.mend
    assert not (tmp_path / "1").exists()


def test_nor_one_that_came_later(pool: ExecutorPool, cluster: DaskProcesses):
    executor = pool.cluster.open()
    late: OnWorker[int, int] = OnWorker(abs, cluster.address, {**versions_here(), "pyarrow": "1.0.0"})
    with pytest.raises(WorkersDifferError, match="pyarrow"):
        executor.submit(late, -1).result()
    pool.cluster.close()


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def test_a_cluster_without_workers_and_one_whose_scheduler_goes_away_are_told_of(tmp_path: Path):
    with dask_cluster(tmp_path / "c", workers=0) as cluster:
        with pytest.raises(NoWorkersError, match="has had no worker for 0 seconds"):
            list(ExecutorPool(DaskCluster(cluster.address, patience=0.3)).run(abs, [1]))
        cluster.start_worker()
        pool = ExecutorPool(DaskCluster(cluster.address))
        tasks = pool.run(nap, [0.01, 60.0, 60.0])
        next(tasks)
        assert cluster.scheduler is not None
        cluster.scheduler.kill()
        began = time.monotonic()
        with pytest.raises(NoSchedulerError, match="has gone away"):
            next(tasks)
        assert time.monotonic() - began < 10


def test_a_run_that_finds_no_scheduler_says_so_on_one_line_and_resumes_without_one(
    expected: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(dask_pool, "CONNECT_SECONDS", 0.3)
    ws = world(tmp_path)
    settings = (ws / FILE).read_text()
    (ws / FILE).write_text(settings.replace('# pool = "processes"', 'pool = "dask:tcp://127.0.0.1:1"'))
    assert tradex(["-C", str(ws), "run", "--to", "2024-01-03"]) == 6
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in told[-2:]] == ["error", "mend"]
    assert "the scheduler at tcp://127.0.0.1:1 does not answer" in told[-2]
    assert not [line for line in told if "distributed" in line or "Traceback" in line]
    run(ws, None)
    assert built(ws) == expected


@pytest.mark.soak
def test_a_lake_in_s3_is_all_that_workers_share(
    expected: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """They have a cache and a staging of their own."""
    s3.moto().use(monkeypatch)
    monkeypatch.setenv(CACHE_HOME, str(tmp_path / "here"))
    ws, lake = world(tmp_path / "world"), open_lake(s3.fresh_url())
    (ws / "lake").rename(tmp_path / "none")
    with dask_cluster(tmp_path / "c", workers=0) as cluster:
        for _ in range(2):
            cluster.start_worker({CACHE_HOME: str(tmp_path / "there")})
        run(ws, cluster.pool, lake)
        assert find_unreferenced(opened(ws, None, lake).core.ledger, lake) == []
    assert not (ws / "lake").exists() and built(ws, lake) == expected
    assert (tmp_path / "there").exists() and not list(tmp_path.rglob("attempt-*"))


def deaf(number: int) -> int:
    raise TookTooLongError("it", number, "ask for less", goes_on=True)


@pytest.mark.soak
def test_a_worker_whose_task_does_not_end_ends_itself(pool: ExecutorPool, cluster: DaskProcesses):
    before = set(pool.cluster.open().map(sleep_and_tell, [(str(cluster.folder), number) for number in range(8)]))
    with pytest.raises(TookTooLongError):
        list(pool.run(deaf, [1]))
    time.sleep(6)
    after = set(pool.cluster.open().map(sleep_and_tell, [(str(cluster.folder), number) for number in range(8)]))
    assert len(before) == len(after) == 2 and len(before & after) == 1
    pool.cluster.close()


@pytest.mark.soak
def test_workers_share_nothing_with_the_driver_but_the_lake(
    expected: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Their folder for what is brought and staged is another one, as on another machine."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "here"))
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    ws = world(tmp_path / "world")
    lake = SqliteLake(f"sqlite://{tmp_path}/lake.db")
    (ws / "lake").rename(tmp_path / "none")
    with dask_cluster(tmp_path / "c", workers=0) as cluster:
        for _ in range(2):
            cluster.start_worker({"TMPDIR": str(tmp_path / "there")})
        run(ws, cluster.pool, lake)
        assert find_unreferenced(opened(ws, None, lake).core.ledger, lake) == []
    assert not (ws / "lake").exists() and built(ws, lake) == expected
    brought = {path.parent.parent.name for path in (tmp_path / "there").rglob("*.parquet")}
    assert "bronze_x_posts" in brought
    assert not list((tmp_path / "there").rglob("attempt-*")) and list(lake.staged()) == []


@pytest.mark.soak
def test_a_window_whose_worker_dies_before_it_tells_is_built_again(
    cluster: DaskProcesses, expected: list[tuple[str, str]], tmp_path: Path
):
    ws = world(tmp_path)
    once = tmp_path / "died"
    run(ws, cluster.pool, DeadlyLake(ws / "lake", deadly=SILVER, once=once))
    assert once.exists()
    assert (built(ws), staged(ws)) == (expected, [])
    with Workspace.open(ws) as workspace:
        unnamed = [item.what.path for item in find_unreferenced(workspace.core.ledger, workspace.core.lake)]
    assert [path.rpartition("/")[0] for path in unnamed] == [SILVER]


@pytest.mark.soak
def test_a_window_that_kills_its_workers_fails_alone_and_the_run_resumes_without_it(
    cluster: DaskProcesses, expected: list[tuple[str, str]], tmp_path: Path
):
    ws = world(tmp_path)
    with pytest.raises(TaskKilledError, match=r"silver_social_events 2024-01-02\.\.2024-01-02"):
        run(ws, cluster.pool, DeadlyLake(ws / "lake", deadly=SILVER))
    silver = {path.parent.name for path in (ws / "lake" / "silver_social_events").rglob("*.parquet")}
    assert silver == {"event_date=2024-01-01", "event_date=2024-01-03"}
    assert staged(ws) == []
    run(ws, cluster.pool)
    assert built(ws) == expected


@pytest.mark.soak
def test_a_run_whose_scheduler_dies_resumes_on_another(expected: list[tuple[str, str]], tmp_path: Path):
    ws = world(tmp_path)
    failed: list[TradexError] = []

    def drive(place: str) -> None:
        try:
            run(ws, place)
        except TradexError as error:
            failed.append(error)

    with dask_cluster(tmp_path / "one") as cluster:
        driver = threading.Thread(target=drive, args=[cluster.pool])
        driver.start()
        until = time.monotonic() + 60
        while not list((ws / "lake").glob("silver_social_events/*/*.parquet")) and time.monotonic() < until:
            time.sleep(0.01)
        assert cluster.scheduler is not None
        cluster.scheduler.kill()
        driver.join(60)
    (error,) = failed
    assert isinstance(error, EnvironmentFault) and error.code == "no-scheduler"
    with dask_cluster(tmp_path / "two") as cluster:
        run(ws, cluster.pool)
    assert built(ws) == expected


@pytest.mark.soak
def test_two_runs_at_once_share_a_cluster_and_one_worker_is_killed(expected: list[tuple[str, str]], tmp_path: Path):
    folders = [world(tmp_path / name) for name in ("one", "two")]
    with dask_cluster(tmp_path / "c", workers=3) as cluster:
        drivers = [threading.Thread(target=run, args=[ws, cluster.pool]) for ws in folders]
        for driver in drivers:
            driver.start()
        until = time.monotonic() + 60
        while not list((folders[0] / "lake").glob("silver_social_events/*/*.parquet")) and time.monotonic() < until:
            time.sleep(0.01)
        cluster.workers[0].kill()
        for driver in drivers:
            driver.join(120)
    assert [built(ws) for ws in folders] == [expected, expected]


def test_the_page_starts_a_cluster_with_options_that_dask_has():
    (block,) = blocks("docs/compute.md", "sh")
    (_, _, *scheduler), (_, _, *worker) = map(words, commands(block.text))
    assert dask_scheduler.main.make_context("scheduler", scheduler).params["port"] == "8786"
    told = dask_worker.main.make_context("worker", worker).params
    assert (told["scheduler"], told["nthreads"]) == ("tcp://scheduler.example:8786", 1)
