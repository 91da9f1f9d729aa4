"""How a run went: its life with the times that it waited, and its work, window by window, long gaps cut out. A wait
dwarfs the work, so these are two pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup

from tradex_ledger.audit.draw.grid import LONGEST, left_of
from tradex_ledger.audit.draw.svg import cut, picture, tag, text
from tradex_ledger.audit.draw.words import duration, many, moment

STEP, LIFE_HEIGHT = 150, 74
_ROUND = "m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0Z"
_TONES = {"bad": "m-6 0l6-6 6 6-6 6Z", "decide": "m-5-5h10v10h-10Z"}
"""What is not well has a shape of its own, so that no tone hangs on colour."""
WORK_WIDTH, ROW, LEFT = 640, 22, 150
_CUT = 0.12
"""A gap longer than that part of all the work is drawn as long as this, and marked."""


class Step(NamedTuple):
    """A step of a life: what, by whom and when (None: still to come)."""

    what: str
    by: str
    at: datetime | None
    tone: str = "good"


class Bar(NamedTuple):
    """Work on a dataset, from when to when, and how many `days` came of it; by whom, and whether its begin is told or
    worked out."""

    row: str
    layer: str
    begin: datetime
    end: datetime
    days: int
    workers: tuple[str, ...] = ()
    is_told: bool = True


def life(steps: Sequence[Step], wide: int | None = None) -> Markup:
    """Steps in rows of `wide` (None: in one), each as wide as its words; how long it took from one to the next stands
    between."""
    wide = max(1, min(len(steps), wide or len(steps)))
    drawn: list[Markup] = []
    for number, one in enumerate(steps):
        x, y = 8 + number % wide * STEP, number // wide * LIFE_HEIGHT
        if number + 1 < len(steps):
            drawn.append(tag("line", x1=x, y1=y + 22, x2=x + STEP, y2=y + 22, class_="rail"))
            after = steps[number + 1]
            if one.at is not None and after.at is not None:
                waited = duration(max(0.0, (after.at - one.at).total_seconds()))
                drawn.append(text(x + STEP / 2, y + 14, waited, "between", "middle"))
        drawn.append(tag("path", d=f"M{x} {y + 22}{_TONES.get(one.tone, _ROUND)}", class_=f"step s-{one.tone}"))
        drawn.append(text(x - 5, y + 44, cut(one.what, 22), f"what s-{one.tone}"))
        drawn.append(text(x - 5, y + 58, cut(one.by, 22), "by"))
        if one.at is not None:
            drawn.append(text(x - 5, y + 71, moment(one.at, seconds=True), "by"))
    told = ", ".join(
        f"{one.what}{' by ' + one.by if one.by else ''} {moment(one.at) if one.at else ''}".strip() for one in steps
    )
    height = LIFE_HEIGHT * -(-max(1, len(steps)) // wide)
    return picture(wide * STEP + 10, height, *drawn, label=f"Its life: {told}", class_="life")


def work(bars: Sequence[Bar]) -> Markup:
    """A row a dataset, in the order of the plan."""
    rows = list(dict.fromkeys(bar.row for bar in bars))
    spans, left = _merged(bars), left_of(rows, LEFT)
    total = sum((end - begin).total_seconds() for begin, end in spans) or 0.001
    gaps = [(after[0] - before[1]).total_seconds() for before, after in pairwise(spans)]
    gaps_drawn = [min(gap, total * _CUT) for gap in gaps]
    scale = (WORK_WIDTH - left - 70) / (total + sum(gaps_drawn))
    height = ROW * len(rows) + 24

    def at(when: datetime) -> float:
        x = 0.0
        for number, (begin, end) in enumerate(spans):
            if when <= end:
                return left + (x + max(0.0, (when - begin).total_seconds())) * scale
            x += (end - begin).total_seconds() + (gaps_drawn[number] if number < len(gaps_drawn) else 0)
        return left + x * scale

    drawn = [tag("line", x1=at(begin), y1=4, x2=at(begin), y2=height - 20, class_="grid") for begin, _ in spans[:40]]
    if len(spans) == 1:
        drawn += _seconds(spans[0][0], total, at, height)
    for number, gap in enumerate(gaps):
        if gap > gaps_drawn[number]:
            x = (at(spans[number][1]) + at(spans[number + 1][0])) / 2
            drawn.append(tag("path", d=f"M{x - 3:.1f} 4v{height - 24}m6 0V4", class_="cut"))
            drawn.append(text(x, height - 6, f"{duration(gap)} later", "tick", "middle"))
    for bar in bars:
        y, x = 4 + rows.index(bar.row) * ROW, at(bar.begin)
        width = max(2.0, at(bar.end) - x)
        drawn.append(
            tag(
                "g",
                tag("title", _said(bar)),
                tag("rect", x=x, y=y + 2, width=width, height=14, rx=2, class_=f"bar l-{bar.layer}"),
            )
        )
    for number, row in enumerate(rows):
        own = [bar for bar in bars if bar.row == row]
        said = many(sum(bar.days for bar in own), "day")
        drawn.append(text(at(max(bar.end for bar in own)) + 7, 4 + number * ROW + 13, said, "tick"))
    drawn += [text(0, 4 + number * ROW + 13, cut(row, LONGEST), "row") for number, row in enumerate(rows)]
    return picture(
        WORK_WIDTH, height, *drawn, label=f"Its work: {duration(total)} on {len(rows)} datasets", class_="work"
    )


def _said(bar: Bar) -> str:
    took = duration((bar.end - bar.begin).total_seconds())
    by = f" by {', '.join(bar.workers)}" if bar.workers else ""
    begun = f"begun {moment(bar.begin, seconds=True)}{'' if bar.is_told else ', worked out'}"
    return f"{bar.row}: {many(bar.days, 'day')}{by}, {took}, {begun}"


def _seconds(begin: datetime, total: float, at: Callable[[datetime], float], height: float) -> list[Markup]:
    """The scale below work without a gap: five times, from its begin to its end."""
    times = [total * part / 4 for part in range(5)]
    return [text(at(begin + timedelta(seconds=one)), height - 6, duration(one), "tick", "middle") for one in times]


def _merged(bars: Sequence[Bar]) -> list[tuple[datetime, datetime]]:
    """Spans of time in which anything was at work."""
    found: list[tuple[datetime, datetime]] = []
    for bar in sorted(bars, key=lambda bar: bar.begin):
        if found and bar.begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], bar.end))
        else:
            found.append((bar.begin, bar.end))
    return found
