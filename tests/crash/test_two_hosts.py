"""Two hosts share ten backfills, and one of them dies in the middle: all of them end, and nothing is done twice.

A host is two worker processes with a home, caches and a workspace folder (with posts) of their own. What two hosts have
in common is a ledger in PostgreSQL, and a bucket.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.kit import s3, small
from tests.kit.lake import BRONZE, DATASETS, OF_THE_RUN, assert_same_rows, digests, events, projection, read_dataset
from tests.kit.stores import POSTGRES
from tests.kit.tree import ROOT
from tradex_ledger.config import FILE
from tradex_ledger.driving.lease import TTL_SECONDS
from tradex_ledger.keyed import CACHE_HOME, CONFIG_HOME
from tradex_ledger.workspace import Workspace

pytestmark = pytest.mark.soak

HOSTS = ("host-a", "host-b")
WORKERS = 2
DAYS = 14
SLACK_SECONDS = 15
"""What looking, opening and a busy machine may add to the length of a lease."""
POLICY: dict[str, Any] = {"runs_per_dataset": 2, "runs_in_all": 4, "window_partitions": 1, "signed": []}
"""Keys are no matter of it."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Host:
    """A host: its name, and the folder that it has to itself."""

    name: str
    home: Path

    @property
    def ws(self) -> Path:
        return self.home / "ws"

    def environment(self) -> dict[str, str]:
        """What its processes are told: nothing of the one that runs the tests, but where the bucket is."""
        kept = {name: value for name, value in os.environ.items() if name.startswith("AWS_") or name == "PATH"}
        temporary = self.home / "tmp"
        temporary.mkdir(exist_ok=True)
        return {**kept, "HOME": str(self.home), "TMPDIR": str(temporary), "LANG": "C.UTF-8"}

    def start(self) -> subprocess.Popen[bytes]:
        """A worker, in a session of its own, with what it starts."""
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.crash.host_process", self.name, str(self.ws)],
                cwd=ROOT, env=self.environment(), stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip


@contextmanager
def at_work(host: Host) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The workers of a host, for the length of the block."""
    found = [host.start() for _ in range(WORKERS)]
    try:
        yield found
    finally:
        signalled(found, signal.SIGKILL)
        for process in found:
            process.wait(60)


def signalled(workers: list[subprocess.Popen[bytes]], what: signal.Signals) -> None:
    """Send a signal to all processes of some workers, at once."""
    for process in workers:
        if process.poll() is None:
            os.killpg(process.pid, what)


def until(what: str, found: Callable[[], T | None], seconds: float) -> T:
    """Look again and again; returns what was found."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError(f"in {seconds} s: not {what}")


def deliver(ws: Path) -> None:
    """Two weeks of posts."""
    small.deliver(ws / "posts", days=DAYS)


def create(ws: Path, ledger: str = "sqlite:///ledger.db", lake: str = "lake") -> None:
    """A workspace over posts in its own folder, and run; then a post comes late."""
    deliver(ws)
    Workspace.create(ws, source=f"files:{ws / 'posts'}", ledger=ledger, lake=lake, actor="ana").close()
    settings = ws / FILE
    settings.write_text(settings.read_text().replace("# workers = 2", "workers = 1 #"))
    small.set_policy(ws, **POLICY)
    with Workspace.open(ws, actor="ana") as workspace:
        workspace.incremental.run(last=small.day(DAYS))
    come_late(ws)


def come_late(ws: Path) -> None:
    """A post of a day that Bronze was asked about long ago."""
    (ws / "posts" / "2024-01-15-late.jsonl").write_text(small.LATE, encoding="utf-8")


def request_ten(ws: Path) -> list[str]:
    """Ten approved backfills over days of all layers, that overlap; forced, so that each of them has work to do."""
    made: list[str] = []
    with Workspace.open(ws, actor="ana") as workspace:
        for number in range(10):
            order = {**small.FORCED, "dataset": DATASETS[number % len(DATASETS)], "allow_overlap": list(made)}
            made.append(small.request(workspace, small.day(2 + number // 2), small.day(8 + number // 2), **order))
    with Workspace.open(ws, actor="maria") as workspace:
        for run_id in made:
            workspace.backfills.approve(run_id)
    return made


def statuses(workspace: Workspace, made: list[str]) -> list[str]:
    found = {row["run_id"]: row["status"] for row in projection(workspace, "runs")}
    return [found[run_id] for run_id in made]


def held(workspace: Workspace, made: list[str]) -> dict[str, str]:
    """Which host holds which of these runs."""
    found = {run_id: workspace.ledger.leases.holder(run_id) for run_id in made}
    return {run_id: lease.host for run_id, lease in found.items() if lease}


def half_done(workspace: Workspace, host: str, made: list[str]) -> str | None:
    """A run that a host has built a part of, once it has brought another one to its end."""
    if not [e for e in events(workspace, "topic = 'backfill.completed'") if e["by"] == host and e["run_id"] in made]:
        return None
    for run_id, holder in held(workspace, made).items():
        if holder == host:
            topics = {event["topic"] for event in events(workspace, f"run_id = '{run_id}'")}
            if "run.partition_rebuilt" in topics and "run.published" not in topics:
                return run_id
    return None


def kill_in_the_middle(
    workspace: Workspace, host: Host, workers: list[subprocess.Popen[bytes]], made: list[str]
) -> str:
    """Kill all of a host while it is in the middle of a run; returns which. It is stopped to be looked at."""

    def caught() -> str | None:
        signalled(workers, signal.SIGSTOP)
        found = half_done(workspace, host.name, made)
        signalled(workers, signal.SIGKILL if found else signal.SIGCONT)
        return found

    return until("in the middle", caught, 120)


def drivers_of(workspace: Workspace, run_id: str) -> list[str]:
    """The hosts that drove a run, one after the other: they work under their names."""
    found = events(workspace, f"run_id = '{run_id}'")
    return [by for by, _ in groupby(event["by"] for event in found if event["by"] in HOSTS)]


def check_nothing_twice(workspace: Workspace, made: list[str]) -> None:
    """Each run published once, each partition of it once; no file is named twice, no post is in Bronze twice."""
    for topic in ("run.published", "backfill.completed"):
        assert Counter(e["run_id"] for e in events(workspace, f"topic = '{topic}'") if e["run_id"] in made) == Counter(
            made
        )
    history = [row for row in projection(workspace, "partition_history") if row["published_position"] is not None]
    keys = Counter((row["run_id"], row["dataset"], row["partition"]) for row in history if row["layer"] != "bronze")
    assert max(keys.values()) == 1
    assert {key[0] for key in keys} >= set(made)
    written = Counter(
        file["path"] for row in history if row["outcome"] in ("written", "appended") for file in row["files"]
    )
    assert max(written.values()) == 1
    posts = workspace.query(f"select count(*), count(distinct post_id) from {BRONZE}").rows
    assert posts[0][0] == posts[0][1] > 0


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Host, Host]]:
    """Two hosts; the first one made the workspace, the second one has got its settings."""
    s3.seaweed().use(monkeypatch)
    one, other = (Host(name, tmp_path / name) for name in HOSTS)
    with POSTGRES[0].fresh(tmp_path) as ledger:
        for variable, name in ((CACHE_HOME, "cache"), (CONFIG_HOME, "config")):
            monkeypatch.setenv(variable, str(tmp_path / name))
        create(one.ws, ledger, s3.fresh_url())
        deliver(other.ws)
        come_late(other.ws)
        shutil.copyfile(one.ws / FILE, other.ws / FILE)
        yield one, other


@pytest.mark.norm("N29")
@pytest.mark.norm("N39")
def test_two_hosts_share_ten_backfills_one_dies_and_all_end_as_on_one_host(hosts: tuple[Host, Host], tmp_path: Path):
    one, other = hosts
    with Workspace.open(one.ws, actor="ana") as workspace:
        made = request_ten(one.ws)
        with at_work(one) as first, at_work(other):
            lost = kill_in_the_middle(workspace, one, first, made)
            died = time.monotonic()
            until("taken over", lambda: held(workspace, [lost]).get(lost) == other.name, 120)
            took = time.monotonic() - died
            until("all ended", lambda: set(statuses(workspace, made)) == {"SUCCESS"}, 240)
        assert took < TTL_SECONDS + SLACK_SECONDS
        check_nothing_twice(workspace, made)
        drivers = {run_id: drivers_of(workspace, run_id) for run_id in made}
        assert drivers[lost] == [*HOSTS]
        assert all(by in ([HOSTS[0]], [HOSTS[1]], [*HOSTS]) for by in drivers.values()), "one holder at a time"
        print(f"{lost} was taken over after {took:.1f} s; driven by {sorted(drivers.values())}")
        found = digests(workspace)
        single = tmp_path / "single"
        create(single)
        with Workspace.open(single, actor="ana") as alone:
            for run_id in request_ten(single):
                assert alone.runs.drive(run_id).status == "SUCCESS"
            assert found == digests(alone)
            for name in DATASETS:
                without = OF_THE_RUN if name == BRONZE else ()
                assert_same_rows(
                    read_dataset(workspace, name, without=without), read_dataset(alone, name, without=without)
                )
