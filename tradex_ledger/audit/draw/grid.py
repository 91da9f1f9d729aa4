"""Days in columns, datasets in rows: what a run is to build, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

from markupsafe import Markup

from tradex_ledger.audit.draw.icons import shape
from tradex_ledger.audit.draw.svg import cut, picture, tag, text
from tradex_ledger.audit.draw.words import day as said_day

LEFT, CELL, ROW = 158, 17, 22
CHARACTER, LONGEST = 6.7, 40
"""How wide a character of a name is, and how many of them there is room for."""
MOST = 184
SIGNS = {"appended": "appended", "reused": "reused", "identical": "reused", "to do": "planned"}
LEGEND = ("appended", "written", "reused", "identical", "to do")


def plan_grid(rows: Sequence[str], cells: Mapping[tuple[str, date], str]) -> Markup:
    """A cell a day of a dataset that is in the plan, by what became of it; the first half year, if it is longer."""
    days, left = _days(day for _, day in cells), left_of(rows, LEFT)
    at = {day: left + number * CELL for number, day in enumerate(days)}
    drawn = [*_months(days, at)]
    drawn += [text(0, 46 + number * ROW, cut(row, LONGEST), "row") for number, row in enumerate(rows)]
    for (row, day), what in cells.items():
        if day not in at or row not in rows:
            continue
        x, y = at[day], 32 + rows.index(row) * ROW
        drawn.append(tag("g", tag("title", f"{row}, {said_day(day)}: {what}"), *_cell(x, y, what)))
    counted = ", ".join(
        f"{sum(1 for one in cells.values() if one == what)} {what}" for what in LEGEND if what in cells.values()
    )
    return picture(
        left + len(days) * CELL + 8,
        36 + len(rows) * ROW,
        *drawn,
        label=f"{len(cells)} partitions: {counted}",
        class_="grid",
    )


def left_of(rows: Sequence[str], least: int) -> float:
    """Where a picture begins beside names of rows."""
    return max([least, *(min(len(row), LONGEST) * CHARACTER + 10 for row in rows)])


def marks(cells: Mapping[tuple[str, date], str]) -> list[tuple[str, Markup]]:
    """What became of days, each with how its cell looks, for a legend."""
    there = {*cells.values()}
    return [(what, _mark(what)) for what in LEGEND if what in there]


def _mark(what: str) -> Markup:
    return tag("svg", *_cell(0, 0, what), class_="mark", width=16, height=19, viewBox="0 0 16 20", aria_hidden="true")


def _cell(x: float, y: float, what: str) -> Iterator[Markup]:
    sign = SIGNS.get(what)
    yield tag(
        "rect", x=x + 0.5, y=y + 0.5, width=CELL - 3, height=ROW - 4, rx=3, class_=f"cell p-{what.replace(' ', '-')}"
    )
    if sign:
        yield tag("g", shape(sign), transform=f"translate({x + 1.5:g} {y + 3:g}) scale(.75)", class_="sign")


def _days(some: Iterable[date]) -> list[date]:
    known = sorted(set(some))
    if not known:
        return []
    length = min((known[-1] - known[0]).days + 1, MOST)
    return [known[0] + timedelta(number) for number in range(length)]


def _months(days: Sequence[date], at: Mapping[date, float]) -> Iterable[Markup]:
    every = 1 if len(days) <= 45 else 7
    for number, day in enumerate(days):
        if number == 0 or (day.day == 1 and len(days) - number > 3):
            yield text(at[day], 12, f"{day:%b} {day.year}", "month")
        if number % every == 0:
            yield text(at[day] + CELL / 2 - 1, 26, day.day, "tick", "middle")
