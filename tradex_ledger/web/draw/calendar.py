"""Days in columns, datasets and their versions in rows. The fill of a cell says what readers get, its sign what is
going on; only what is published and left alone has no sign, so that no state hangs on colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from markupsafe import Markup

from tradex_ledger.audit.documents.calendar import Calendar, Row
from tradex_ledger.audit.draw.icons import shape
from tradex_ledger.audit.draw.svg import tag, text
from tradex_ledger.audit.draw.words import day as said_day
from tradex_ledger.audit.draw.words import month
from tradex_ledger.relations.days import CalendarCell
from tradex_ledger.web.at import At

CELL, ROW, TOP = 17, 24, 40
NAMES = 168
_CHARACTER = 7.3
FILLS = {
    "nothing came": "nothing",
    "stale": "stale",
    "missing": None,
    "not processed yet": "waiting",
    "only in an older version": "elsewhere",
    "deprecated": "deprecated",
}
SIGNS = {
    "failed": "failed",
    "late at the source": "late",
    "being built": "running",
    "candidate": "candidate",
    "planned": "planned",
    "taken back": "reverted",
    "strange volume": "strange",
}
PROTECTED = "protected"
_WORDS = {"deprecated": "published, version deprecated", "taken back": "a rebuild was taken back"}


class Entry(NamedTuple):
    """A line of the legend: what it shows, in words, how many `times` it is there, and how it is drawn."""

    name: str
    words: str
    times: int
    mark: Markup


class Drawn(NamedTuple):
    """The calendar: the names at its side, the days, and two lines of legend."""

    names: Markup
    grid: Markup
    fills: list[Entry]
    signs: list[Entry]


def _is_told(row: Row, rows: Sequence[Row]) -> bool:
    """Whether it says anything which version a row is of: there is another one, or was."""
    return row.version is not None and (row.version > 1 or sum(one.dataset == row.dataset for one in rows) > 1)


def drawn(calendar: Calendar, at: At) -> Drawn | None:
    """The picture of a calendar; None where nothing is on record of any day."""
    if calendar.first is None or calendar.last is None:
        return None
    days = [calendar.first + timedelta(number) for number in range((calendar.last - calendar.first).days + 1)]
    fills = [Entry(name, _words(name), n, mark(name, None)) for name, n in calendar.fills.items()]
    signs = [Entry(name, _words(name), n, mark("not there", name)) for name, n in calendar.signs.items()]
    if calendar.protected:
        signs.append(Entry(PROTECTED, PROTECTED, calendar.protected, mark("published", None, is_protected=True)))
    return Drawn(_names(calendar.rows), _grid(calendar, days, at), fills, signs)


def _words(name: str) -> str:
    return _WORDS.get(name, name)


def mark(fill: str, sign: str | None, *, is_protected: bool = False) -> Markup:
    """A cell by itself, for a legend."""
    inside = (*_cell(0, 0, fill, sign, is_protected=is_protected, shared=False),)
    return tag("svg", *inside, class_="mark", width=17, height=18, viewBox="0 0 16 20", aria_hidden="true")


def _class(prefix: str, name: str | None) -> str:
    return "" if name is None else f" {prefix}-{name.replace(' ', '-')}"


def _cell(x: float, y: float, fill: str, sign: str | None, *, is_protected: bool, shared: bool) -> Iterator[Markup]:
    yield tag(
        "rect",
        x=x + 0.5,
        y=y + 1.5,
        width=14.5,
        height=17.5,
        rx=3,
        class_=f"cell{_class('f', fill)}{_class('s', sign)}",
    )
    drawn = SIGNS.get(sign) if sign else FILLS.get(fill)
    if drawn and shared:
        yield tag("use", href=f"#sign-{drawn}", x=x + 1.75, y=y + 4, width=12, height=12, class_="sign")
    elif drawn:
        yield tag("g", shape(drawn), transform=f"translate({x + 1.75} {y + 4}) scale(.75)", class_="sign")
    if is_protected:
        yield tag("path", d=f"M{x + 8.5} {y + 1.5}h6.5v6.5z", class_="corner")


def _names(rows: Sequence[Row]) -> Markup:
    width = max([NAMES, *(len(_name(row)) * _CHARACTER + 8 for row in rows)])
    lines = []
    for number, row in enumerate(rows):
        name = text(0, TOP + number * ROW + 15, row.dataset, "row")
        version = (
            text(len(row.dataset) * 6.7 + 8, TOP + number * ROW + 15, _version(row), "version")
            if _is_told(row, rows)
            else ""
        )
        lines.append(tag("g", name, version, class_=row.standing))
    return tag("svg", *lines, class_="picture days", width=width, height=TOP + len(rows) * ROW + 4, aria_hidden="true")


def _name(row: Row) -> str:
    return f"{row.dataset} {_version(row)}" if row.version else row.dataset


def _version(row: Row) -> str:
    return f"v{row.version}{' next' if row.standing == 'next' else ''}"


def _grid(calendar: Calendar, days: Sequence[date], at: At) -> Markup:
    place = {day: number * CELL + 2 for number, day in enumerate(days)}
    height = TOP + len(calendar.rows) * ROW + 4
    width = len(days) * CELL + 4
    weekends = [
        tag("rect", x=place[day] - 1, y=TOP - 2, width=CELL, height=height - TOP, class_="weekend")
        for day in days
        if day.weekday() >= 5
    ]
    rows = [_row(row, number, place, at, is_last=number == 0) for number, row in enumerate(calendar.rows)]
    return tag(
        "svg",
        _signs(calendar),
        tag("g", *weekends, *_heads(days, place), aria_hidden="true"),
        tag("g", *rows, role="grid", aria_label=f"Days from {said_day(days[0])} to {said_day(days[-1])}"),
        class_="picture days",
        width=width,
        height=height,
        viewBox=f"0 0 {width} {height}",
    )


def _signs(calendar: Calendar) -> Markup:
    used = {SIGNS[name] for name in calendar.signs} | {sign for name in calendar.fills if (sign := FILLS.get(name))}
    symbols = [tag("symbol", shape(name), id=f"sign-{name}", viewBox="0 0 16 16") for name in sorted(used)]
    return tag("defs", *symbols)


def _heads(days: Sequence[date], place: Mapping[date, float]) -> Iterable[Markup]:
    for number, day in enumerate(days):
        if day.day == 1 or (number == 0 and day.day < 20):
            yield text(place[day], 12, month(day), "month")
        if day.weekday() == 0:
            yield text(place[day] + 2, 30, day.day, "tick")


def _row(row: Row, number: int, place: Mapping[date, float], at: At, *, is_last: bool) -> Markup:
    cells = [
        _linked(cell, place[cell.day], number, at, is_first=is_last and position == len(row.cells) - 1)
        for position, cell in enumerate(row.cells)
    ]
    return tag("g", *cells, role="row", aria_label=_name(row), class_=row.standing)


def _linked(cell: CalendarCell, x: float, number: int, at: At, *, is_first: bool) -> Markup:
    name = f"{cell.dataset} v{cell.version}" if cell.version else cell.dataset
    said = f"{name}, {said_day(cell.day)}: {_words(cell.fill)}, {cell.why}"
    said += f". {_words(cell.sign)}: {cell.sign_why or ''}" if cell.sign else ""
    said += f". protected: {cell.protected_why or ''}" if cell.is_protected else ""
    shown = "|".join([cell.fill, *([cell.sign] if cell.sign else []), *([PROTECTED] if cell.is_protected else [])])
    link = tag(
        "a",
        *_cell(x, TOP + number * ROW, cell.fill, cell.sign, is_protected=cell.is_protected, shared=True),
        href=at.link(f"/datasets/{cell.dataset}/{cell.day}", version=cell.version),
        aria_label=said,
        tabindex=0 if is_first else -1,
        data_day=cell.day,
        data_is=shown,
        data_x=round((x - 2) / CELL),
        data_y=number,
    )
    return tag("g", link, role="gridcell")
