"""What questions cost beside how long the history is: ledgers of 100 k, 1 M and (`--large`) 10 M events, made in bulk.

Whole processes, CPU seconds and the peak of their memory. `--before DIR` asks a checkout of another commit the same
questions, by turns; `--postgresql` asks the same ledger in PostgreSQL by turns, from a copy of the workspace that has
its own caches (CPU seconds are those of the client; the server's are in the wall). Each ledger is asked on its own,
warm; "from zero" is the first question after all that is kept of answers was deleted, the segments there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks import made_ledger, measure

REASON = "X API outage of 3 to 8 March, INC-4211"
HOW = ("--no-override-state", "--reason", REASON, "--dry-run")


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
    days = ("2021-03-01", "2021-03-31") if events >= 100_000 else ("2023-12-01", "2023-12-31")
    month = ("--from", days[0], "--to", days[1], *HOW)
    middle = str(events // 2 + events // 80)
    return {
        'query "select 1"': ["query", "select 1"],
        "status": ["status"],
        "request of a month, --dry-run": ["backfill", "request", "temporal", "silver_social_events", *month],
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


def made(work: Path, events: int) -> Path:
    """A workspace with so many events."""
    workspace = work / f"{events}" / "workspace"
    if not workspace.exists():
        made_ledger.make(workspace.parent, events)
    return workspace


def measured_beside(work: Path, events: int, times: int) -> None:
    """Ask the same ledger in SQLite and in PostgreSQL by turns, and print what both cost."""
    from tests.kit import stores  # what this process holds counts for the peaks of those that it starts

    here = made(work, events)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        there = shutil.copytree(here, Path(folder) / "workspace", ignore=shutil.ignore_patterns(".cache"))
        with stores.living(there, stores.POSTGRES[0], Path(folder)):
            lines = [("", "SQLite | PostgreSQL: CPU s; wall s", "wall / wall")]
            for workspace in (here, there):
                asked(measure.ROOT, workspace, ["status"])
            for name, words in questions(events).items():
                pairs = [[asked(measure.ROOT, workspace, words) for workspace in (here, there)] for _ in range(times)]
                lite, postgres = zip(*pairs, strict=True)
                ratio = measure.spread([theirs.wall / ours.wall for ours, theirs in pairs])
                lines.append((name, f"{_times(lite)} | {_times(postgres)}", ratio))
    measure.table(f"a ledger of {events:,} events, in SQLite and in PostgreSQL 18", lines)


def measured(work: Path, events: int, times: int, before: Path | None) -> None:
    """Ask a ledger of so many events, and print what it cost."""
    workspace = made(work, events)
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
    return f"{_times(found)}; {max(one.peak for one in found):,.0f}"


def _times(found: Sequence[Asked]) -> str:
    return f"{measure.spread([one.cpu for one in found])}; {measure.spread([one.wall for one in found])}"


def main() -> None:
    options = measure.parser(__doc__)
    options.add_argument("--large", action="store_true", help="10 M events, too: 12 GB of disk, some minutes to make")
    options.add_argument("--before", type=Path, help="a checkout of another commit, to be asked by turns")
    options.add_argument("--postgresql", action="store_true", help="the same ledgers in PostgreSQL, by turns")
    given = options.parse_args()
    sizes = [6_000] if given.quick else [100_000, 1_000_000, *([10_000_000] if given.large else [])]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with measure.folder(given.work) as work:
        for events in sizes:
            times = given.times or (1 if given.quick else 5)
            if given.postgresql:
                measured_beside(work, events, times)
            else:
                measured(work, events, times, given.before)


if __name__ == "__main__":
    main()
