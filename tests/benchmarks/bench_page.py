"""What `tradex serve` takes for pages over 100 k and 1 M events: first answer, pages new and again, streams, readers.

A whole process, asked over its port as a browser asks it, compressed; each figure is wall milliseconds with, behind it,
the CPU milliseconds that the server took meanwhile, which say more on a machine that others use. "New" is a page as of
a position that nobody has asked for.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks import made_ledger, measure

CLI = str(measure.ROOT / "cli.py")
STREAMS, READERS = 200, 50
SINCE, UNTIL = "2024-01-20", "2024-02-05"
"""Days of the made ledger of which there are files."""
REASON = "the API was down, its posts came in later, INC-7"


class Took(NamedTuple):
    """Wall and server's CPU, ms; the size of the page, and as it went over the line, KiB."""

    wall: float
    cpu: float
    whole: float
    sent: float


class Served:
    """A server of a workspace, and who is signed in to it."""

    def __init__(self, workspace: Path) -> None:
        self.since = time.perf_counter()
        command = [sys.executable, CLI, "-C", str(workspace), "--as", "maria", "serve"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=measure.environment())
        assert self.process.stdout is not None
        self.host, _, key = self.process.stdout.readline().strip().removeprefix("http://").partition("/")
        line = HTTPConnection(self.host, timeout=60)
        line.request("GET", f"/{key}")
        answer = line.getresponse()
        answer.read()
        self.headers = {
            "Cookie": (answer.getheader("set-cookie") or "").partition(";")[0],
            "Accept-Encoding": "gzip",
        }
        self.line = line
        self.memory = measure.Memory(self.process.pid)

    def ask(self, path: str) -> Took:
        """Ask for a page. Raises `SystemExit` when it is none."""
        cpu, since = self.cpu(), time.perf_counter()
        status, body = fetched(self.line, path, self.headers)
        wall = time.perf_counter() - since
        if status != 200:
            raise SystemExit(f"{path} was answered with {status}: {body[:300]!r}")
        whole = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        return Took(wall * 1000, (self.cpu() - cpu) * 1000, len(whole) / 1024, len(body) / 1024)

    def cpu(self) -> float:
        """Seconds of CPU that the server has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def position(self) -> int:
        """The newest position, as the page says it."""
        line = self.stream()
        found = line.readline() + line.readline()
        line.close()
        return int(found.rpartition(b":")[2])

    def stream(self) -> HTTPResponse:
        """Listen to what is live."""
        connection = HTTPConnection(self.host, timeout=60)
        connection.request("GET", "/live?after=0", headers=self.headers)
        return connection.getresponse()

    def end(self) -> measure.Peak:
        """End it; the most memory that it held."""
        peak = self.memory.stop()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)
        return peak


def fetched(line: HTTPConnection, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    line.request("GET", path, headers=headers)
    answer = line.getresponse()
    return answer.status, answer.read()


@contextmanager
def serving(workspace: Path) -> Iterator[Served]:
    """A server, which is ended."""
    served = Served(workspace)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.end()


def tradex(workspace: Path, *words: str, by: str = "ana") -> str:
    """A command, and what it printed."""
    command = [sys.executable, CLI, "-C", str(workspace), "--as", by, *words]
    done = subprocess.run(command, capture_output=True, text=True, env=measure.environment(), check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{command!r} ended with {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


def requested(workspace: Path) -> str:
    """A backfill that waits for an approval; of a ledger that is asked again, that of before."""
    if waits := rows_of(workspace, "select run_id from runs where status = 'PLANNED'"):
        return waits[0]
    words = ("temporal", "silver_social_events", "--from", SINCE, "--to", UNTIL, "--no-override-state")
    tradex(workspace, "backfill", "request", *words, "--reason", REASON)
    return rows_of(workspace, "select run_id from runs where status = 'PLANNED'")[0]


def rows_of(workspace: Path, sql: str) -> list[str]:
    """The values of a query, one behind another."""
    told = tradex(workspace, "query", "--format", "jsonl", sql)
    return [str(value) for line in told.splitlines() for value in json.loads(line).values()]


def pages(workspace: Path, waiting: str) -> dict[str, str]:
    """The pages, by what they are."""
    backfill, run = rows_of(workspace, OF_RUNS)
    return {
        "runs": "/runs",
        "a backfill of long ago": f"/runs/{backfill}",
        "a run of one day": f"/runs/{run}",
        "a request that waits": f"/runs/{waiting}",
        "datasets": "/datasets",
        "a dataset": "/datasets/gold_signals",
        "a day of Bronze": "/datasets/bronze_x_posts/2024-02-01",
        "a day of Gold, and why": "/datasets/gold_signals/2024-02-01",
        "log": "/log",
        "log, by a person": "/log?by=ben",
        "an event, with its proof": "/log/77",
        "table of runs": "/tables/runs",
        "days of before": "/?until=2024-01-15",
    }


OF_RUNS = (
    "select min(run_id) filter (run_kind = 'backfill' and status = 'SUCCESS') as a, "
    "max(run_id) filter (run_kind = 'incremental') as b from runs"
)


def told(found: Sequence[Took]) -> str:
    """Wall, and CPU behind it."""
    return f"{measure.spread([one.wall for one in found], 0)} ({measure.spread([one.cpu for one in found], 0)})"


def measured(work: Path, events: int, times: int, seconds: float) -> None:
    """Serve a ledger of so many events, ask it, and print what it took."""
    folder = work / f"page-{events}"
    workspace = folder / "workspace"
    if not workspace.exists():
        made_ledger.make(folder, events)
    tradex(workspace, "status")  # makes segments and all that is kept
    waiting = requested(workspace)
    asked = pages(workspace, waiting)
    starts, today, again, fresh = [], list[Took](), list[Took](), list[Took]()
    new: dict[str, list[Took]] = {name: [] for name in asked}
    kept: dict[str, list[Took]] = {name: [] for name in asked}
    peaks, weights = [], {}
    for turn in range(times):
        with serving(workspace) as served:
            today.append(served.ask("/"))
            starts.append(time.perf_counter() - served.since)
            again += [served.ask("/") for _ in range(3)]
            newest = served.position()
            fresh += [served.ask(f"/?at={newest - 1 - number - 5 * turn}") for number in range(5)]
            for name, path in asked.items():
                new[name].append(served.ask(path))
                kept[name].append(served.ask(path))
                weights[name] = new[name][0]
            peaks.append(served.end().rss)
    lines = [("", "wall ms, median [min, max] (CPU ms of the server)", "again; KiB sent")]
    lines.append(("start to first answer, s", measure.spread(starts), ""))
    lines.append(("Today, the first answer", told(today), f"{told(again)}; {today[0].sent:.0f}"))
    lines.append(("Today, at a new position", told(fresh), ""))
    lines += [(name, told(new[name]), f"{told(kept[name])}; {weights[name].sent:.0f}") for name in asked]
    lines.append(("most memory, MB (RSS)", measure.spread(peaks, 0), ""))
    measure.table(f"pages over {events:,} events", lines)
    many(workspace, waiting, asked, seconds)


def many(workspace: Path, waiting: str, asked: dict[str, str], seconds: float) -> None:
    """Streams that say nothing, then readers at once while a backfill runs."""
    with serving(workspace) as served:
        served.ask("/")
        streams = [served.stream() for _ in range(STREAMS)]
        for one in streams:
            one.readline()
        cpu, since = served.cpu(), time.perf_counter()
        time.sleep(min(seconds, 10))
        share = (served.cpu() - cpu) / (time.perf_counter() - since)
        served.line.close()  # it was not used for longer than a server waits
        beside = [served.ask("/") for _ in range(5)]
        for one in streams:
            one.close()
        tradex(workspace, "backfill", "approve", waiting, by="ben")
        driven = subprocess.Popen(
            [sys.executable, CLI, "-C", str(workspace), "--as", "ana", "backfill", "run", waiting],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=measure.environment(),
        )  # fmt: skip
        statuses, walls = read_at_once(served, ["/", *asked.values()], seconds)
        ended = driven.wait()
        peak = served.end()
    slow = quantiles(walls, n=20)[-1] if len(walls) > 1 else 0
    lines = [
        ("", "", ""),
        (f"{STREAMS} idle streams: share of a core", f"{share:.1%}", f"Today meanwhile {told(beside)}"),
        (f"{READERS} readers at once, {seconds:.0f} s", f"{len(walls)} answers, {dict(statuses)}", ""),
        ("… median and 95 % of them, ms", f"{median(walls):.0f}, {slow:.0f}", f"the backfill ended with {ended}"),
        ("… most memory, MB (RSS)", f"{peak.rss:.0f}", ""),
    ]
    measure.table("many at once", lines)


def read_at_once(served: Served, paths: Sequence[str], seconds: float) -> tuple[Counter[object], list[float]]:
    """Let many read whatever they like, for so long; how they were answered, and how fast."""
    until = time.perf_counter() + seconds
    statuses: Counter[object] = Counter()
    walls: list[float] = []

    def read(number: int) -> None:
        chance, line = random.Random(number), HTTPConnection(served.host, timeout=60)
        while time.perf_counter() < until:
            since = time.perf_counter()
            try:
                status, _ = fetched(line, chance.choice(paths), served.headers)
            except OSError as error:
                statuses[type(error).__name__] += 1
                line.close()
                continue
            walls.append((time.perf_counter() - since) * 1000)
            statuses[status] += 1

    threads = [threading.Thread(target=read, args=[number]) for number in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses, walls


def main() -> None:
    given = measure.parser(__doc__).parse_args()
    sizes = [6_000] if given.quick else [100_000, 1_000_000]
    with measure.folder(given.work) as work:
        for events in sizes:
            measured(work, events, given.times or (1 if given.quick else 3), 5 if given.quick else 60)


if __name__ == "__main__":
    main()
