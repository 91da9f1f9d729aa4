"""Small workspaces to crash: made once, copied for each attempt."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

from tests.kit.tree import ROOT
from tradex_ledger.domain.request import Request
from tradex_ledger.pipelines.x.demo.posts import Days
from tradex_ledger.workspace import Workspace

SEED = 11
START = date(2026, 1, 5)
REASON = "X API outage, files delivered late, INC-4211"


def day(number: int) -> date:
    """The n-th day of the made-up posts, from 0."""
    return START + timedelta(number)


def days(first: int, last: int) -> Days:
    """A range of days, both included."""
    return day(first), day(last)


def create(folder: Path, source: Path, *, workers: int, window_partitions: int, pipeline: str | None = None) -> None:
    """A fresh workspace over a folder of files, beginning at the first day."""
    Workspace.create(folder, source=f"files:{source}", start=START, pipeline=pipeline).close()
    settings = folder / "tradex.toml"
    found = settings.read_text()
    for name, value in (("workers", workers), ("window_partitions", window_partitions)):
        found, count = re.subn(rf"# {name} = \d+", f"{name} = {value}", found)
        assert count == 1, f"tradex.toml has no line for {name}"
    settings.write_text(found.replace("[policy]", "[policy]\nsigned = []", 1))  # keys are no matter of crashes
    with Workspace.open(folder) as workspace:  # what stands in the settings has effect once it is on record
        workspace.policy.set(reason="windows of a size to be crashed in, INC-4211")
        assert workspace.core.policy.window_partitions == window_partitions


def request(workspace: Workspace, first: int, last: int) -> str:
    """A temporal backfill of Bronze over days, requested and approved; its id."""
    backfill = workspace.backfills.request(
        Request(
            kind="temporal",
            dataset="bronze_x_posts",
            first=day(first),
            last=day(last),
            override_state=False,
            reason=REASON,
        )
    )
    workspace.backfills.approve(backfill.id)
    return backfill.id


def copy(template: Path, folder: Path) -> Path:
    """A workspace of one's own; the source is shared."""
    return Path(shutil.copytree(template, folder))


def start_driver(folder: Path, action: str, *arguments: str, gate: Path | None = None) -> subprocess.Popen[str]:
    """A process of its own that drives; see `tests/crash/driver_process.py`."""
    environment = {**os.environ, **({"TRADEX_TEST_GATE": str(gate)} if gate else {})}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.crash.driver_process", str(folder), action, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def dead_process() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
