"""Start-up: `tradex --version`, and `tradex status` on a ledger of 100,000 events; whole processes, modules compiled.

Also what each import costs, as the CPU time of a process that does nothing else.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks import made_ledger, measure

GOAL_VERSION, GOAL_STATUS = 0.2, 0.7
IMPORTS = (
    "tradex_ledger.cli.main",
    "duckdb",
    "pyarrow",
    "pyarrow, pyarrow.parquet, pyarrow.compute",
    "sqlalchemy",
    "eventsourcing.application",
    "rich.table",
    "tradex_ledger.workspace.opened",
    "tradex_ledger.workspace.opened, tradex_ledger.audit.look",
)


def timed(*command: str) -> tuple[float, float]:
    """Wall and CPU seconds of one process."""
    since = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=measure.environment(),
        cwd=measure.ROOT,
    )
    _, used = measure.waited(process)
    return time.perf_counter() - since, used.ru_utime + used.ru_stime


def main() -> None:
    given = measure.parser(__doc__).parse_args()
    events, times = (3_000, 3) if given.quick else (100_000, given.times or 9)
    cli = str(measure.ROOT / "cli.py")
    commands: dict[str, tuple[str, ...]] = {
        "python -c pass": ("-c", "pass"),
        "tradex --version": (cli, "--version"),
        **{f"import {names}": ("-c", f"import {names}") for names in IMPORTS},
    }
    with measure.folder(given.work) as work:
        made = work / "status"
        if not made.exists():
            made_ledger.make(made, events)
        commands["tradex status"] = (cli, "-C", str(made / "workspace"), "status")
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for turn in range(times + 1):
            for name, command in commands.items():
                cost = timed(*command)
                if turn:  # the first compiles
                    found[name].append(cost)
    goals = {"tradex --version": f"≤ {GOAL_VERSION}", "tradex status": f"≤ {GOAL_STATUS}"}
    lines = [("", "median [min, max]", "goal")]
    for name in ("tradex --version", "tradex status"):
        lines.append((f"{name}, wall s", measure.spread([wall for wall, _ in found[name]]), goals[name]))
        lines.append((f"{name}, CPU s", measure.spread([cpu for _, cpu in found[name]]), ""))
    for name in ("python -c pass", *(f"import {names}" for names in IMPORTS)):
        lines.append((f"{name}, CPU s", measure.spread([cpu for _, cpu in found[name]], 3), ""))
    measure.table(f"start-up; the ledger holds {events:,} events", lines)


if __name__ == "__main__":
    main()
