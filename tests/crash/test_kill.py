"""`kill -9` of the driver and of its workers, at moments that nobody chose, until the run is done all the same."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil
import pytest

from tests import worlds
from tests.crash import lakes
from tests.kit.check import check_everything
from tests.kit.contents import Contents, contents, published
from tradex_ledger.pipelines.x.demo.posts import deliver_days, write_month
from tradex_ledger.workspace import Workspace

N_DAYS, POSTS_A_DAY = 31, 60
OUTAGE = lakes.days(3, 12)
GONE_SECONDS = 10


@dataclass(frozen=True)
class Story:
    """A workspace before a run, the driver's arguments, and what is there before it and after it."""

    template: Path
    arguments: tuple[str, ...]
    before: Contents
    after: Contents


@dataclass
class Killer:
    """Starts drivers and kills them, or one of their workers, after a random time; counts what it did."""

    folder: Path
    arguments: tuple[str, ...]
    random: Random
    longest_seconds: float
    kills: dict[str, int] = field(default_factory=lambda: {"driver": 0, "worker": 0})

    def total(self) -> int:
        return sum(self.kills.values())

    def drive_and_kill(self, wanted: int, after_each: Callable[[], None]) -> bool:
        """Drive until the run is done (True), or until enough were killed (False)."""
        while self.total() < wanted:
            family: list[psutil.Process] = []
            with lakes.start_driver(self.folder, *self.arguments) as driver:
                done = self._kill_until_it_ends(driver, family, wanted)
            check_gone(family)
            after_each()
            if done:
                return True
        return False

    def _kill_until_it_ends(self, driver: subprocess.Popen[str], family: list[psutil.Process], wanted: int) -> bool:
        """Kill workers until it is the driver's turn (False), or until the driver is done (True)."""
        while True:
            try:
                _, error = driver.communicate(timeout=self.random.uniform(0.2, self.longest_seconds))
                assert driver.returncode == 0, error
                return True
            except subprocess.TimeoutExpired:
                family[:] = psutil.Process(driver.pid).children(recursive=True)
            workers = [process for process in family if is_worker(process)]
            if workers and self.total() < wanted and self.random.random() < 0.5:
                self.random.choice(workers).kill()
                self.kills["worker"] += 1
                continue
            driver.kill()
            self.kills["driver"] += 1
            return False


def is_worker(process: psutil.Process) -> bool:
    """A process of the pool, and not what Python keeps beside it."""
    try:
        return "multiprocessing.spawn" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def check_gone(family: list[psutil.Process]) -> None:
    """No worker outlives its driver for long."""
    _, alive = psutil.wait_procs(family, timeout=GONE_SECONDS)
    assert not alive, f"orphans: {alive}"


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Story]:
    """A month; an incremental run over its second half, and a backfill of ten days of outage."""
    root = tmp_path_factory.mktemp("stories")
    made = (lakes.SEED, lakes.START, N_DAYS, POSTS_A_DAY)
    write_month(root / "source", *made, outage=OUTAGE)
    # One dataset a layer: what is built of Gold is built as Gold is.
    worlds.define(root / "before-run" / "pipeline", without=worlds.GOLD_OF_GOLD)
    lakes.create(root / "before-run", root / "source", workers=2, window_partitions=4, pipeline="pipeline")
    with Workspace.open(root / "before-run") as workspace:
        workspace.incremental.run(last=lakes.day(15))
    deliver_days(root / "source", *made, OUTAGE)
    until = str(lakes.day(N_DAYS))
    run = undisturbed(root / "before-run", root / "before-backfill", ("run", until))
    with Workspace.open(root / "before-backfill") as workspace:
        backfill = lakes.request(workspace, 0, 12)
    drive = undisturbed(root / "before-backfill", root / "after-backfill", ("drive", backfill))
    return {"incremental": run, "backfill": drive}


def undisturbed(template: Path, folder: Path, arguments: tuple[str, ...]) -> Story:
    """Drive a copy of the template with nobody killed."""
    with Workspace.open(lakes.copy(template, folder)) as workspace:
        before = contents(workspace)
        _, error = (process := lakes.start_driver(folder, *arguments)).communicate()
        assert process.returncode == 0, error
        check_everything(workspace)
        return Story(template, arguments, before, contents(workspace))


def check_nothing_half_visible(story: Story, folder: Path) -> None:
    with Workspace.open(folder) as workspace:
        check_everything(workspace)
        assert published(contents(workspace)) in (published(story.before), published(story.after))


def kill_and_resume(story: Story, folder: Path, random: Random, *, kills: int, longest_seconds: float) -> Killer:
    """Kill up to so many times, then let it finish; the end must be that of the undisturbed run."""
    lakes.copy(story.template, folder)
    killer = Killer(folder, story.arguments, random, longest_seconds)
    if not killer.drive_and_kill(kills, lambda: check_nothing_half_visible(story, folder)):
        started = time.monotonic()
        process = lakes.start_driver(folder, *story.arguments)
        _, error = process.communicate(timeout=300)
        # A dead driver's lease would last half a minute; on the same host it is taken over at once.
        assert process.returncode == 0, f"after {time.monotonic() - started:.1f} s: {error}"
    with Workspace.open(folder) as workspace:
        check_everything(workspace)
        assert contents(workspace) == story.after
        assert workspace.incremental.unfinished() is None
        return killer


@pytest.mark.norm("N14")
@pytest.mark.norm("N39")
def test_a_run_whose_driver_and_workers_are_killed_ends_as_if_nothing_had_happened(
    stories: dict[str, Story], tmp_path: Path
):
    killer = kill_and_resume(stories["backfill"], tmp_path / "lake", Random(5), kills=3, longest_seconds=1.2)
    assert killer.total() >= 1


@pytest.mark.soak
def test_sixty_kills_change_nothing(stories: dict[str, Story], tmp_path: Path):
    wanted, seed = {"driver": 30, "worker": 15}, 0
    kills = {"driver": 0, "worker": 0}
    while sum(kills.values()) < 60 or any(kills[victim] < wanted[victim] for victim in wanted):
        story = stories["incremental" if seed % 2 else "backfill"]
        killer = kill_and_resume(story, tmp_path / str(seed), Random(seed), kills=12, longest_seconds=6)
        kills = {victim: kills[victim] + killer.kills[victim] for victim in kills}
        print(f"seed {seed}: {story.arguments[0]}, kills {killer.kills}, so far {kills}")
        seed += 1
