"""Everybody at once on a bad day: eight processes do deeds, and processes, clocks and the disk fail under them.

`make stress` runs it for an hour (TRADEX_STRESS_MINUTES). Posts arrive day by day, one day of them late. Eight loops
call the program: incremental runs, requests of every kind, decisions, drives, a worker, reverts and cancels, gc and
proposals, readers. Meanwhile calls are killed with `kill -9`, stopped for longer than a lease lasts and woken again,
interrupted; clocks are off by minutes, hours or days; the disk is full for moments. No call may end in a traceback, a
broken ledger or an exit status of its own making; no reader may see a post twice. At the end, when all has been
delivered and built, everything that must hold of a ledger holds, and the content is that of a lake which had all posts
from the start.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from tests.crash import lakes
from tests.kit.check import check_everything
from tests.kit.contents import contents, with_rows
from tests.kit.tree import ROOT
from tradex_ledger.domain.request import Request
from tradex_ledger.driving.lease import TTL_SECONDS
from tradex_ledger.pipelines.x.demo.posts import deliver_days, write_month
from tradex_ledger.workspace import Workspace

MINUTES = float(os.environ.get("TRADEX_STRESS_MINUTES", "60"))
SEED = int(os.environ.get("TRADEX_STRESS_SEED", "1"))
N_DAYS, POSTS_A_DAY = 40, 40
MADE = (lakes.SEED, lakes.START, N_DAYS, POSTS_A_DAY)
LATEST = 3  # a post is delivered at most so many days after it was created
ROOM_MB = 96
STARTED_S = 5  # what Python itself says when it is interrupted while it starts is not ours to word
ENDINGS = {0, 1, 2, 3, 4, 5, 6, 129, 130, 143, -signal.SIGKILL, -signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP}
SHIFTS = (-7200, -90, -5, 5, 90, 7200)
FAR_SHIFTS = (-3 * 86400, 3 * 86400)
DATASETS = ("bronze_x_posts", "silver_social_events", "gold_metrics", "gold_baselines", "gold_signals", "gold")
REASON = ("--reason", "Stress, INC-4711")
TWICE = "select post_id, revision, count(*) as n from bronze_x_posts group by all having count(*) > 1"


@dataclass
class World:
    """The workspace under stress, what is delivered of it, and what came of each call."""

    folder: Path
    source: Path
    random: Random
    end: float
    delivered: int = 4
    calls: dict[int, subprocess.Popen[str]] = field(default_factory=dict)
    endings: Counter[str] = field(default_factory=Counter)
    blows: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def goes_on(self) -> bool:
        return time.monotonic() < self.end and not self.problems

    def tradex(self, by: str, *arguments: str, calm: bool = False) -> tuple[int, str]:
        """One call of the program by somebody; its exit status and what it printed."""
        environment = {**os.environ, **({} if calm else self.weather())}
        call = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.shaken_process", "-C", str(self.folder), "--as", by, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with self.lock:
            self.calls[call.pid] = call
        try:
            output, error = call.communicate(timeout=900)
        except subprocess.TimeoutExpired:
            self.problem(arguments, call, "", "it went on for a quarter of an hour")
            call.kill()
            return -9, ""
        finally:
            with self.lock:
                self.calls.pop(call.pid, None)
        self.judge(arguments, call, output, error)
        return call.returncode, output

    def judge(self, arguments: tuple[str, ...], call: subprocess.Popen[str], output: str, error: str) -> None:
        """Count how a call ended; what no call may do is a problem."""
        words = [word for word in arguments if word != "--json"][: 1 if "query" in arguments else 2]
        with self.lock:
            self.endings[f"{' '.join(words)}: {call.returncode}"] += 1
        # 7 is a broken ledger; what Python or its helpers say by themselves is nobody's sentence.
        # What is killed with -9 gives nothing back, and Python's own tracker of semaphores says so for it.
        leaked = "leaked" in error and call.returncode != -signal.SIGKILL
        if call.returncode not in ENDINGS or "Traceback" in error or leaked:
            self.problem(arguments, call, output, error)

    def problem(self, arguments: tuple[str, ...], call: subprocess.Popen[str], output: str, error: str) -> None:
        with self.lock:
            self.problems.append(f"{arguments} ended with {call.returncode}\n{output[-2000:]}\n{error[-6000:]}")

    def weather(self) -> dict[str, str]:
        """What is wrong with the machine for one call, if anything."""
        chance, weather = self.random.random(), {}
        if chance < 0.12:
            far = self.random.random() < 0.1
            weather["TRADEX_TEST_SHIFT"] = str(self.random.choice(FAR_SHIFTS if far else SHIFTS))
            self.blows["clock off"] += 1
        elif chance < 0.18:
            weather["TRADEX_TEST_ROOM"] = str(self.random.choice((1, 4096, 40_000, 400_000)))
            self.blows["no room for a file"] += 1
        return weather

    def runs(self, *statuses: str) -> list[dict[str, Any]]:
        """Backfills with one of these statuses."""
        status, output = self.tradex("maria", "--json", "backfill", "list", "--limit", "200", calm=True)
        found = json.loads(output) if status == 0 else []
        rows: list[dict[str, Any]] = found["rows"] if isinstance(found, dict) else found
        return [row for row in rows if row["status"] in statuses]

    def some(self, *statuses: str) -> str | None:
        found = self.runs(*statuses)
        # The newest half of the time: it is the one that nothing stands on yet.
        return str((found[0] if self.random.random() < 0.5 else self.random.choice(found))["run_id"]) if found else None

    def some_days(self) -> tuple[str, ...]:
        first = self.random.randint(0, max(0, self.delivered - 2))
        last = min(first + self.random.randint(0, 9), self.delivered - 1)
        return ("--from", str(lakes.day(first)), "--to", str(lakes.day(last)))


# -- who does what


def run_pipeline(world: World) -> None:
    world.tradex("timer", "run", "--to", str(lakes.day(world.delivered - 2)))
    time.sleep(world.random.uniform(0, 4))


def request(world: World) -> None:
    kind = world.random.choice(("temporal", "temporal", "temporal", "dataset", "logical", "forced"))
    dataset = world.random.choice(DATASETS[:5] if kind == "temporal" else DATASETS[1:5])
    days = () if kind == "dataset" and world.random.random() < 0.5 else world.some_days()
    forced = ("--ticket", "INC-4712") if kind == "forced" else ()
    review = ("--review",) if world.random.random() < 0.15 else ()
    arguments = (kind, dataset, *days, *forced, *review)
    world.tradex("ana", "backfill", "request", *arguments, "--no-override-state", *REASON)
    time.sleep(world.random.uniform(0, 6))


def decide(world: World) -> None:
    if found := world.some("PLANNED"):
        if world.random.random() < 0.8:
            world.tradex("boss", "backfill", "approve", found)
        else:
            world.tradex("boss", "backfill", "reject", found, *REASON)
    time.sleep(world.random.uniform(0, 3))


def drive(world: World) -> None:
    if found := world.some("APPROVED", "RUNNING", "FAILED"):
        world.tradex("maria", "backfill", "run", found)
    time.sleep(world.random.uniform(0, 2))


def work(world: World) -> None:
    world.tradex("worker", "worker", "--once")
    time.sleep(world.random.uniform(0, 3))


def interfere(world: World) -> None:
    deed, statuses = world.random.choice(
        (
            ("revert", ("SUCCESS",)),
            ("cancel", ("APPROVED", "RUNNING", "FAILED", "HELD")),
            ("pause", ("RUNNING",)),
            ("resume", ("PAUSED",)),
            ("release", ("HELD",)),
        )
    )
    if found := world.some(*statuses):
        world.tradex("boss", "backfill", deed, found, *(REASON if deed != "resume" else ()))
    time.sleep(world.random.uniform(1, 6))


def tidy(world: World) -> None:
    if world.random.random() < 0.6:
        world.tradex("maria", "lake", "gc", "--delete", "--reason", "left by crashes of the stress")
    else:
        world.tradex("ana", "backfill", "propose", *(("--submit",) if world.random.random() < 0.5 else ()))
    time.sleep(world.random.uniform(1, 6))


def read(world: World) -> None:
    status, output = world.tradex("auditor", "--json", "query", TWICE)
    if status == 0 and json.loads(output)["rows"]:
        world.problems.append(f"a reader saw posts twice: {output[:2000]}")
    world.tradex("auditor", "status")
    world.tradex("auditor", "--json", "audit", "log", "--limit", "20")
    time.sleep(world.random.uniform(0, 4))


LOOPS: tuple[Callable[[World], None], ...] = (run_pipeline, request, decide, drive, work, interfere, tidy, read)


# -- what befalls them


def strike(world: World) -> None:
    """Kill, stop, or interrupt one of the calls, or one of its workers, at a moment that nobody chose."""
    time.sleep(world.random.uniform(0.5, 4))
    with world.lock:
        victims = list(world.calls)
    if not victims:
        return
    victim, kind = world.random.choice(victims), world.random.random()
    with suppress(psutil.Error, ProcessLookupError):
        process = psutil.Process(victim)
        children = process.children(recursive=True)
        if kind < 0.45:
            world.blows["kill -9"] += 1
            process.kill()
        elif kind < 0.6 and children:
            world.blows["kill -9 of a worker"] += 1
            world.random.choice(children).kill()
        elif kind < 0.75 and time.time() - process.create_time() > STARTED_S:
            world.blows["interrupted"] += 1
            os.killpg(victim, world.random.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)))
        elif kind >= 0.75:
            world.blows["stopped beyond its lease"] += 1
            threading.Thread(target=stop_and_wake, args=(process, TTL_SECONDS * 1.3), daemon=True).start()


def stop_and_wake(process: psutil.Process, seconds: float) -> None:
    with suppress(psutil.Error):
        process.suspend()
        time.sleep(seconds)
        process.resume()


def fill(world: World) -> None:
    """The disk is full for a moment; where the workspace has no disk of its own, files just cannot grow."""
    time.sleep(world.random.uniform(20, 60))
    if not os.path.ismount(world.folder.parent):
        return
    filler = world.folder.parent / "filler"
    world.blows["disk full"] += 1
    with suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(bytes(1 << 16))
            file.flush()
    time.sleep(world.random.uniform(1, 8))
    filler.unlink()


def deliver(world: World) -> None:
    """Time goes by: the posts of the next day come; every sixth day's files come four days late."""
    time.sleep(MINUTES * 60 * 0.85 / N_DAYS)
    if world.delivered < N_DAYS:
        number = world.delivered
        world.delivered += 1
        if number % 6 != 0:
            deliver_days(world.source, *MADE, lakes.days(number, number))
        if (number - 4) % 6 == 0 and number >= 4:
            deliver_days(world.source, *MADE, lakes.days(number - 4, number - 4))


def repeat(world: World, deed: Callable[[World], None]) -> threading.Thread:
    def loop() -> None:
        try:
            while world.goes_on():
                deed(world)
        except Exception as error:
            world.problems.append(f"{deed.__name__}: {error!r}")

    thread = threading.Thread(target=loop, name=deed.__name__)
    thread.start()
    return thread


# -- the end


def finish(world: World) -> None:
    """When the storm is over: everything delivered, whatever is open ended, all days built again."""
    deliver_days(world.source, *MADE, lakes.days(0, N_DAYS + LATEST))
    for row in world.runs("PLANNED"):
        assert world.tradex("boss", "backfill", "reject", row["run_id"], *REASON, calm=True)[0] == 0
    for row in world.runs("APPROVED", "RUNNING", "FAILED", "PAUSED", "HELD"):
        assert world.tradex("boss", "backfill", "cancel", row["run_id"], *REASON, calm=True)[0] == 0
    status, output = world.tradex("timer", "run", "--to", str(lakes.day(N_DAYS - 1)), calm=True)
    assert status == 0, output
    with Workspace.open(world.folder, actor="ana") as workspace:
        whole: dict[str, Any] = {"first": lakes.day(0), "last": lakes.day(N_DAYS - 1)}
        told: dict[str, Any] = {"override_state": False, "reason": "All was delivered, INC-4711"}
        backfill = workspace.backfills.request(Request(kind="temporal", dataset="bronze_x_posts", **whole, **told))
        workspace.backfills.approve(backfill.id)
        workspace.runs.drive(backfill.id)


def one_go(folder: Path, source: Path) -> dict[str, dict[str, str]]:
    """What a lake holds that had all posts from the start."""
    lakes.create(folder, source, workers=1, window_partitions=100)
    with Workspace.open(folder) as workspace:
        workspace.incremental.run(last=lakes.day(N_DAYS - 1))
        return with_rows(contents(workspace, without=["source"]))


@pytest.fixture
def disk(tmp_path: Path):
    """A small disk of its own where that can be had (by root), so that it can be filled."""
    room = tmp_path / "disk"
    room.mkdir()
    mounted = (
        os.geteuid() == 0
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={ROOM_MB}m", "tmpfs", room], check=False, capture_output=True
        ).returncode
        == 0
    )
    yield room
    if mounted:
        subprocess.run(["umount", "--lazy", room], check=False)


@pytest.mark.soak
def test_a_bad_day_of_everybody_leaves_a_whole_ledger_and_the_right_content(tmp_path: Path, disk: Path):
    source, folder = tmp_path / "source", disk / "lake"
    write_month(source, *MADE, outage=lakes.days(4, N_DAYS + LATEST))
    lakes.create(folder, source, workers=2, window_partitions=4)
    world = World(folder, source, Random(SEED), time.monotonic() + MINUTES * 60)
    threads = [repeat(world, deed) for deed in (*LOOPS, strike, fill, deliver)]
    while any(thread.is_alive() for thread in threads):
        time.sleep(5)
    print(f"\n{MINUTES:g} minutes, seed {SEED}: {sum(world.endings.values())} calls", *sorted(world.endings.items()))
    print("what befell them:", dict(world.blows))
    assert not world.problems, "\n".join(world.problems)
    finish(world)
    assert not world.problems, "\n".join(world.problems)
    with Workspace.open(folder) as workspace:
        record = check_everything(workspace)
        assert with_rows(contents(workspace, without=["source"])) == one_go(tmp_path / "scratch", source)
    print(f"{len(record.entries)} events; the content is that of a lake which had all from the start")
