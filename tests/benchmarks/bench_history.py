"""What questions cost beside how long the history is: ledgers of 100 k, 1 M and (`--large`) 10 M events, made in bulk.

Whole processes, CPU seconds and the peak of their memory. `--before DIR` asks a checkout of another commit the same
questions, by turns. Each ledger is asked on its own, warm; "from zero" is the first question after all that is kept of
answers was deleted, the segments there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks import made_ledger, measure

REASON = "X API outage of 3 to 8 March, INC-4211"
MONTH = ("--from", "2021-03-01", "--to", "2021-03-31", "--no-override-state", "--reason", REASON, "--dry-run")


class Asked(NamedTuple):
    """What one process cost: seconds of wall and CPU, and the most memory that it held, MB (RSS)."""

    wall: float
    cpu: float
    peak: float


def asked(checkout: Path, workspace: Path, words: Sequence[str]) -> Asked:
    """Ask once. Raises `SystemExit` when there is no answer."""
    environment = {**measure.environment(), "PYTHONPATH": str(checkout)}
    command = [sys.executable, str(checkout / "cli.py"), "-C", str(workspace), *words]
    since = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    assert process.stderr is not None
    said = process.stderr.read()
    status, used = measure.waited(process)
    if status not in (0, 1):
        raise SystemExit(f"{command!r} ended with {status}: {said.decode()[-500:]}")
    return Asked(time.perf_counter() - since, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def questions(events: int) -> dict[str, list[str]]:
    """What is asked of a ledger, by name."""
    middle = str(events // 2 + 12_345)
    return {
        'query "select 1"': ["query", "select 1"],
        "status": ["status"],
        "request of a month, --dry-run": ["backfill", "request", "temporal", "silver_social_events", *MONTH],
        "propose, without the source": ["backfill", "propose", "--no-source"],
        "dataset show": ["dataset", "show", "gold_signals"],
        "state show": ["state", "show"],
        "runs as of the middle": ["query", "select count(*), sum(rows) from runs", "--as-of", middle],
        "partitions as of the middle": ["query", "select count(*), sum(rows) from partitions", "--as-of", middle],
    }


def forget(workspace: Path) -> None:
    """Delete what is kept of answers, and leave the segments."""
    for folder in workspace.glob(".cache/*/kept"):
        shutil.rmtree(folder)


def measured(work: Path, events: int, times: int, before: Path | None) -> None:
    """Ask a ledger of so many events, and print what it cost."""
    folder = work / f"{events}"
    workspace = folder / "workspace"
    if not workspace.exists():
        made_ledger.make(folder, events)
    asked(measure.ROOT, workspace, ["status"])  # makes segments, and all else that there is not yet
    forget(workspace)
    zero = asked(measure.ROOT, workspace, ["status"])
    lines = [("", "CPU s, median [min, max]; wall s; peak MB", "before")]
    lines.append(("all that is kept, from zero, and status", _cell([zero]), ""))
    for name, words in questions(events).items():
        now: list[Asked] = []
        then: list[Asked] = []
        for _ in range(times):
            now.append(asked(measure.ROOT, workspace, words))
            if before is not None:
                then.append(asked(before, workspace, words))
        lines.append((name, _cell(now), _cell(then) if then else ""))
    measure.table(f"a ledger of {events:,} events", lines)


def _cell(found: Sequence[Asked]) -> str:
    walls = measure.spread([one.wall for one in found])
    return f"{measure.spread([one.cpu for one in found])}; {walls}; {max(one.peak for one in found):,.0f}"


def main() -> None:
    options = measure.parser(__doc__)
    options.add_argument("--large", action="store_true", help="10 M events, too: 12 GB of disk, some minutes to make")
    options.add_argument("--before", type=Path, help="a checkout of another commit, to be asked by turns")
    given = options.parse_args()
    sizes = [6_000] if given.quick else [100_000, 1_000_000, *([10_000_000] if given.large else [])]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with measure.folder(given.work) as work:
        for events in sizes:
            measured(work, events, given.times or (1 if given.quick else 5), given.before)


if __name__ == "__main__":
    main()
