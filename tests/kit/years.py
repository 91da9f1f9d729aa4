"""Many days of made-up posts in few files: what a ledger of years begins with."""

from __future__ import annotations

import gzip
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

from tradex_ledger.pipelines.x.demo.stream import day_of_posts


def write_years(folder: Path, seed: int, first: date, days: int, posts_per_day: int) -> list[Path]:
    """One file a month; nothing late, nothing broken. The same arguments give the same bytes."""
    months: defaultdict[str, list[bytes]] = defaultdict(list)
    for day in (first + timedelta(offset) for offset in range(days)):
        whole = [delivery.line for delivery in day_of_posts(seed, day, posts_per_day) if delivery.kind != "broken"]
        months[f"{day:%Y-%m}"] += whole
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / f"{month}.jsonl.gz", lines) for month, lines in months.items()]


def _write(path: Path, lines: list[bytes]) -> Path:
    with path.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
        packed.writelines(line + b"\n" for line in lines)
    return path
