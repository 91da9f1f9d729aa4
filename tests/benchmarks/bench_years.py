"""Ten years: an incremental run, then backfills of 3,650 days: undisturbed, again, and killed half-way.

Late posts for every day are delivered before the first backfill and before the one that is killed (`kill -9`, the
driver), so both rebuild every partition; those in between find nothing changed. Each is a whole process, start-up
included; memory is the sum over the driver and its workers, sampled ten times a second.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks import measure
from tests.kit.rows import rows
from tests.kit.years import write_years
from tradex_ledger.domain.request import Request
from tradex_ledger.views import open_views, resolve
from tradex_ledger.workspace import Workspace

FIRST = date(2012, 1, 1)
POSTS_A_DAY, LATE_A_DAY = 40, 2
BRONZE, SILVER = "bronze_x_posts", "silver_social_events"
GOAL_SAME, GOAL_MB = 0.05, 1024


def deliver(folder: Path, days: int, *, late: int) -> None:
    """The posts of the years, or another helping of a few for every day."""
    part = folder / f"part-{late}"
    found = write_years(part, 11 + late, FIRST, days, LATE_A_DAY if late else POSTS_A_DAY)
    (folder / "delivered").mkdir(exist_ok=True)
    for file in found:
        file.rename(folder / "delivered" / f"{late}-{file.name}")


def incremental(folder: Path, days: int) -> dict[str, Any]:
    """The first run over all of it."""
    with Workspace.open(folder / "workspace", actor="bench") as ws:
        run = ws.incremental.run(last=FIRST + timedelta(days - 1))
        return {"id": run.id, "status": run.status}


def backfill(folder: Path, days: int, dataset: str = BRONZE) -> dict[str, Any]:
    """Request, approve and drive; or take up what an earlier process left."""
    heard: list[tuple[str, int, int]] = []

    def progress(stage: str, done: int, total: int) -> None:
        heard.append((stage, done, total))
        if not stage.startswith("bf-"):  # how far the run is follows what its stage says
            (folder / "progress").write_text(f"{stage} {done}/{total}")

    with Workspace.open(folder / "workspace", actor="bench") as ws:
        left = folder / "unfinished"
        since = time.perf_counter()
        if not left.exists():
            made = ws.backfills.request(
                Request(
                    kind="temporal",
                    dataset=dataset,
                    first=FIRST,
                    last=FIRST + timedelta(days - 1),
                    override_state=False,
                    reason="late posts of ten years, measured",
                )
            )
            ws.backfills.approve(made.id)
            left.write_text(made.id)
        planned = time.perf_counter() - since
        run = ws.runs.drive(left.read_text(), progress=progress)
        left.unlink()
        ends = [total == done for _, done, total in heard if total]
        return {
            "id": run.id,
            "status": run.status,
            "planning_s": planned,
            "progress_calls": len(heard),
            "stages": len({stage for stage, _, _ in heard}),
            "reached_its_total": any(ends),
        }


def outcome(folder: Path, run_id: str) -> dict[str, Any]:
    """What the projection says of a run."""
    with Workspace.open(folder / "workspace") as ws:
        views = open_views(ws.ledger.store, resolve(ws.ledger.store, None))
        return rows(views, "runs", "run_id = ?", run_id)[0]


def killed(folder: Path, size: list[str]) -> float:
    """Start a backfill and kill its driver in the middle of Silver; returns the seconds it had."""
    since = time.perf_counter()
    heard = folder / "progress"
    heard.unlink()
    process = measure.start(__file__, *size, "--part", "backfill", "--folder", folder)
    while not (heard.exists() and _is_half_way(heard.read_text())):
        if process.poll() is not None:
            raise SystemExit("the backfill ended before it could be killed")
        time.sleep(0.02)
    workers = measure.family(process.pid)[1:]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    had = time.perf_counter() - since
    while any(Path(f"/proc/{pid}").exists() for pid in workers):  # they end when they find their driver gone
        time.sleep(0.05)
    return had


def _is_half_way(text: str) -> bool:
    stage, _, counts = text.rpartition(" ")
    done, _, total = counts.partition("/")
    return stage == SILVER and total.isdecimal() and 2 * int(done) >= int(total)


def main() -> None:
    options = measure.parser(__doc__)
    options.add_argument("--part", choices=("incremental", "backfill", "silver"))
    options.add_argument("--folder", type=Path)
    given = options.parse_args()
    days = 120 if given.quick else 3_650
    if given.part:
        if given.part == "incremental":
            print(json.dumps(incremental(given.folder, days)))
        else:
            print(json.dumps(backfill(given.folder, days, SILVER if given.part == "silver" else BRONZE)))
        return
    size = ["--quick"] if given.quick else []
    with measure.folder(given.work) as work:
        lines = measured(work, days, size)
    measure.table(f"{days:,} days, {POSTS_A_DAY} posts a day, four datasets rebuilt", lines)


def measured(work: Path, days: int, size: list[str]) -> list[tuple[str, str, str]]:
    def whole(part: str) -> measure.Cost:
        cost = measure.run(__file__, *size, "--part", part, "--folder", work)
        assert cost.out["status"] == "SUCCESS", cost.out
        print(part, cost, flush=True)
        return cost

    deliver(work, days, late=0)
    Workspace.create(work / "workspace", source=f"files:{work / 'delivered'}", start=FIRST, actor="bench").close()
    first = whole("incremental")
    deliver(work, days, late=1)
    rebuilt = whole("backfill")
    facts = outcome(work, rebuilt.out["id"])
    assert facts["written"] >= 4 * days - 4 and facts["appended_rows"] > 0, facts
    again = whole("backfill")
    same = outcome(work, again.out["id"])
    assert same["written"] == 0 and same["appended_rows"] == 0, same
    derived = whole("silver")
    same = outcome(work, derived.out["id"])
    assert same["written"] == 0, same
    deliver(work, days, late=2)
    had = killed(work, size)
    before = (work / "progress").read_text()
    resumed = whole("backfill")
    facts = outcome(work, resumed.out["id"])
    assert facts["status"] == "SUCCESS" and facts["attempts"] > 1, facts
    peaks = [cost.peak for cost in (first, rebuilt, again, resumed)]
    return [
        ("", "measured", "goal"),
        ("incremental run, wall s / CPU s", f"{first.wall:.1f} / {first.cpu:.1f}", ""),
        (
            f"backfill of {facts['planned_partitions']:,} partitions, wall s / CPU s",
            f"{rebuilt.wall:.1f} / {rebuilt.cpu:.1f}",
            "",
        ),
        ("… of which request and plan, s", f"{rebuilt.out['planning_s']:.1f}", ""),
        ("… progress heard", f"{rebuilt.out['progress_calls']} times in {rebuilt.out['stages']} stages", ""),
        ("the same again, the source read again, wall s / CPU s", f"{again.wall:.1f} / {again.cpu:.1f}", ""),
        ("… / rebuilt, by CPU", f"{again.cpu / rebuilt.cpu:.3f}", f"≤ {GOAL_SAME}"),
        ("the same again from Silver on, wall s / CPU s", f"{derived.wall:.1f} / {derived.cpu:.1f}", ""),
        ("… / rebuilt, by CPU", f"{derived.cpu / rebuilt.cpu:.3f}", f"≤ {GOAL_SAME}"),
        (
            f"killed after {had:.0f} s ({before}), then resumed, wall s / CPU s",
            f"{resumed.wall:.1f} / {resumed.cpu:.1f}",
            "",
        ),
        ("peak memory, all processes, MB (PSS)", f"{max(peak.pss for peak in peaks):.0f}", f"≤ {GOAL_MB}"),
        ("… shared pages once for each (RSS)", f"{max(peak.rss for peak in peaks):.0f}", ""),
    ]


if __name__ == "__main__":
    main()
