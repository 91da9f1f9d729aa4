"""How a run went, by its own events: what was built, its life, its work, what was decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from tradex_ledger.audit.documents.plan import Share
from tradex_ledger.audit.draw.times import Bar
from tradex_ledger.audit.draw.words import duration, many, number, size
from tradex_ledger.audit.reader import Reader
from tradex_ledger.domain.day import date_of, day_of
from tradex_ledger.domain.facts import facts_of
from tradex_ledger.domain.plan import ASKED, Edge
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.relations.days import PLANS
from tradex_ledger.web.draw.bands import Band

_COSTS = """
    select rows_low, rows_likely, rows_high, rows_actual, bytes_low, bytes_likely, bytes_high, bytes_actual,
        seconds_low, seconds_likely, seconds_high, seconds_actual, source_calls_low, source_calls_likely,
        source_calls_high, source_calls_actual, status
    from costs
    where run_id = ?
"""
_DECISIONS = {
    "backfill.approved": ("approved it", "check", "good"),
    "backfill.rejected": ("rejected it", "rejected", "bad"),
    "run.held": ("held it", "held", "decide"),
    "run.released": ("released it", "check", "good"),
    "backfill.paused": ("paused it", "paused", "decide"),
    "backfill.resumed": ("resumed it", "check", "good"),
    "backfill.cancelled": ("cancelled it", "cancelled", "bad"),
    "incremental_run.cancelled": ("cancelled it", "cancelled", "bad"),
    "backfill.reverted": ("took it back", "reverted", "warn"),
    "backfill.expired": ("closed it: nobody answered", "expired", "quiet"),
}


class Decision(NamedTuple):
    """What somebody decided, and why."""

    by: str
    what: str
    sign: str
    tone: str
    at: str
    position: int
    reason: str | None
    rule: str | None


class Total(NamedTuple):
    """What was built of a dataset, in words; its rows, and how many more than before where that is known."""

    said: str
    rows: int
    more: int | None


class Built(NamedTuple):
    """What was built: the outcome by dataset and day, and totals by dataset."""

    outcomes: dict[tuple[str, date], str]
    totals: dict[str, Total]


class _Made(NamedTuple):
    dataset: str
    partition: str
    rows: int = 0
    outcome: str = "appended"
    previous_rows: int | None = None


class _Said(NamedTuple):
    reason: str | None = None
    why: str | None = None
    comment: str | None = None
    rule: str | None = None


class _Cost(NamedTuple):
    rows_low: int | None
    rows_likely: int | None
    rows_high: int | None
    rows_actual: int | None
    bytes_low: int | None
    bytes_likely: int | None
    bytes_high: int | None
    bytes_actual: int | None
    seconds_low: int | None
    seconds_likely: int | None
    seconds_high: int | None
    seconds_actual: float | None
    calls_low: int | None
    calls_likely: int | None
    calls_high: int | None
    calls_actual: int | None
    status: str


def _made(entries: Sequence[Entry]) -> Iterator[_Made]:
    """Of a partition that was built several times the last counts; of Bronze each batch."""
    last: dict[tuple[str, str], _Made] = {}
    for entry in entries:
        if entry.topic == "run.batch_appended":
            yield facts_of(_Made, entry.data)
        elif entry.topic == "run.partition_rebuilt":
            one = facts_of(_Made, entry.data)
            last[one.dataset, one.partition] = one
    yield from last.values()


def built_of(entries: Sequence[Entry]) -> Built:
    """What a run has built, or appended."""
    outcomes: dict[tuple[str, date], str] = {}
    by_dataset: dict[str, list[_Made]] = {}
    for one in _made(entries):
        outcomes[one.dataset, date_of(day_of(one.partition))] = one.outcome
        by_dataset.setdefault(one.dataset, []).append(one)
    return Built(outcomes, {name: _total(some) for name, some in by_dataset.items()})


def _total(some: Sequence[_Made]) -> Total:
    counted = Counter(one.outcome for one in some)
    rows = sum(one.rows for one in some)
    if counted.keys() == {"appended"}:
        days = len({one.partition for one in some})
        return Total(f"{many(days, 'day')} appended", rows, None)
    before = [one.previous_rows or 0 for one in some]
    return Total(", ".join(f"{number(n)} {what}" for what, n in counted.most_common()), rows, rows - sum(before))


def shares_of(entries: Sequence[Entry]) -> list[Share]:
    """What an incremental run has built, as a plan would say it."""
    found: dict[str, list[str]] = {}
    for one in _made(entries):
        found.setdefault(one.dataset, []).append(one.partition)
    return [
        Share(name, name.partition("_")[0], None, min(some), max(some), len(set(some)), None)
        for name, some in found.items()
    ]


def in_words(edge: Edge, layer: str = "") -> str:
    """Why a dataset is in a plan."""
    if edge.because == ASKED and layer == "bronze":
        return f"{ASKED}: what was delivered of these days is fetched and appended"
    if edge.because == ASKED or edge.first is None:
        return edge.because
    source = edge.because.removeprefix("reads ")
    if (edge.first, edge.last) == (0, 0):
        return f"reads the same day of {source}"
    if edge.last == -1:
        return f"reads the {many(-edge.first, 'day')} before of {source}"
    return f"reads {reach(edge)} of {source}"


def reach(edge: Edge) -> str:
    """Which days are read, relative to a partition's own."""
    first, last = edge.first or 0, edge.last or 0
    return f"{first} d" if first == last else f"{first}…{last} d".replace("-", "−")


def costs_of(reader: Reader, run_id: str) -> list[Band]:
    """What was expected, and what it came to once anything of it was built."""
    found = []
    for one in reader.ask(_Cost, _COSTS, run_id, over=("costs",)):
        actual = one.status not in ("PLANNED", "APPROVED", "REJECTED", "EXPIRED")
        rows, used = (one.rows_actual if actual else None), (one.bytes_actual if actual else None)
        took, calls = (one.seconds_actual if actual else None), (one.calls_actual if actual else None)
        found += [
            Band("Rows", one.rows_low, one.rows_likely, one.rows_high, rows, _said(rows, one.rows_likely, number)),
            Band(
                "Bytes written",
                one.bytes_low,
                one.bytes_likely,
                one.bytes_high,
                used,
                _said(used, one.bytes_likely, size),
            ),
            Band(
                "Seconds of work",
                one.seconds_low,
                one.seconds_likely,
                one.seconds_high,
                took,
                _said(took, one.seconds_likely, duration),
            ),
        ]
        if one.calls_high or one.calls_actual:
            found.append(
                Band(
                    "Calls of the source",
                    one.calls_low,
                    one.calls_likely,
                    one.calls_high,
                    calls,
                    _said(calls, one.calls_likely, number),
                )
            )
    return found


def _said(actual: float | None, likely: float | None, words: object) -> str:
    assert callable(words)
    if actual is not None:
        return str(words(actual))
    return "nobody knows" if likely is None else f"≈ {words(likely)}"


def decisions_of(entries: Sequence[Entry]) -> list[Decision]:
    """Who decided what on it, in order."""
    found = []
    for entry in entries:
        if entry.topic in _DECISIONS:
            what, sign, tone = _DECISIONS[entry.topic]
            said = facts_of(_Said, entry.data)
            reason = said.comment or said.reason or said.why
            found.append(Decision(entry.by, what, sign, tone, entry.at, entry.position, reason, said.rule))
    return found


def bars_of(reader: Reader, run_id: str) -> list[Bar]:
    """Its windows at work."""
    return [
        Bar(
            one.dataset,
            one.layer,
            one.began_at,
            max(one.ended_at, one.began_at + timedelta(milliseconds=1)),
            one.built,
            tuple(one.workers),
            one.began_is_told,
        )
        for one in reader.of_run(PLANS, run_id, "position, number")
        if one.began_at is not None and one.ended_at is not None
    ]
