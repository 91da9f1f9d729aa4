"""What a lake in S3 costs beside one in a folder: run, backfill, questions; whole processes, by turns.

The store is SeaweedFS on this very machine, so that a request takes a millisecond; what it computes itself, as the
system counts it, is taken off the wall-clock time. The CPU time is that of the program alone.
"""

from __future__ import annotations

import os
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psutil

from tests.benchmarks import measure
from tests.benchmarks.bench_start import timed
from tests.kit import s3, small
from tradex_ledger.audit.query import query
from tradex_ledger.keyed import CACHE_HOME, CONFIG_HOME
from tradex_ledger.workspace import Workspace

GOAL = 1.5
REASON = "X API outage, files delivered late, INC-4211"


def server_seconds(store: s3.Store) -> float:
    """What the store has computed so far."""
    used = psutil.Process(store.process.pid).cpu_times()
    return float(used.user + used.system)


def story(work: Path, folder: Path, lake: str, days: int, store: s3.Store) -> dict[str, tuple[float, float]]:
    """Wall-clock seconds without the store's own, and CPU seconds, of each step."""
    until = small.FIRST + timedelta(days=days)
    clock = small.Ticking()
    Workspace.create(
        folder, source=f"files:{work / 'posts'}", lake=lake, start=small.FIRST, actor="ana", clock=clock
    ).close()
    tradex = (str(measure.ROOT / "cli.py"), "-C", str(folder), "--as", "ana")

    def step(*command: str) -> tuple[float, float]:
        before = server_seconds(store)
        wall, cpu = timed(*tradex, *command)
        return wall - (server_seconds(store) - before), cpu

    found = {"run": step("run", "--to", f"{until - timedelta(days=1)}", "--yes", "--clock-is-right")}
    with Workspace.open(folder, actor="ana") as workspace:
        backfill = small.request(
            workspace, small.FIRST, until - timedelta(days=1), kind="dataset", dataset="gold_metrics"
        )
        workspace.backfills.approve(backfill)
    found["backfill"] = step("backfill", "run", backfill)
    question = ("query", "select signal, count(*), avg(z) from gold_signals group by all")
    shutil.rmtree(work / "cache", ignore_errors=True)
    found["question, nothing in the cache"] = step(*question)
    found["question again"] = step(*question)
    with Workspace.open(folder, actor="ana") as workspace:
        ended = query(workspace.ledger.store, workspace.core.lake, "select status, rows from runs order by all").rows
        assert [status for status, _ in ended] == ["SUCCESS", "SUCCESS"], ended
    return found


def main() -> None:
    given = measure.parser(__doc__).parse_args()
    days, times = (10, 1) if given.quick else (90, given.times or 5)
    store = s3.seaweed()
    os.environ |= store.environment()
    taken: dict[str, list[dict[str, tuple[float, float]]]] = {"folder": [], "S3": []}
    with measure.folder(given.work) as work:
        os.environ |= {CONFIG_HOME: str(work / "config"), CACHE_HOME: str(work / "cache")}
        small.deliver(work / "posts", days=days, posts_per_day=200)
        for turn in range(times + 1):
            for place, lake in (("folder", "lake"), ("S3", s3.fresh_url())):
                costs = story(work, work / f"{place}-{turn}", lake, days, store)
                if turn:  # the first compiles
                    taken[place].append(costs)
    lines = [("", "median [min, max]", "goal")]
    for name in taken["folder"][0]:
        for kind, what in enumerate(("wall s", "CPU s")):
            ours, theirs = ([costs[name][kind] for costs in taken[place]] for place in ("S3", "folder"))
            ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
            lines.append((f"{name}, {what}, S3 / folder", measure.spread(ratios), ""))
            lines.append(("… seconds", f"{median(ours):.2f} / {median(theirs):.2f}", ""))
    for kind, what in enumerate(("wall s", "CPU s")):
        both = [[sum(cost[kind] for cost in costs.values()) for costs in taken[place]] for place in ("S3", "folder")]
        ratios = [one / other for one, other in zip(*both, strict=True)]
        lines.append((f"the story, {what}, S3 / folder", measure.spread(ratios), f"≤ {GOAL}"))
    measure.table(f"a lake in S3, {days} days of 200 posts; the store's own time is taken off", lines)


if __name__ == "__main__":
    main()
