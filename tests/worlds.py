"""Worlds that tests begin with: made once a session, for all its processes, and copied.

    ws = worlds.copied(tmp_path)                          # a week of made-up posts, all of it run
    ws = worlds.copied(tmp_path, days=5, until=None)      # posts of five days, nothing run yet
    ws = worlds.copied(tmp_path, pipeline=True, anomaly_min_rows=0)
    ws = worlds.copied(tmp_path, thin=True)               # without the Gold of Gold, where a rule asks for none

Making one costs a second of two cores, copying it a fiftieth. The workspace is `ws` in the given folder and its source
`posts` beside it, which the settings name by a link inside the workspace: so no path of the original is in a copy.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import made_ledger
from tests.kit import small
from tradex_ledger.config import FILE
from tradex_ledger.workspace import BUILT_IN, Workspace

ROOM = "TRADEX_TEST_WORLDS"
"""Where the worlds of a session are, in the environment."""
GOLD_OF_GOLD = ("gold_baselines", "gold_signals")
"""What is built of Gold: a third of what a run costs."""
LONG = made_ledger.LEAST
RAN = datetime(2024, 1, 31, 12, tzinfo=UTC)
"""When a world was run: before whatever is done in its copies."""


def made(name: str, make: Callable[[Path], object]) -> Path:
    """The folder that `make` fills, once a session, whoever of its processes comes first. Look at it only."""
    room = Path(os.environ[ROOM])
    room.mkdir(exist_ok=True)
    world = room / name
    with (room / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = room / f"{name}.done"  # what failed half way is no world
        if not done.exists():
            shutil.rmtree(world, ignore_errors=True)
            world.mkdir()
            make(world)
            done.touch()
    return world


def copied(
    to: Path,
    *,
    days: int = 7,
    posts_per_day: int = 6,
    until: int | None = 8,
    pipeline: bool = False,
    thin: bool = False,
    **policy: Any,
) -> Path:
    """A workspace `ws` of one's own in a folder, over `days` days of posts from 1 January, and run up to `until`, a
    day that is not in it.

    With `pipeline` its definitions are its own, in `ws/pipeline`, with `thin` they are less by `GOLD_OF_GOLD`; `policy`
    is on record. Returns the folder of `ws`.
    """
    asked = repr((days, posts_per_day, until, pipeline, thin, sorted(policy.items())))

    def make(folder: Path) -> None:
        small.deliver(folder / "posts", days=days, posts_per_day=posts_per_day)
        ws = folder / "ws"
        if pipeline or thin:
            define(ws / "pipeline", without=GOLD_OF_GOLD if thin else ())
        create(folder, pipeline="pipeline" if pipeline or thin else None, from_start=thin, **policy)
        if until is not None:
            with Workspace.open(ws, actor="ana", clock=small.Ticking(RAN)) as workspace:
                workspace.incremental.run(last=small.day(until - 1))

    return copy(f"week-{hashlib.sha256(asked.encode()).hexdigest()[:16]}", make, to)


def long(seed: int = 7) -> Path:
    """The workspace of a ledger of `LONG` events, of a month of made-up ones and a true run. Look at it only."""
    return (
        made(f"long-{seed}", lambda folder: made_ledger.make(folder / "made", LONG, seed=seed)) / "made" / "workspace"
    )


def define(pipeline: Path, *, without: Collection[str] = ()) -> None:
    """The definitions that come with the package as a pipeline of one's own, but for those."""
    shutil.copytree(BUILT_IN, pipeline, ignore=shutil.ignore_patterns(*(f"{name}.sql" for name in without)))


def copy(name: str, make: Callable[[Path], object], to: Path) -> Path:
    """The same of any world: `make` fills a folder with `posts` and, by `create`, `ws`. Returns the folder of `ws`."""
    shutil.copytree(made(name, make), to, symlinks=True, dirs_exist_ok=True)
    return to / "ws"


def create(folder: Path, **options: Any) -> Path:
    """A workspace `ws` in a folder that can be copied with `posts` beside it; options as `small.create` has them."""
    ws = folder / "ws"
    small.create(ws, f"files:{folder / 'posts'}", **options).close()
    (ws / "posts").symlink_to(Path("..", "posts"))
    settings = ws / FILE
    text = settings.read_text(encoding="utf-8")
    named = text.replace(f'"files:{ws.parent / "posts"}"', '"files:posts"')
    assert named != text
    settings.write_text(named, encoding="utf-8")
    return ws
