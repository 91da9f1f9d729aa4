"""What the benchmarks share: whole processes measured from outside, medians with their noise, one table."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Peak(NamedTuple):
    """What a process and all below it held in memory together, in MB, each figure at its own worst moment.

    `pss` counts a page that several share once, in parts (Linux only; else it is `rss`), `rss` once for each of them.
    """

    pss: float
    rss: float


class Cost(NamedTuple):
    """What a whole process cost, its own worker processes included. `out` is the JSON it printed."""

    wall: float
    cpu: float
    peak: Peak
    out: Any


def parser(about: str | None) -> argparse.ArgumentParser:
    """Options that every benchmark has."""
    options = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    options.add_argument("--quick", action="store_true", help="a small size, to see that it works")
    options.add_argument("--work", type=Path, help="keep what was generated here, and use it again")
    options.add_argument("--times", type=int, help="repetitions")
    return options


@contextmanager
def folder(kept: Path | None) -> Iterator[Path]:
    """A folder to work in: the one to be kept, else one that is removed again."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    made = Path(tempfile.mkdtemp(prefix="tradex-bench-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def environment() -> dict[str, str]:
    """For the processes that are measured: the checkout on the path, and compiled modules, as a user has them."""
    found = {**os.environ, "PYTHONPATH": str(ROOT)}
    found.pop("PYTHONDONTWRITEBYTECODE", None)
    found["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / "tradex-bench-pycache")
    return found


def start(script: str, *args: object) -> subprocess.Popen[str]:
    """Run one of these scripts again as a process of its own, in the part that `args` name."""
    command = [sys.executable, script, *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT)


def finish(process: subprocess.Popen[str], since: float) -> Cost:
    """Wait for a process; CPU time is user + system of it and of all its children that ended."""
    assert process.stdout is not None
    sampled = Memory(process.pid)
    out = process.stdout.read()
    status, used = waited(process)
    if status:
        raise SystemExit(f"{process.args!r} ended with {status}")
    peak = sampled.stop()
    return Cost(time.perf_counter() - since, used.ru_utime + used.ru_stime, peak, json.loads(out or "null"))


def waited(process: subprocess.Popen[Any]) -> tuple[int, resource.struct_rusage]:
    """Wait for a process: its exit status, and what it and its children that ended have used."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used


def run(script: str, *args: object) -> Cost:
    """`start` and `finish`."""
    since = time.perf_counter()
    return finish(start(script, *args), since)


class Memory:
    """Samples what a process and its children hold in memory, and keeps the peak."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak = Peak(0.0, 0.0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._stop.wait(0.1):
            held = [_memory_mb(pid) for pid in family(self.pid)]
            pss, rss = (sum(one[kind] for one in held) for kind in (0, 1))
            self.peak = Peak(max(self.peak.pss, pss), max(self.peak.rss, rss))

    def stop(self) -> Peak:
        self._stop.set()
        self._thread.join()
        return self.peak


def family(pid: int) -> list[int]:
    """A process and all processes below it."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                waiting += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def _memory_mb(pid: int) -> Peak:
    """What one process holds; nothing when it has ended."""
    for name in ("smaps_rollup", "status"):
        try:
            lines = Path(f"/proc/{pid}/{name}").read_text().splitlines()
        except OSError:
            continue
        kb = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("Pss:", "Rss:", "VmRSS:"))}
        rss = kb.get("Rss", kb.get("VmRSS", 0)) / 1024
        return Peak(kb["Pss"] / 1024 if "Pss" in kb else rss, rss)
    return Peak(0.0, 0.0)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median, and in brackets the lowest and the highest."""
    return f"{median(values):,.{digits}f} [{min(values):,.{digits}f}, {max(values):,.{digits}f}]"


def machine() -> str:
    """On what this was measured."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("duckdb", "pyarrow", "sqlalchemy")]
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {', '.join(versions)}, SQLite {sqlite3.sqlite_version}"
    )


def table(title: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """Print figures beside their goals."""
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    print(f"\n{title}\n{machine()}\n")
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    sys.stdout.flush()
