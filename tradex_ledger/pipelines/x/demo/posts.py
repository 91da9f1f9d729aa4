"""Made-up deliveries of posts, as batches or as a folder of files, late arrivals and an outage included.

The outage is the first story of the product: the platform was down for some days, its posts come later, and
only a backfill can bring them in.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from tradex_ledger.pipelines.x.demo.stream import Delivery, Kind, day_of_posts, spikes

Days = tuple[date, date]


class Manifest(NamedTuple):
    """What was written: lines by what they are, `late` of them after the day their post was created.

    `lines` = `posts` + `duplicates` + `edits` + `broken`; `copies` (same author, same words, other link) are
    among the posts; `spikes` are the days and tickers that everybody talks about.
    """

    files: tuple[Path, ...]
    lines: int
    posts: int
    duplicates: int
    edits: int
    broken: int
    copies: int
    late: int
    spikes: tuple[tuple[date, str], ...]


def generate(seed: int, first: date, days: int, posts_per_day: int, outage: Days | None = None) -> Iterator[Delivery]:
    """All deliveries in order of their day, without those of the `outage` (its first and last day).

    A few per cent come one to three days late, so there are deliveries up to three days after the last day.
    """
    waiting: defaultdict[date, list[Delivery]] = defaultdict(list)
    for day in _days(first, days):
        for delivery in day_of_posts(seed, day, posts_per_day):
            waiting[delivery.delivery_day].append(delivery)
        yield from _outside(waiting.pop(day, []), outage)
    for day in sorted(waiting):
        yield from _outside(waiting[day], outage)


def _outside(deliveries: list[Delivery], outage: Days | None) -> Iterator[Delivery]:
    for delivery in deliveries:
        if outage is None or not outage[0] <= delivery.delivery_day <= outage[1]:
            yield delivery


def write_month(
    folder: Path, seed: int, first: date, days: int, posts_per_day: int, outage: Days | None = None
) -> Manifest:
    """Deliver everything, one file a delivery day, but leave out what fell into the outage."""
    deliveries = generate(seed, first, days, posts_per_day, outage)
    return _write_daily(folder, deliveries, _spikes(seed, first, days))


def deliver_days(folder: Path, seed: int, first: date, days: int, posts_per_day: int, delivery_days: Days) -> Manifest:
    """Deliver only the files of some delivery days, to let time pass between one run and the next."""
    start, end = delivery_days
    deliveries = (
        delivery for delivery in generate(seed, first, days, posts_per_day) if start <= delivery.delivery_day <= end
    )
    return _write_daily(folder, deliveries, _spikes(seed, first, days))


def _write_daily(folder: Path, deliveries: Iterable[Delivery], found: list[tuple[date, str]]) -> Manifest:
    batches: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        batches.setdefault(delivery.delivery_day.isoformat(), []).append(delivery)
    return _write(folder, batches, found)


def _write(folder: Path, batches: dict[str, list[Delivery]], found: list[tuple[date, str]]) -> Manifest:
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    kinds: list[Kind] = []
    late = 0
    for name, batch in batches.items():
        path = folder / f"{name}.jsonl.gz"
        _write_file(path, b"".join(delivery.line + b"\n" for delivery in batch))
        files.append(path)
        kinds += [delivery.kind for delivery in batch]
        late += sum(delivery.delivery_day > delivery.created_day for delivery in batch)
    return Manifest(
        files=tuple(files),
        lines=len(kinds),
        posts=sum(kind in ("post", "spike", "copy") for kind in kinds),
        duplicates=kinds.count("duplicate"),
        edits=kinds.count("edit"),
        broken=kinds.count("broken"),
        copies=kinds.count("copy"),
        late=late,
        spikes=tuple(found),
    )


def _write_file(path: Path, content: bytes) -> None:
    """Under another name first: whoever lists the folder meets whole files only."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
        packed.write(content)
    part.replace(path)


def _days(first: date, days: int) -> Iterator[date]:
    return (first + timedelta(offset) for offset in range(days))


def _spikes(seed: int, first: date, days: int) -> list[tuple[date, str]]:
    return [(day, ticker) for day in _days(first, days) for ticker in spikes(seed, day)]
