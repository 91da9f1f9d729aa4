"""How the calendar looks: a row a dataset, a character a day, a gap between weeks; below a row what is going on.

Each state has a shape of its own: colours only help. What does not fit beside each other stands below, by whole weeks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from shutil import get_terminal_size
from typing import TYPE_CHECKING, NamedTuple

from tradex_ledger.cli.pictures import Piece, picture
from tradex_ledger.cli.terminal import is_unicode

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.calendar import Calendar, Row
    from tradex_ledger.cli.show import Show
    from tradex_ledger.relations.days import CalendarCell


class Mark(NamedTuple):
    """How a state is drawn: a character, the same in ASCII, a colour."""

    shape: str
    plain: str
    style: str


FILLS = {
    "published": Mark("■", "#", "cyan"),
    "nothing came": Mark("○", "o", "dim"),
    "stale": Mark("▲", "^", "yellow"),
    "missing": Mark("╳", "X", "bold red"),
    "not processed yet": Mark("⋯", ".", "dim"),
    "only in an older version": Mark("◪", "%", "yellow"),
    "deprecated": Mark("⁄", "/", "dim"),
    "nothing under this version yet": Mark("·", ",", "dim"),
}
SIGNS = {
    "failed": Mark("✕", "F", "bold red"),
    "late at the source": Mark("◷", "L", "yellow"),
    "being built": Mark("▶", ">", "bold cyan"),
    "candidate": Mark("◆", "C", "magenta"),
    "planned": Mark("◇", "P", "magenta"),
    "taken back": Mark("↺", "R", "yellow"),
    "strange volume": Mark("•", "?", "yellow"),
}
PROTECTED = Mark("▔", "=", "bold")
_WEEK = 7
_CELL = _WEEK + 1
"""Columns of a week, with the gap behind it."""
_INDENT = 2
_NAMES = 24
_TITLE = 13
_GAP = 2
_NARROW = 60
_MOST = 40
"""Stretches that are told in words."""


def weeks_in() -> int:
    """How many weeks there is room for beside each other, and beside names that are not known yet."""
    width = get_terminal_size().columns
    return max((width - (_NAMES if _is_beside(width) else _INDENT) + 1) // _CELL, 1)


def _is_beside(width: int) -> bool:
    """Whether there is room for names beside the days; else they have lines of their own."""
    return width >= _NARROW


def screen(show: Show, found: Calendar) -> None:
    """The calendar in one screen, or below each other what does not fit."""
    if show.output is not None:
        from tradex_ledger.relations.days import CalendarCell

        show.export(CalendarCell._fields, found.cells)
        return
    if not found.cells:
        show.note("nothing is on record of any day yet: tradex run")
        return
    width = get_terminal_size().columns
    beside = _is_beside(width)
    room = max(len(_label(row)) for row in found.rows) + 2 if beside else _INDENT
    weeks = max((width - room + 1) // _CELL, 1)
    for number, block in enumerate(_blocks(found, weeks)):
        if number:
            show.line()
        picture(
            show,
            [
                *_head(block, room, width),
                *(line for row in found.rows for line in _row(show, row, block, room, beside)),
            ],
        )
    show.line()
    picture(show, _legend(show, found, width))
    if found.unprocessed:
        show.note(f"{found.unprocessed} later days are not processed yet, either")


def in_words(show: Show, found: Calendar) -> None:
    """The calendar of one dataset, and in words why its days are so."""
    screen(show, found)
    if show.output is not None or not found.cells:
        return
    told = [one for row in found.rows for one in _stretches(row)]
    show.line()
    show.table(told[-_MOST:], ("days", "version", "what", "why"))
    if len(told) > _MOST:
        show.note(f"and {len(told) - _MOST} earlier ones: --to, or --format csv for all")


def _label(row: Row) -> str:
    version = "" if row.version is None else f" v{row.version}"
    return f"{row.dataset}{version}" + ("" if row.standing == "read" else f" {row.standing}")


def _blocks(found: Calendar, weeks: int) -> Iterator[list[date]]:
    """The days by so many whole weeks; each begins with a Monday."""
    days = [cell.day for cell in found.cells]
    first, last = min(days), max(days)
    monday = first - timedelta(days=first.weekday())
    while monday <= last:
        yield [monday + timedelta(days=n) for n in range(min(weeks * _WEEK, (last - monday).days + 1))]
        monday += timedelta(weeks=weeks)


def _at(place: int) -> int:
    """The column of a day of a block."""
    return place + place // _WEEK


def _head(block: Sequence[date], room: int, width: int) -> list[list[Piece]]:
    """The months, and the days of the month that the weeks begin with."""
    begins = [place for place, day in enumerate(block) if place == 0 or day.day == 1]
    ends = [*(room + _at(place) - 1 for place in begins[1:]), width]
    months, days = "", ""
    for place, end in zip(begins, ends, strict=True):
        column = room + _at(place)
        said = (f"{block[place]:{form}}" for form in ("%B %Y", "%b %Y", "%b"))
        months = f"{months:<{column}}{next((text for text in said if column + len(text) <= end), '')}"
    for place in range(0, len(block), _WEEK):
        days = f"{days:<{room + _at(place)}}{block[place].day}"
    return [[(months, "bold")], [(days, "dim")]]


def _row(show: Show, row: Row, block: Sequence[date], room: int, beside: bool) -> Iterator[list[Piece]]:
    """The lines of a dataset: what readers get, and below it what is going on and which days are protected, if any."""
    cells = {cell.day: cell for cell in row.cells}
    here = [cells.get(day) for day in block]
    if not any(here):
        return
    name = _label(row)
    if not beside:
        yield [(name, "bold")]
    yield [(f"{name:<{room}}" if beside else " " * room, ""), *_drawn(show, here, _fill)]
    if any(cell and cell.sign for cell in here):
        yield [(" " * room, ""), *_drawn(show, here, _sign)]
    if any(cell and cell.is_protected for cell in here):
        yield [(" " * room, ""), *_drawn(show, here, _protected)]


def _fill(cell: CalendarCell) -> Mark | None:
    return FILLS[cell.fill]


def _sign(cell: CalendarCell) -> Mark | None:
    return SIGNS[cell.sign] if cell.sign else None


def _protected(cell: CalendarCell) -> Mark | None:
    return PROTECTED if cell.is_protected else None


def _drawn(
    show: Show, cells: Sequence[CalendarCell | None], mark: Callable[[CalendarCell], Mark | None]
) -> list[Piece]:
    """A character a day, with a gap behind each week; what has one style is one piece."""
    marks = [mark(cell) if cell else None for cell in cells]
    shapes: list[Piece] = []
    for place, one in enumerate(marks):
        if place and place % _WEEK == 0:
            shapes.append((" ", ""))
        shapes.append((_shape(show, one), one.style) if one else (" ", ""))
    return [
        ("".join(text for text, _ in pieces), style) for style, pieces in groupby(shapes, key=lambda piece: piece[1])
    ]


def _shape(show: Show, mark: Mark) -> str:
    return mark.shape if is_unicode(show.out) else mark.plain


def _legend(show: Show, found: Calendar, width: int) -> list[list[Piece]]:
    """What each shape means, and how many days are so."""
    protected = {"protected": found.protected} if found.protected else {}
    return [
        *_counted(show, "readers get", FILLS, found.fills, width),
        *_counted(show, "going on", {**SIGNS, "protected": PROTECTED}, {**found.signs, **protected}, width),
    ]


def _counted(
    show: Show, title: str, marks: Mapping[str, Mark], counts: Mapping[str, int], width: int
) -> list[list[Piece]]:
    """One kind of states with their counts, in as many lines as that takes."""
    beside = _is_beside(width)
    indent = _TITLE if beside else _INDENT
    lines: list[list[Piece]] = [] if beside or not counts else [[(title, "bold")]]
    used = width
    for name, count in counts.items():
        text = f" {name} {count}"
        if used + _GAP + 1 + len(text) > width:
            lines.append([(f"{'' if lines else title:<{indent}}", "")])
            used = indent
        else:
            lines[-1].append((" " * _GAP, ""))
            used += _GAP
        lines[-1] += [(_shape(show, marks[name]), marks[name].style), (text, "")]
        used += 1 + len(text)
    return lines


def _stretches(row: Row) -> Iterator[dict[str, object]]:
    """Days one after another that are so for one reason, each stretch as a line of a table."""

    def alike(cell: CalendarCell) -> tuple[object, ...]:
        return cell.fill, cell.sign, cell.run_id, cell.sign_run_id, cell.is_protected

    for _, cells in groupby(row.cells, key=alike):
        days = list(cells)
        one = days[-1]
        first, last = days[0].day, one.day
        what = ", ".join(text for text in (one.fill, one.sign, "protected" if one.is_protected else None) if text)
        why = "; ".join(text for text in (_why(days), one.sign_why, one.protected_why) if text)
        yield {
            "days": f"{first}" if first == last else f"{first}..{last}",
            "version": row.version,
            "what": what,
            "why": why,
        }


def _why(days: Sequence[CalendarCell]) -> str:
    """The reason of the last of them; of what was published, of all."""
    if len(days) == 1 or days[-1].fill != "published":
        return days[-1].why
    return f"{sum(cell.rows or 0 for cell in days)} rows by {days[-1].run_id}"
