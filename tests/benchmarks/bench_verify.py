"""What it costs to verify a ledger: `tradex audit verify --no-lake`, whole processes, of 1 M events (`--large`: 10 M).

Against a bare loop in one process that reads each entry and hashes it into the tree, and looks at nothing else; by
turns. The ledger is made in bulk, and has no files: what they cost is their hashing.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks import made_ledger, measure
from tradex_ledger.ledger.merkle import TILE_WIDTH, leaf_hashes, root

GOALS = {1_000_000: 4, 10_000_000: 45}
MB = 150


def bare(database: Path) -> None:
    """Read and hash: the least that anybody who verifies has to do."""
    roots, leaves = [], []
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        found = connection.execute("select entry from events order by position")
        while entries := [entry.encode() for (entry,) in found.fetchmany(TILE_WIDTH)]:
            leaves = leaf_hashes(entries)
            roots.append(root(leaves))
    print(json.dumps({"tiles": len(roots), "last": len(leaves)}))


def main() -> None:
    options = measure.parser(__doc__)
    options.add_argument("--large", action="store_true", help="10 M events, too")
    options.add_argument("--bare", type=Path, help="the loop alone, over this database")
    given = options.parse_args()
    if given.bare:
        bare(given.bare)
        return
    sizes = [20_000] if given.quick else [1_000_000, *([10_000_000] if given.large else [])]
    lines = [("", "median [min, max]", "goal")]
    with measure.folder(given.work) as work:
        for events in sizes:
            lines += _measured(work / f"verify-{events}", events, given.times or 3)
    measure.table("tradex audit verify --no-lake", lines)


def _measured(folder: Path, events: int, times: int) -> list[tuple[str, str, str]]:
    workspace = folder / "workspace"
    if not workspace.exists():
        folder.mkdir(parents=True)
        made_ledger.make(folder, events)
    ours, loops = [], []
    for _ in range(times):
        program = measure.run(str(measure.ROOT / "cli.py"), "-C", workspace, "audit", "verify", "--no-lake", "--json")
        assert program.out["size"] == events and not program.out["findings"], program.out
        ours.append(program)
        loops.append(measure.run(__file__, "--bare", workspace / "ledger.db"))
    load = f"load {os.getloadavg()[0]:.1f}"
    name = f"{events:,} events"
    cpu = [cost.cpu for cost in ours]
    return [
        (f"{name}: wall s", measure.spread([cost.wall for cost in ours]), f"≤ {GOALS.get(events, 4)} ({load})"),
        (f"{name}: CPU s", measure.spread(cpu), ""),
        (f"{name}: events a CPU second", measure.spread([events / one for one in cpu], 0), ""),
        (
            f"{name}: CPU, against the bare loop",
            measure.spread([o.cpu / b.cpu for o, b in zip(ours, loops, strict=True)]),
            "",
        ),
        (f"{name}: peak of all processes, MB (PSS)", measure.spread([cost.peak.pss for cost in ours], 0), f"≤ {MB}"),
        (f"{name}: the same as RSS", measure.spread([cost.peak.rss for cost in ours], 0), ""),
    ]


if __name__ == "__main__":
    main()
