"""What the printed part of a report says in short; what is long stands folded in the file, and is named there by its
size and digest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from typing import Any

from tradex_ledger.audit.draw.grid import marks, plan_grid
from tradex_ledger.audit.draw.svg import cut
from tradex_ledger.audit.draw.times import Bar, life, work
from tradex_ledger.audit.lived import MOST_DAYS, bars_of, cells_of, spans_of, steps_of
from tradex_ledger.audit.report_facts import built
from tradex_ledger.audit.report_words import Fact, begins, days, named, text_of
from tradex_ledger.ledger.entry import Entry

STEPS, DAYS = 4, 31
"""Steps of a life, and days, beside each other on a sheet."""
STRIPS, LINES, SAMPLES, WINDOWS = 3, 44, 6, 24
"""So many strips of days, lines of events, changed rows and windows are printed; the others are folded."""
_LONGEST, _SHORTEST = 94, 24
"""Characters of an event that stand on one line."""
_CELL = 110
"""Characters of what a row was."""
_FINE = 400
"""Bars closer than that part of all the work are drawn as one."""
_REBUILT, _APPENDED = "run.partition_rebuilt", "run.batch_appended"
_SAID = {
    "backfill.requested": ("ticket", "kind", "dataset", "first", "last"),
    "backfill.planned": ("digest",),
    "backfill.approved": ("rule", "comment", "hold", "plan_digest"),
    "backfill.completed": (),
    "incremental_run.started": ("cursor_from", "cursor_to"),
    "incremental_run.succeeded": (),
    "run.layer_started": ("layer", "attempt"),
    "run.layer_completed": ("layer", "partitions", "rows", "duration_ms"),
    "run.layer_failed": ("layer", "attempt", "message"),
    "run.anomaly_detected": ("dataset", "partition", "observed", "expected", "rule"),
    "run.published": (),
    "dataset.published": ("logic_version", "partitions", "rows"),
    "dataset.reverted": ("logic_version", "partitions"),
    "source.looked": ("source",),
}
"""What of an event is said on its one line; of others all that fits."""
_dataset, _day, _changed, _what = map(itemgetter, ("dataset", "day", "changed", "what"))
_position, _hash = map(itemgetter, ("position", "hash"))
_SHORT = {"digest", "plan_digest"}


def brief(own: Sequence[Entry], told: Sequence[Entry], status: str) -> Fact:
    """What is told of a run beside its facts: pictures of its `own` events, a line each of those that are `told`."""
    lines = list(_lines(own[0].stream, told))
    over = max(0, len(lines) - LINES)
    kept = len(lines) - over
    return {
        **_pictures(own, status),
        "lines": lines[: kept - kept // 3] if over else lines,
        "last_lines": lines[len(lines) - kept // 3 :] if over else [],
        "lines_between": over,
        "most": WINDOWS,
    }


def _pictures(own: Sequence[Entry], status: str) -> Fact:
    cells, bars = cells_of(own), bars_of(own)
    rows = list(dict.fromkeys([*(span.dataset for span in spans_of(own)), *(dataset for dataset, _ in cells)]))
    begin = min((day for _, day in cells), default=None)
    strips = []
    for number in range(0, MOST_DAYS, DAYS):
        within = {key: what for key, what in cells.items() if begin and number <= (key[1] - begin).days < number + DAYS}
        strips += [plan_grid(rows, within)] if within else []
    last = max((span.last for span in spans_of(own)), default=None)
    drawn = max((day for _, day in cells), default=None)
    return {
        "life": life(steps_of(own, status), STEPS),
        "work": work(_joined(bars)) if bars else None,
        "begins": begins((bar.workers, bar.is_told) for bar in bars),
        "strips": strips[:STRIPS],
        "more_strips": strips[STRIPS:],
        "legend": marks(cells),
        "not_drawn": f"{drawn}" if drawn and last and last > str(drawn) else None,
    }


def _joined(bars: Sequence[Bar]) -> list[Bar]:
    """Bars of a row that nobody could tell apart are one."""
    if not bars:
        return []
    found: list[Bar] = []
    rows = list(dict.fromkeys(bar.row for bar in bars))
    least = (max(bar.end for bar in bars) - min(bar.begin for bar in bars)) / _FINE
    for bar in sorted(bars, key=lambda one: (rows.index(one.row), one.begin)):
        last = found[-1] if found else None
        if last and last.row == bar.row and len(bars) > DAYS and bar.begin - last.end < least:
            found[-1] = last._replace(
                end=max(last.end, bar.end),
                days=last.days + bar.days,
                workers=tuple(sorted({*last.workers, *bar.workers})),
                is_told=last.is_told and bar.is_told,
            )
        else:
            found.append(bar)
    return found


def _lines(run: str, told: Sequence[Entry]) -> Iterator[Fact]:
    """A line an event; what was built of one dataset, one after the other, is one."""
    for (topic, _), found in groupby(
        told, key=lambda e: (e.topic, e.data.get("dataset") if _is_built(e) else e.position)
    ):
        some = list(found)
        first, last = some[0], some[-1]
        about = "" if first.stream == run else first.stream
        yield Fact(
            position=first.position if len(some) == 1 else f"{first.position}–{last.position}",
            day=first.at[:10],
            at=first.at[11:19],
            by=first.by,
            topic=topic,
            stream=about,
            said=cut(
                built([one.data for one in some]) if _is_built(first) else _told(first),
                max(_LONGEST - len(topic) - len(about), _SHORTEST),
            ),
        )


def _is_built(entry: Entry) -> bool:
    return entry.topic in (_REBUILT, _APPENDED)


def _told(entry: Entry) -> str:
    names = _SAID.get(entry.topic)
    data = entry.data if names is None else {name: entry.data.get(name) for name in names}
    data = {name: value for name, value in data.items() if value is not False}
    short = {name: text_of(value)[:16] if name in _SHORT and value else value for name, value in data.items()}
    return ", ".join(f"{name} {text}" for name, text in named(short))


def summed(partitions: Iterable[Fact]) -> list[Fact]:
    """What changed, a line a dataset."""
    found, by_dataset = [], dict[str, list[Fact]]()
    for one in partitions:
        by_dataset.setdefault(_dataset(one), []).append(one)
    for dataset, some in by_dataset.items():
        there = sorted(text_of(_day(one)) for one in some)
        keyed = [_changed(one) for one in some if _changed(one) != ""]
        found.append(
            Fact(
                dataset=dataset,
                days=days(there[0], there[-1]),
                count=len(some),
                changed=sum(keyed) if keyed else "",
                **{name: sum(one[name] or 0 for one in some) for name in ("before", "after", "gone", "new")},
            )
        )
    return found


def chosen(samples: Sequence[Fact]) -> list[Fact]:
    """Some rows of as many datasets as there are: what they changed from says more than that they are new, or gone."""
    by_dataset: dict[str, list[Fact]] = {}
    for one in [one for one in samples if _what(one) == "changed"] or samples:
        by_dataset.setdefault(_dataset(one), []).append(one)
    each = max(1, SAMPLES // max(1, len(by_dataset)))
    some = [one for found in by_dataset.values() for one in found[:each]][:SAMPLES]
    return [one | {name: cut(one[name], _CELL) for name in ("key", "before", "after")} for one in some]


def weighed(text: str) -> Fact:
    """A text with its size and digest, by which it is known on paper."""
    content = text.encode()
    return Fact(text=text, bytes=len(content), sha256=sha256(content).hexdigest())


def leaves(some: Iterable[Any]) -> Fact:
    """Positions and hashes as one text, a line each."""
    return weighed("".join(f"{_position(one)}  {_hash(one)}\n" for one in some))
