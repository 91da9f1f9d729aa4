"""What it costs to write the whole read side into a file: ledgers of 100 k, 1 M and (`--large`) 10 M events.

Whole processes of `tradex projection rebuild`, with the caches there are after a first question: CPU seconds, wall
seconds, the most memory held, and how large the file is. `--ledger DIR` takes a workspace that is there.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks import made_ledger, measure
from tests.benchmarks.bench_history import Asked, asked

GOAL = "10 M: <= 40 s"


def measured(workspace: Path, target: Path, times: int) -> tuple[list[Asked], int]:
    """Write the file so many times; what each cost, and the bytes of the last."""
    asked(measure.ROOT, workspace, ["query", "select count(*) from runs"])  # makes what is kept, if it is not there
    found, size = [], 0
    for _ in range(times):
        target.unlink(missing_ok=True)
        found.append(asked(measure.ROOT, workspace, ["projection", "rebuild", "-o", str(target)]))
        size = target.stat().st_size
    target.unlink()
    return found, size


def main() -> None:
    options = measure.parser(__doc__)
    options.add_argument("--large", action="store_true", help="10 M events, too: 15 GB of disk, some minutes to make")
    options.add_argument("--ledger", type=Path, action="append", default=[], help="a workspace that is there")
    given = options.parse_args()
    sizes = [6_000] if given.quick else [100_000, 1_000_000, *([10_000_000] if given.large else [])]
    lines = [("", "CPU s, median [min, max]; wall s; peak MB; file MB", "goal")]
    with measure.folder(given.work) as work:
        workspaces = {str(path): path for path in given.ledger}
        for events in [] if workspaces else sizes:
            folder = work / f"{events}"
            if not (folder / "workspace").exists():
                made_ledger.make(folder, events)
            workspaces[f"{events:,} events"] = folder / "workspace"
        for name, workspace in workspaces.items():
            found, size = measured(workspace, work / "read-side.duckdb", given.times or (1 if given.quick else 3))
            cpu, wall = (measure.spread([getattr(one, kind) for one in found]) for kind in ("cpu", "wall"))
            peak = max(one.peak for one in found)
            lines.append((name, f"{cpu}; {wall}; {peak:,.0f}; {size / 1e6:,.0f}", GOAL))
    measure.table("all events and projections into one DuckDB file", lines)


if __name__ == "__main__":
    main()
