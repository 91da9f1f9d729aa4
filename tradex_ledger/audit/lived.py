"""What pictures of a run are drawn of, by its own events alone: its life, its windows at work, its days.

So who checks a folder of evidence draws them again. The windows are those of the projection `plans`: a test holds it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from tradex_ledger.audit.draw.times import Bar, Step
from tradex_ledger.domain.day import date_of, day_of
from tradex_ledger.domain.facts import facts_of
from tradex_ledger.ledger.entry import Entry, parse_time

_STEPS = {
    "backfill.requested": ("asked", "good"),
    "incremental_run.started": ("started", "good"),
    "backfill.approved": ("approved", "good"),
    "backfill.rejected": ("rejected", "bad"),
    "backfill.expired": ("expired", "bad"),
    "backfill.paused": ("paused", "decide"),
    "backfill.resumed": ("resumed", "good"),
    "run.held": ("held", "decide"),
    "run.released": ("released", "good"),
    "backfill.failed": ("failed", "bad"),
    "incremental_run.failed": ("failed", "bad"),
    "backfill.cancelled": ("cancelled", "bad"),
    "incremental_run.cancelled": ("cancelled", "bad"),
    "run.published": ("published", "good"),
    "backfill.reverted": ("taken back", "bad"),
}
_TO_COME = {
    "PLANNED": "waits for an approval",
    "APPROVED": "waits for a worker",
    "RUNNING": "at work",
    "HELD": "waits for a release",
    "PAUSED": "waits to be resumed",
    "FAILED": "waits for somebody",
}
_REBUILT, _APPENDED = "run.partition_rebuilt", "run.batch_appended"
MOST_DAYS = 372
"""So many days of a run have cells, from its first on."""


class Span(NamedTuple):
    """Days of a dataset that a run is to build, or takes from its source."""

    dataset: str
    layer: str
    first: str
    last: str


class _Made(NamedTuple):
    dataset: str
    partition: str
    outcome: str = "appended"
    duration_ms: int | None = None
    layer: str = ""
    began_at: str | None = None
    worker: str | None = None


class _Asked(NamedTuple):
    dataset: str
    first: str = ""
    last: str = ""
    layers: Sequence[str] = ()


def steps_of(entries: Sequence[Entry], status: str) -> list[Step]:
    """The life of a run: who did what when; the first layer of each stretch of work is a step."""
    steps: list[Step] = []
    is_working = False
    for entry in entries:
        what, tone = _STEPS.get(entry.topic, (None, "good"))
        if entry.topic == "run.layer_started" and not is_working:
            what, is_working = "worked", True
        elif what is not None:
            is_working = False
        if what is not None and not (what == "published" and steps and steps[-1].what == what):
            steps.append(Step(what, entry.by, parse_time(entry.at), tone))
    waits = _TO_COME.get(status)
    return [*steps, *([Step(waits, "", None, "open")] if waits else [])]


def spans_of(entries: Sequence[Entry]) -> list[Span]:
    """Its windows in the order of the plan, behind them what it takes from its source."""
    found = []
    for entry in entries:
        if entry.topic in ("backfill.planned", "run.plan_extended"):
            found += [facts_of(Span, window) for window in entry.data.get("windows", ())]
    return [*_taken(entries), *found]


def _taken(entries: Sequence[Entry]) -> Iterator[Span]:
    """The days that were asked for; of an incremental run those that there was something of."""
    for entry in entries:
        if entry.topic == "backfill.requested":
            asked = facts_of(_Asked, entry.data)
            if "bronze" in asked.layers:
                yield Span(asked.dataset, "bronze", asked.first, asked.last)
                return
    taken: dict[str, list[str]] = {}
    for entry in entries:
        if entry.topic == _APPENDED:
            made = facts_of(_Made, entry.data)
            if is_of_days(made.dataset):
                taken.setdefault(made.dataset, []).append(made.partition)
    yield from (Span(dataset, "bronze", min(days), max(days)) for dataset, days in taken.items())


def is_of_days(dataset: str) -> bool:
    """Lines that are no rows are kept in datasets of their own, and are no part of a plan."""
    return "__" not in dataset


def bars_of(entries: Sequence[Entry]) -> list[Bar]:
    """Its windows at work: each from when its worker says that it began, or else from the end of its first save less
    the work that went into that."""
    built: dict[str, list[tuple[str, Entry]]] = {}
    saves: dict[tuple[str, str], int] = {}
    for entry in entries:
        if entry.topic in (_REBUILT, _APPENDED):
            made = facts_of(_Made, entry.data)
            built.setdefault(made.dataset, []).append((made.partition, entry))
            saves[made.dataset, entry.at] = saves.get((made.dataset, entry.at), 0) + (made.duration_ms or 0)
    for some in built.values():
        some.sort(key=lambda one: one[0])
    extracted = _extracted(entries)
    begun = {e.data.get("layer"): parse_time(e.at) for e in reversed(entries) if e.topic == _LAYER[0]}
    found = []
    for span in spans_of(entries):
        some = built.get(span.dataset, [])
        begin = bisect_left(some, span.first, key=lambda one: one[0])
        own = some[begin : bisect_right(some, span.last, key=lambda one: one[0])]
        bar = _fetched(span, own, extracted) if span.layer == "bronze" else _worked(span, own, saves, begun)
        found += [bar] if bar else []
    return found


def _extracted(entries: Sequence[Entry]) -> tuple[datetime | None, datetime | None]:
    """When the newest attempt at the source began, and when it ended."""
    at = {e.topic: parse_time(e.at) for e in entries if e.topic in _LAYER and e.data.get("layer") == "bronze"}
    return at.get(_LAYER[0]), at.get(_LAYER[1])


_LAYER = ("run.layer_started", "run.layer_completed")


def _fetched(
    span: Span, own: Sequence[tuple[str, Entry]], extracted: tuple[datetime | None, datetime | None]
) -> Bar | None:
    begin, end = extracted
    ends = [*([end] if end else []), *(parse_time(entry.at) for _, entry in own)]
    return _bar(span, own, begin, max(ends)) if begin and ends else None


def _worked(
    span: Span,
    own: Sequence[tuple[str, Entry]],
    saves: Mapping[tuple[str, str], int],
    begun: Mapping[object, datetime],
) -> Bar | None:
    if not own:
        return None
    first = min((entry for _, entry in own), key=lambda entry: entry.position)
    made = [(facts_of(_Made, entry.data), parse_time(entry.at)) for _, entry in own]
    workers = tuple(sorted({one.worker for one, _ in made if one.worker}))
    # A worker's clock may go wrong: it cannot have begun before its layer did, nor after it was saved.
    told = [
        at
        for one, saved in made
        if one.began_at and one.layer in begun and begun[one.layer] <= (at := parse_time(one.began_at)) <= saved
    ]
    begin = min(told, default=parse_time(first.at) - timedelta(milliseconds=saves[span.dataset, first.at]))
    return _bar(span, own, begin, max(saved for _, saved in made), workers, is_told=bool(told))


def _bar(
    span: Span,
    own: Sequence[tuple[str, Entry]],
    begin: datetime,
    end: datetime,
    workers: tuple[str, ...] = (),
    *,
    is_told: bool = True,
) -> Bar:
    """A picture has no room for what took no time."""
    days = len({partition for partition, _ in own})
    return Bar(span.dataset, span.layer, begin, max(end, begin + timedelta(milliseconds=1)), days, workers, is_told)


def cells_of(entries: Sequence[Entry]) -> dict[tuple[str, date], str]:
    """Each day of the plan with what became of it; so many as there may be, from the first on."""
    made = [facts_of(_Made, entry.data) for entry in entries if entry.topic in (_REBUILT, _APPENDED)]
    outcomes = {(one.dataset, _date(one.partition)): one.outcome for one in made if is_of_days(one.dataset)}
    spans = [(one.dataset, _date(one.first), _date(one.last)) for one in spans_of(entries)]
    begin = min([*(first for _, first, _ in spans), *(day for _, day in outcomes)], default=None)
    if begin is None:
        return {}
    found: dict[tuple[str, date], str] = {}
    for dataset, first, last in spans:
        length = min((last - begin).days + 1, MOST_DAYS)
        found |= {(dataset, begin + timedelta(n)): "to do" for n in range((first - begin).days, length)}
    return found | {key: what for key, what in outcomes.items() if (key[1] - begin).days < MOST_DAYS}


def _date(text: str) -> date:
    return date_of(day_of(text))
