"""Rows a day, as lines: what readers get is drawn through, other versions are dashed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from markupsafe import Markup

from tradex_ledger.audit.draw.svg import picture, tag, text
from tradex_ledger.audit.draw.words import number, short_day

WIDTH, HEIGHT, LEFT, BOTTOM = 1000, 170, 54, 20


class Series(NamedTuple):
    """A line: its name, where it stands (read, next, older), and a value a day."""

    name: str
    standing: str
    values: list[tuple[date, int]]


def lines(series: Sequence[Series], first: date, last: date) -> Markup:
    """The lines over days; a day that is not there breaks its line. Several are told apart by a legend."""
    length = max(1, (last - first).days)
    head = 26 if len(series) > 1 else 8
    most = max((value for one in series for _, value in one.values), default=0) or 1

    def x(day: date) -> float:
        return LEFT + (day - first).days / length * (WIDTH - LEFT - 8)

    def y(value: float) -> float:
        return head + (1 - value / most) * (HEIGHT - BOTTOM - 8 - head)

    drawn = []
    for part in (0, 1 / 3, 2 / 3, 1):
        at = y(most * part)
        drawn.append(tag("line", x1=LEFT, y1=at, x2=WIDTH - 8, y2=at, class_="axis"))
        drawn.append(text(LEFT - 8, at + 4, number(round(most * part)), "tick", "end"))
    for step in range(0, length + 1, max(7, length // 8)):
        day = first + timedelta(step)
        drawn.append(text(x(day), HEIGHT - 4, short_day(day), "tick", "middle"))
    if len(series) > 1:
        for place, one in enumerate(series):
            at = LEFT + place * 74
            drawn.append(tag("line", x1=at, y1=8, x2=at + 24, y2=8, class_=f"series {one.standing}"))
            drawn.append(text(at + 30, 12, one.name, "tick"))
    for one in sorted(series, key=lambda one: one.standing == "read"):
        path, before = "", None
        for day, value in one.values:
            joined = before is not None and (day - before).days == 1
            path += f"{'L' if joined else 'M'}{x(day):.1f} {y(value):.1f}"
            before = day
        drawn.append(tag("path", tag("title", one.name), d=path or "M0 0", class_=f"series {one.standing}"))
    told = ", ".join(
        f"{one.name} {number(min(v for _, v in one.values))} to {number(max(v for _, v in one.values))}"
        for one in series
    )
    return picture(WIDTH, HEIGHT, *drawn, label=f"Rows a day: {told}", class_="lines-of-rows")
