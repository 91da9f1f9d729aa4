"""A worker catches up what follows the ledger and is behind, with no command typed: after a crash, after a failure."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.feeds import told
from tests.kit import mirrored, small
from tests.kit.receiver import receiver
from tests.kit.tree import ROOT
from tradex_ledger.attempts import failed
from tradex_ledger.config import FILE
from tradex_ledger.feeds.follow import LONGEST_PAUSE_S
from tradex_ledger.mirrors.catch_up import CatchUp
from tradex_ledger.mirrors.keep import Synced

_SECONDS = 60


def published_without_mirrors(ws: Path) -> None:
    """What is left by who died between his publication and the mirrors."""
    settings = ws / FILE
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.partition("[mirrors.")[0], encoding="utf-8")
    with small.reopen(ws) as workspace:
        workspace.incremental.run(last=small.day(5))
    settings.write_text(text, encoding="utf-8")


def put_in_the_way(ws: Path) -> None:
    """From here on the catalog of the DuckLake cannot be opened."""
    catalog = mirrored.catalog_file(ws)
    catalog.rename(catalog.with_name("aside"))
    catalog.mkdir()


def take_away(ws: Path) -> None:
    """It can again, and is as it was."""
    catalog = mirrored.catalog_file(ws)
    catalog.rmdir()
    catalog.with_name("aside").rename(catalog)


@contextmanager
def worker(ws: Path) -> Iterator[Callable[[str], str]]:
    """A worker in a process of its own; what is yielded waits until it has said something, and returns all it said."""
    said = ws.parent / "said"
    call = [sys.executable, str(ROOT / "cli.py"), "-C", str(ws), "--as", "ana", "worker", "--poll-seconds", "0.2"]
    with said.open("wb") as file:
        process = subprocess.Popen(call, stdout=file, stderr=file)

    def wait_for(text: str) -> str:
        deadline = time.monotonic() + _SECONDS
        while True:
            so_far = " ".join(said.read_text(encoding="utf-8").split())
            if text in so_far:
                return so_far
            assert process.poll() is None and time.monotonic() < deadline, so_far
            time.sleep(0.05)

    try:
        yield wait_for
    finally:
        process.terminate()
        process.wait(_SECONDS)


def test_a_worker_catches_up_mirrors_and_receivers_that_come_back(ws: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(told.VARIABLE, told.SECRET)
    published_without_mirrors(ws)
    with receiver() as there:
        there.answers = [500, 500]
        told.subscribe(ws, "desk", there.url)
        put_in_the_way(ws)
        with worker(ws) as wait_for:
            wait_for("the mirror tables is caught up")
            wait_for("the mirror lakehouse is behind, and tried again: the catalog of the mirror lakehouse cannot be")
            time.sleep(1.5)  # the second attempt fails, too, and is not told
            take_away(ws)
            wait_for("desk takes what it is told again")
            so_far = wait_for("the mirror lakehouse is caught up: it is as of position")
        with small.reopen(ws) as workspace:
            end = workspace.ledger.position()
    assert so_far.count("lakehouse is behind") == 1
    assert [int(one.id.rpartition("-")[2]) for one in there.taken] == list(range(1, end + 1))
    once = mirrored.held(ws)
    with small.reopen(ws) as workspace:
        assert not any(one.behind or one.problem or one.failed for one in workspace.mirrors.all())
        assert not any(one.failed for one in workspace.feeds.all())
        workspace.mirrors.rebuild()
    assert mirrored.held(ws) == once


def test_attempts_come_less_and_less_often_and_never_stop(ws: Path):
    published_without_mirrors(ws)
    setting = mirrored.mirrors(ws)["ducklake"]
    now, tries = [0.0], list[float]()
    with small.reopen(ws) as workspace:
        core = workspace.core
        mirrors = CatchUp(core.ledger, core.lake, ws, core.clock, lambda: now[0])
        put_in_the_way(ws)
        for second in range(2000):
            now[0] = float(second)
            before = len(tries)
            found = mirrors.look([setting])
            assert bool(found) == (second == 0)
            known = failed(ws, setting.follower, core.ledger.id)
            if known is not None and known.tries > before:
                tries.append(second)
        take_away(ws)
        assert tries[:9] == [0, 1, 3, 7, 15, 31, 63, 127, 255]
        assert {later - at for at, later in itertools.pairwise(tries[9:])} == {LONGEST_PAUSE_S}
        assert mirrors.look([setting]) == []  # it is not tried yet
        now[0] += LONGEST_PAUSE_S
        ((of, done),) = mirrors.look([setting])
        assert of == setting and isinstance(done, Synced) and done.steps > 0
        assert mirrors.look([setting]) == []
