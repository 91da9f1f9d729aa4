"""How the life of a run looks: its steps with the time between them, and a line of bars a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from tradex_ledger.cli.cells import cell
from tradex_ledger.cli.pictures import Piece, picture
from tradex_ledger.cli.show import Show
from tradex_ledger.cli.terminal import is_unicode
from tradex_ledger.cli.words import seconds_text, short

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.timeline import Stretch, Timeline
    from tradex_ledger.relations.days import PlannedWindow

_LAYERS = {"bronze": "yellow", "silver": "white", "gold": "bright_yellow"}
_CUT, _CUT_PLAIN = "┆⋯┆", "|~|"
_LEAST = 24
"""Columns for bars, whatever else there is."""
_TOLD = 3
_HOUR = 3_600_000
_DAY = 24 * _HOUR


def timeline(show: Show, found: Timeline) -> None:
    """The life of a run: what happened when, how long it waited for that, and when each dataset was built."""
    width = get_terminal_size().columns
    show.line(
        f"{found.id}  {found.status}  {short(found.reason, max(width - len(found.id) - len(found.status) - 4, 20))}"
    )
    show.line()
    picture(show, list(_life(show, found, width)))
    built = [one for one in found.windows if one.began_at and one.ended_at]
    if built:
        show.line()
        picture(show, list(_bars(show, built, found.stretches, width)))
        show.note(found.begins)
    for lacking in found.lacking:
        show.note(lacking)


def _life(show: Show, found: Timeline, width: int) -> Iterator[list[Piece]]:
    """A line a step; between two of them, how long it took from one to the other."""
    rail = "│" if is_unicode(show.out) else "|"
    room = max((len(step.step) for step in found.steps), default=0) + 2
    for step in found.steps:
        if step.after_ms is not None:
            yield [(f"{rail} {long_text(step.after_ms)}", "dim")]
        by = f"  {step.by}" if step.by else ""
        text = f"{step.step:<{room}}{cell(step.at)}{by}"
        reason = "" if step.step == "asked" or not step.reason else short(step.reason, max(width - len(text) - 2, 16))
        yield [(text[:room], "bold"), (text[room:], ""), (f"  {reason}" if reason else "", "dim")]


def _bars(
    show: Show, windows: Sequence[PlannedWindow], stretches: Sequence[Stretch], width: int
) -> Iterator[list[Piece]]:
    """A line a dataset: where in the time each of its windows was built, and how many days that were."""
    names = list(dict.fromkeys(one.dataset for one in windows))
    room = max(map(len, names)) + 2
    said = {name: _said([one for one in windows if one.dataset == name]) for name in names}
    space = max(width - room - max(map(len, said.values())) - 2, _LEAST)
    axis = Axis(stretches, space, len(_CUT))
    bar = "█" if is_unicode(show.out) else "#"
    for name in names:
        own = [one for one in windows if one.dataset == name]
        line = [" "] * axis.width
        for one in own:
            assert one.began_at
            assert one.ended_at
            first, last = axis.at(one.began_at), axis.at(one.ended_at)
            line[first : max(last, first + 1)] = bar * max(last - first, 1)
        for place in axis.cuts:
            line[place : place + len(_CUT)] = _CUT if is_unicode(show.out) else _CUT_PLAIN
        yield [(f"{name:<{room}}", ""), ("".join(line), _LAYERS[own[0].layer]), (f"  {said[name]}", "dim")]
    yield [(" " * room, ""), (axis.scale(), "dim")]
    gaps = [int((after.begins - before.ends).total_seconds() * 1000) for before, after in pairwise(stretches)]
    if gaps:
        yield [
            (" " * room, ""),
            (f"cut out: {', '.join(map(long_text, gaps[:_TOLD]))}{_more(gaps)} without work", "dim"),
        ]


def _more(gaps: Sequence[int]) -> str:
    rest = gaps[_TOLD:]
    return f" and {len(rest)} more, {long_text(sum(rest))} in all," if rest else ""


def _said(windows: Sequence[PlannedWindow]) -> str:
    days = sum(one.built for one in windows)
    return f"{days} day{'s' if days != 1 else ''}, {seconds_text(sum(one.work_ms for one in windows))}"


class Axis:
    """Time as columns: stretches beside each other, each as wide as it is long, with a cut of some columns between."""

    def __init__(self, stretches: Sequence[Stretch], width: int, cut: int) -> None:
        self._stretches = stretches
        total = sum((one.ends - one.begins).total_seconds() for one in stretches) or 1.0
        space = max(width - cut * (len(stretches) - 1), len(stretches))
        self._starts: list[int] = []
        self._widths: list[int] = []
        self.cuts: list[int] = []
        place = 0
        for number, one in enumerate(stretches):
            if number:
                self.cuts.append(place)
                place += cut
            wide = max(int(space * (one.ends - one.begins).total_seconds() / total), 1)
            self._starts.append(place)
            self._widths.append(wide)
            place += wide
        self.width = place

    def at(self, moment: datetime) -> int:
        """The column of a moment that lies in one of the stretches."""
        for start, wide, one in zip(self._starts, self._widths, self._stretches, strict=True):
            if moment <= one.ends:
                length = (one.ends - one.begins).total_seconds() or 1.0
                return start + min(int(wide * (moment - one.begins).total_seconds() / length), wide)
        return self.width

    def scale(self) -> str:
        """When it begins, and how long after that it ends, by the clock."""
        first, last = self._stretches[0].begins, self._stretches[-1].ends
        begins = f"{first:%H:%M:%S}"
        ends = f"+{long_text(int((last - first).total_seconds() * 1000))}"
        return f"{begins}{ends:>{max(self.width - len(begins), len(ends) + 1)}}"


def long_text(milliseconds: int) -> str:
    """A duration for people, however long: 3.2 s, 4 min 10 s, 5 h 10 min, 8 d 3 h."""
    if milliseconds < _HOUR:
        return seconds_text(milliseconds)
    if milliseconds < _DAY:
        return f"{milliseconds // _HOUR} h {milliseconds % _HOUR // 60_000} min"
    return f"{milliseconds // _DAY} d {milliseconds % _DAY // _HOUR} h"
