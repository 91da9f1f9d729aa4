"""Ctrl-C, SIGTERM and SIGHUP, to the process and to its group, end whatever is under way, in one line."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import psutil
import pytest

from tests.kit.check import check_everything
from tests.kit.tree import CLI
from tradex_ledger.pipelines.x.demo.posts import write_month
from tradex_ledger.pool.processes import ProcessPool
from tradex_ledger.workspace import Workspace

FIRST, LAST = date(2024, 1, 1), "2024-01-14"
BOUND_S = 10.0  # two seconds are promised; a loaded machine takes its time to say that a process has ended
LINES = {
    signal.SIGINT: "interrupted (Ctrl-C): what was done is on record, and the same command resumes",
    signal.SIGTERM: "interrupted (SIGTERM): what was done is on record, and the same command resumes",
    signal.SIGHUP: "interrupted (SIGHUP): what was done is on record, and the same command resumes",
}
ENDLESS = "select count(*) from range(100000000) a, range(100000000) b where (a.range * b.range) % 7 = 3"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    write_month(folder / "posts", 7, FIRST, 14, 250)
    Workspace.create(folder / "ws", source=f"files:{folder / 'posts'}", start=FIRST).close()
    settings = folder / "ws" / "tradex.toml"
    text = settings.read_text(encoding="utf-8")
    for name, value in (("workers", 2), ("window_partitions", 2), ("batch_mb", 1)):
        text, count = re.subn(rf"# {name} = \d+", f"{name} = {value}", text)
        assert count == 1
    settings.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def ws(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template / "ws", tmp_path / "ws"))


def listening() -> None:
    """As a shell starts a command, whatever the tests were started by."""
    for number in LINES:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@contextmanager
def started(ws: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A call in a group of its own, as a shell makes one."""
    process = subprocess.Popen(
        [sys.executable, str(CLI), "-C", str(ws), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=listening,  # noqa: PLW1509 - no other thread is at work here
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def until(condition: object, seconds: float = 60.0) -> None:
    """Wait until something holds."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def topics(ws: Path) -> set[str]:
    with closing(sqlite3.connect(ws / "ledger.db", timeout=10)) as connection:
        return {row[0] for row in connection.execute("select distinct topic from events")}


def leases(ws: Path) -> list[str]:
    with closing(sqlite3.connect(ws / "ledger.db", timeout=10)) as connection:
        tables = {row[0] for row in connection.execute("select name from sqlite_master")} & {"leases", "holds"}
        return [row[0] for table in tables for row in connection.execute(f"select name from {table}")]


def ended(process: subprocess.Popen[str], number: signal.Signals, *, group: bool = False, times: int = 1) -> str:
    """Send the signal, and see the process end as it should; returns what it said on stderr."""
    family = psutil.Process(process.pid).children(recursive=True)
    began = time.monotonic()
    for n in range(times):
        if n:
            time.sleep(0.3)
        if process.poll() is None:
            (os.killpg if group else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < BOUND_S
    assert process.returncode == 128 + number, said
    assert said.splitlines().count(LINES[number]) == 1, said
    for word in ("Traceback", "resource_tracker", "Exception ignored", "leaked", "error:"):
        assert word not in said, said
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive, "orphans"
    return said


STAGES = {
    signal.SIGINT: "run.batch_appended",
    signal.SIGTERM: "run.layer_started",
    signal.SIGHUP: "run.partition_rebuilt",
}
CASES = [(number, group) for number in LINES for group in (False, True)]


@pytest.mark.parametrize(("number", "group"), CASES, ids=lambda value: str(getattr(value, "name", value)))
def test_a_run_with_busy_workers_ends_gives_its_lease_back_and_resumes(ws: Path, number: signal.Signals, group: bool):
    with started(ws, "run", "--to", LAST) as process:
        until(lambda: STAGES[number] in topics(ws))
        ended(process, number, group=group)
    assert leases(ws) == []
    assert topics(ws).isdisjoint({"incremental_run.failed", "run.layer_failed"})
    if (number, group) == CASES[1]:
        with started(ws, "run", "--to", LAST) as process:
            process.communicate(timeout=120)
            assert process.returncode == 0
        with Workspace.open(ws) as workspace:
            check_everything(workspace)


@pytest.mark.parametrize("delay", [0.15, 0.3, 0.5, 0.8])
def test_a_call_that_is_only_being_loaded_ends_as_quietly(ws: Path, delay: float):
    with started(ws, "run", "--to", LAST) as process:
        time.sleep(delay)
        ended(process, signal.SIGINT, group=True)
    assert leases(ws) == []


def test_a_second_one_ends_it_at_once(ws: Path):
    with started(ws, "run", "--to", LAST) as process:
        until(lambda: "run.layer_started" in topics(ws))
        ended(process, signal.SIGINT, group=True, times=2)
    assert leases(ws) == []


def test_a_wait_for_the_database_is_cut_off(ws: Path):
    """SQLite waits for a lock for half a minute, and hears nothing."""
    with closing(sqlite3.connect(ws / "ledger.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        with started(ws, "run", "--to", LAST) as process:
            time.sleep(1.5)
            assert process.poll() is None
            ended(process, signal.SIGINT)


def test_a_query_ends(ws: Path):
    with started(ws, "query", ENDLESS) as process:
        time.sleep(1.5)
        assert process.poll() is None
        ended(process, signal.SIGTERM)


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_query_that_hears_nothing_ends(ws: Path, more: list[str]):
    """The engine works at one value, and hears nothing."""
    deaf = "select list_sum(list_transform(range(100000000), lambda x: sqrt(x::double) + sin(x::double)))"
    with started(ws, "query", deaf, *more) as process:
        time.sleep(2.5)
        assert process.poll() is None
        ended(process, signal.SIGINT)


def test_a_worker_that_waits_ends_and_says_one_document_with_json(ws: Path):
    with started(ws, "worker", "--poll-seconds", "3600") as process:
        assert process.stderr
        assert any("waiting for approved" in line for line in process.stderr)
        ended(process, signal.SIGHUP)
    with started(ws, "query", ENDLESS, "--json") as process:
        time.sleep(1.5)
        os.kill(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, json.loads(out)["error"]["code"]) == (130, "interrupted")


def test_what_was_started_to_outlive_its_terminal_does(ws: Path):
    """`nohup`: a signal that is ignored when the command starts stays ignored."""
    script = 'trap "" HUP; exec "$0" "$1" -C "$2" worker --poll-seconds 0.1'
    process = subprocess.Popen(
        ["sh", "-c", script, sys.executable, str(CLI), str(ws)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listening,  # noqa: PLW1509 - as above
    )
    try:
        assert process.stderr
        assert any("waiting for approved" in line for line in process.stderr)
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(BOUND_S) == 143
    finally:
        process.kill()
        process.communicate()


def test_the_workers_of_a_pool_die_with_the_interruption_of_a_python_program():
    """Without the command line, too: nobody waits for a task that goes on for an hour."""
    pool = ProcessPool(2)
    began = time.monotonic()
    tasks = pool.run(time.sleep, [0.01, 3600.0, 3600.0])
    next(tasks)
    workers = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
    assert workers
    pool.kill()
    _, alive = psutil.wait_procs(workers, timeout=5)
    assert (alive, time.monotonic() - began < 60) == ([], True)
