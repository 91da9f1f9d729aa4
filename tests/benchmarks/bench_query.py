"""What it costs that files are held against their digests: `tradex query` over many files, whole processes, by turns.

`--no-verify` looks at sizes only, as releases before did; the first reading hashes every file, the next ones go by what
was verified.
"""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks import measure
from tests.benchmarks.bench_start import timed
from tests.kit import small
from tradex_ledger.keyed import CACHE_HOME, CONFIG_HOME
from tradex_ledger.workspace import Workspace

GOAL = 1.05
STATEMENTS = {
    "a count of Silver": "select count(*) from silver_social_events",
    "all of the signals": "select * from gold_signals",
}


def main() -> None:
    given = measure.parser(__doc__).parse_args()
    days, times = (20, 3) if given.quick else (365, given.times or 9)
    lines = [("", "median [min, max]", "goal")]
    with measure.folder(given.work) as work:
        folder = work / "ws"
        if not folder.exists():
            small.deliver(work / "posts", days=days, posts_per_day=20)
            small.create(folder, f"files:{work / 'posts'}").close()
            until = small.FIRST + timedelta(days=days)
            clock = small.Ticking(datetime(until.year + 1, 1, 1, tzinfo=UTC))
            with Workspace.open(folder, actor="ana", clock=clock) as workspace:
                workspace.incremental.run(last=until - timedelta(1), far_ahead=True)
        os.environ |= {CONFIG_HOME: str(work / "config"), CACHE_HOME: str(work / "cache")}
        for name, sql in STATEMENTS.items():
            command = (str(measure.ROOT / "cli.py"), "-C", str(folder), "query", sql)
            found: dict[str, list[tuple[float, float]]] = {}
            for turn in range(times + 1):
                shutil.rmtree(work / "cache", ignore_errors=True)
                for how, more in (("first", ()), ("verified", ()), ("not verified", ("--no-verify",))):
                    cost = timed(*command, *more)
                    if turn:  # the first compiles, and makes the caches
                        found.setdefault(how, []).append(cost)
            for how, costs in found.items():
                lines.append((f"{name}, {how}, wall s", measure.spread([wall for wall, _ in costs]), ""))
                lines.append((f"{name}, {how}, CPU s", measure.spread([cpu for _, cpu in costs]), ""))
            pairs = zip(found["verified"], found["not verified"], strict=True)
            ratios = [verified / before for (_, verified), (_, before) in pairs]
            lines.append((f"{name}, CPU of verified to not verified", measure.spread(ratios), f"≤ {GOAL}"))
        n_files = sum(1 for _ in (folder / "lake").rglob("*.parquet"))
    measure.table(f"tradex query, {days} days, {n_files} files in the lake", lines)


if __name__ == "__main__":
    main()
