"""Rows on a terminal, as wide as it is.

What has no space in it (ids, days, names, numbers) is never folded, nor is a time. Where there is no room for all,
texts are folded; then columns are left out, those first that matter less, and named. Where each column counts, or but
two would be left, each row is a record: a name and a value a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TextIO

from tradex_ledger.cli.escape import shown
from tradex_ledger.cli.nested import is_nested, nested_folds
from tradex_ledger.cli.stages import folds
from tradex_ledger.cli.terminal import size_of

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod, RenderableType
    from rich.text import Text

GAP = 2
_AT_ONCE = 500
"""Rows that are drawn before they are written."""
_LEAST = 3
"""So many columns are a table."""
_NARROWEST = 16
"""Cells that a folded text has at least, if it is that long."""
_LONGEST_WORD = 27
"""No id or time is longer; a word of a text that is (a fingerprint, a path) is broken rather than the text left out."""
_FIRST_OUT = (
    *("bytes", "took", "duration_ms", "versioned_at", "published_at", "protected_at", "attempts", "progress", "event"),
    *("layer", "versioned_by", "is_read", "indirect", "files", "rows", "kind", "at"),
    *("cursor_before", "moved_at", "compared_with", "checked_at"),
)
"""What goes first where there is no room, in this order, after what says nothing of any row; then, the last columns."""
_TOLD = frozenset({"what", "cursor", "message", "meaning", "error", "why", "verdict"})
"""What rows are shown for: where that has no room, each is a record. The first column does not go: it names the row."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?Z")
_STYLES = {
    **dict.fromkeys(("SUCCESS", "published", "current", "identical"), "green"),
    **dict.fromkeys(("FAILED", "damaged", "missing", "lost"), "bold red"),
    **dict.fromkeys(("REJECTED", "CANCELLED", "EXPIRED", "REVERTED", "deprecated", "superseded"), "dim"),
    **dict.fromkeys(("PLANNED", "HELD", "PAUSED", "REQUESTED", "stale"), "yellow"),
    **dict.fromkeys(("RUNNING", "APPROVED"), "cyan"),
}
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_STATES = frozenset({"status", "state", "run_status", "outcome", "verdict", "kept"})


@dataclass(frozen=True, slots=True)
class Cells:
    """What is drawn: headings, texts by row and column, and which columns are of numbers."""

    columns: Sequence[str]
    lines: Sequence[Sequence[str]]
    numeric: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Fit:
    """How it is drawn: the places of the columns that are (none: as records), their widths, and who is left out."""

    shown: list[int]
    widths: list[int]
    left_out: list[str]


def short_digest(text: str) -> str:
    """The beginning of a SHA-256, which tells it from others; any other text as it is."""
    return text[:12] if len(text) == 64 and _DIGEST.fullmatch(text) else text


def beside(facts: Mapping[str, str], width: int) -> Iterator[str]:
    """Names, and texts beside them as lines that are so wide; where there is no room for that, below them."""
    names = max(map(len, facts), default=0)
    is_below = width - names - GAP < _NARROWEST
    for name, text in facts.items():
        first, *more = folded(text, width - (GAP if is_below else names + GAP))
        if is_below:
            yield name
            more, first = [first, *more], ""
        else:
            yield f"{name:<{names}}{' ' * GAP}{first}"
        for line in more:
            yield " " * (GAP if is_below else names + GAP) + line


def folded(text: str, width: int, *, exact: bool = False) -> list[str]:
    """A text as lines that are so wide; words stay whole, digests are told by their beginning unless it is `exact`."""
    short = shown(text) if exact else _DIGEST.sub(lambda found: found[0][:12], shown(text))
    if is_nested(short):
        return nested_folds(short, max(_NARROWEST, width))
    return folds(" ".join(short.split()), max(_NARROWEST, width))


def cells_of(columns: Sequence[str], lines: Sequence[Sequence[str]], values: Sequence[Sequence[object]]) -> Cells:
    """Texts under headings; a column is one of numbers where all of its `values` are."""
    kinds = int | float | Decimal | None
    numeric = [all(isinstance(row[place], kinds) for row in values) for place in range(len(columns))]
    return Cells(columns, lines, numeric)


def fitted(cells: Cells, width: int, *, whole: bool) -> Fit:
    """What fits into so many cells of a terminal; `whole`: each column counts."""
    wanted, least = (
        zip(*map(_widths, cells.columns, zip(*cells.lines, strict=True)), strict=True)
        if cells.lines
        else (
            [len(name) for name in cells.columns],
            [_heading(name) for name in cells.columns],
        )
    )
    shown, gone = list(range(len(cells.columns))), []
    empty = {place for place in shown if all(line[place] in ("", "-") for line in cells.lines)}
    while _total([least[place] for place in shown]) > width:
        if whole or len(shown) == min(_LEAST, len(cells.columns)):
            return Fit([], [], [])
        spare = [place for place in shown[1:] if cells.columns[place] not in _TOLD or place in empty]
        if not spare:
            return Fit([], [], [])
        out = min(spare, key=lambda place: (place not in empty, _rank(cells.columns[place]), -place))
        shown.remove(out)
        gone.append(out)
    widths = _widened([wanted[place] for place in shown], [least[place] for place in shown], width)
    return Fit(shown, widths, [cells.columns[place] for place in sorted(gone)])


def _rank(name: str) -> int:
    return _FIRST_OUT.index(name) if name in _FIRST_OUT else len(_FIRST_OUT)


def _heading(name: str) -> int:
    """How wide a heading is at least: it folds after an underscore."""
    return max(map(len, _pieces(name)))


def _pieces(name: str) -> list[str]:
    return [piece for piece in re.split(r"(?<=_)| ", name) if piece] or [name]


def _widths(name: str, texts: Sequence[str]) -> tuple[int, int]:
    """How wide a column would be, and how wide it is at least."""
    from rich.cells import cell_len

    longest = max(map(cell_len, texts))
    if not any(" " in text for text in texts if not _MOMENT.fullmatch(text)):
        return max(longest, len(name)), max(longest, _heading(name))
    word = min(_LONGEST_WORD, max(cell_len(word) for text in texts for word in text.split(" ")))
    return max(longest, len(name)), max(min(longest, _NARROWEST), word, _heading(name))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * max(0, len(widths) - 1)


def _widened(wanted: Sequence[int], least: Sequence[int], width: int) -> list[int]:
    """What is left over goes to the columns that want more, the first first to what it wants."""
    widths, left = list(least), width - _total(least)
    for place, want in enumerate(wanted):
        more = min(left, want - widths[place])
        widths[place] += more
        left -= more
    return widths


def draw(
    columns: Sequence[str],
    lines: Sequence[Sequence[str]],
    values: Sequence[Sequence[object]],
    title: str,
    whole: bool,
    stream: TextIO,
) -> list[str]:
    """Draw texts (`lines`, made of `values`) on a terminal; returns the columns that there was no room for.

    `whole`: each column and each character counts.
    """
    from rich.console import Console
    from rich.text import Text  # what is no Text is read as markup

    columns_there, rows_there = size_of(stream)
    console = Console(file=stream, highlight=False, width=columns_there, height=rows_there)
    texts = [[shown(text if whole else short_digest(text)) for text in line] for line in lines]
    cells = cells_of([shown(name) for name in columns], texts, values)
    fit = fitted(cells, console.width, whole=whole)
    if title:
        console.print(Text(shown(title), style="italic"))
    if fit.shown or not cells.columns:
        for begin in range(0, max(1, len(cells.lines)), _AT_ONCE):  # who reads begins before the last is drawn
            console.print(_table(cells, fit, begin))
    else:
        _records(console, cells, whole=whole)
    return fit.left_out


def paint(lines: Sequence[Sequence[tuple[str, str]]], stream: TextIO) -> None:
    """Draw lines of styled pieces on a terminal as they are, however wide it is."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, highlight=False)
    for line in lines:
        console.print(Text.assemble(*((shown(text), style) for text, style in line)), soft_wrap=True)


def _records(console: Console, cells: Cells, *, whole: bool) -> None:
    from rich.text import Text

    width = max(map(len, cells.columns), default=0)
    for number, line in enumerate(cells.lines):
        if number:
            console.print()
        for name, text in zip(cells.columns, line, strict=True):
            room = console.width - width - GAP
            is_whole = whole and not is_nested(text)  # which loses nothing where it is folded
            first, *more = [text] if is_whole else folded(text, room, exact=whole)
            console.print(Text.assemble((f"{name:<{width}}  ", "bold"), _styled(name, first)), soft_wrap=True)
            for rest in more:
                console.print(Text(" " * (width + GAP) + rest), soft_wrap=True)


def _table(cells: Cells, fit: Fit, begin: int) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    drawn = Table(show_header=not begin, header_style="bold", box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    names = [cells.columns[place] for place in fit.shown]
    for name, place, width in zip(names, fit.shown, fit.widths, strict=True):
        heading = name if len(name) <= width else "\n".join(_pieces(name))
        justify: JustifyMethod = "right" if cells.numeric[place] else "left"
        drawn.add_column(Text(heading), justify=justify, overflow="fold", min_width=width, max_width=width)
    for line in cells.lines[begin : begin + _AT_ONCE]:
        texts = (_parted(line[place], width) for place, width in zip(fit.shown, fit.widths, strict=True))
        drawn.add_row(*map(_styled, names, texts))
    return drawn


def _parted(text: str, width: int) -> str:
    """A nested value on lines; of any other text the table makes them."""
    return "\n".join(nested_folds(text, width)) if len(text) > width // 2 and is_nested(text) else text


def _styled(name: str, text: str) -> Text:
    from rich.text import Text

    return Text(text, style=_STYLES.get(text, "") if name in _STATES else "")
