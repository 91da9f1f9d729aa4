"""How far something is, as lines of a terminal: pure, so that each width can be looked at without one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

from tradex_ledger.cli.escape import clipped, masked, shown
from tradex_ledger.cli.terminal import size_of

RUN = re.compile(r"(?:bf|run)-[0-9a-z]+")
"""A stage that is called as a run is the run itself, and heads the others."""
_NARROWEST, _WIDEST = 6, 30
"""Cells of a bar."""
_GAP = "  "
_COMMAND = "tradex "
_BETWEEN_WORDS = re.compile(r"(?<=\S) (?=\S)")


class Progress(Protocol):
    """Hears how far something is: `done` of `total` parts of a stage; 0 of 0 where nobody knows."""

    def __call__(self, stage: str, done: int, total: int) -> None: ...


def stage_lines(write: Callable[[str], None]) -> Progress:
    """A line for each run that begins, and for each stage that is done."""
    heads = set[str]()

    def callback(stage: str, done: int, total: int) -> None:
        if RUN.fullmatch(stage):
            if stage not in heads:
                write(f"{stage}: {total} partitions" if total else stage)
            heads.add(stage)
        elif done == total:
            write(f"{stage}: {done} of {total}" if total else stage)

    return callback


@dataclass(slots=True)
class Stage:
    """A stage, `done` of `total` parts of it (0 of 0: nobody knows); moments are seconds of one clock.

    `since` is when it had `base` parts and no more: what came after tells the pace.
    """

    name: str
    began: float
    since: float
    last: float
    base: int
    done: int
    total: int

    def tell(self, done: int, total: int, now: float) -> None:
        """How far it is now."""
        if done <= self.base:  # it may have waited for something else until now
            self.since, self.base = now, done
        self.done, self.total, self.last = done, total, now

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is left."""
        return self.done >= self.total

    def left_s(self, now: float) -> float | None:
        """How long the rest takes at the pace of what was done, in seconds; None where nothing was, or nothing is."""
        if self.is_done or self.done <= self.base:
            return None
        pace = (self.last - self.since) / (self.done - self.base)
        return max(0.0, pace * (self.total - self.done) - (now - self.last))


@dataclass(frozen=True, slots=True)
class Look:
    """How lines are drawn: at most `width` cells; whether what is no ASCII, and whether colours, may be in them."""

    width: int
    is_unicode: bool = True
    in_colour: bool = False


def laid(line: str, stream: TextIO) -> str:
    """A line as there is room for on a terminal: folded between words, and set in where it goes on. One with a command
    in it is left whole, to be copied."""
    width = size_of(stream)[0] if stream.isatty() else 0
    if not width or _COMMAND in line or cells(line) <= width:
        return line
    return "\n".join(folds(line, width, " " * min(len(line) - len(line.lstrip()) + 2, width // 4)))


def folds(line: str, width: int, indent: str = "") -> list[str]:
    """A line as lines that are so wide, those after the first set in; words stay whole."""
    lines, here = list[str](), ""
    for word in _BETWEEN_WORDS.split(line):
        if here.strip() and cells(here) + 1 + cells(word) > width:
            lines, here = [*lines, here], indent + word
        else:
            here = f"{here} {word}" if here else word
    return [*lines, here]


def cells(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int, *, is_unicode: bool = True) -> str:
    """As much of a text, in one line that draws nothing, as there is room for."""
    whole = shown(clipped(masked(text)))
    if cells(whole) <= width:
        return whole
    end = "…" if is_unicode else "..."
    room, kept = width - len(end), ""
    for character in whole:
        room -= _cells(character)
        if room < 0:
            break
        kept += character
    return kept.rstrip() + end if width > len(end) else kept


def clock(seconds: float) -> str:
    """So long, as a clock says it."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def waiting(text: str, seconds: float, look: Look) -> str:
    """What is waited for, since when."""
    end = f" {'…' if look.is_unicode else '...'} {int(seconds)} s"
    return cut(text, max(0, look.width - len(end)), is_unicode=look.is_unicode) + end[: look.width]


def drawn(run: Stage | None, stages: Sequence[Stage], now: float, look: Look) -> list[str]:
    """A run, and its stages below it, a line each."""
    head = [] if run is None else [_head(run, stages, now, look)]
    indent = " " if head else ""
    counts = [_count(stage) for stage in stages]
    times = [_time(stage, now) for stage in stages]
    widest = max(map(cells, (stage.name for stage in stages)), default=0)
    count_width, time_width = (max(map(len, texts), default=0) for texts in (counts, times))
    room = look.width - len(indent)
    bar = min(_WIDEST, room - widest - count_width - time_width - 3 * len(_GAP))
    is_timed = room >= widest + count_width + time_width + 2 * len(_GAP)
    lines = []
    for stage, count, time in zip(stages, counts, times, strict=True):
        named = cut(stage.name, room - count_width - len(_GAP), is_unicode=look.is_unicode)
        line = indent + named + " " * (min(widest, room - count_width - len(_GAP)) - cells(named))
        if bar >= _NARROWEST:
            line += _GAP + _bar(stage, bar, look)
        line += f"{_GAP}{count:>{count_width}}"
        lines.append(f"{line}{_GAP}{time}" if is_timed and time else line)
    return head + [line.rstrip() for line in lines]


def _head(run: Stage, stages: Sequence[Stage], now: float, look: Look) -> str:
    """The run: how far it is, how long it has taken, and what is left of it at the pace of its partitions."""
    left = run.left_s(now)
    parts = [clock((run.last if run.is_done and run.total else now) - run.began)]
    if left is not None:
        parts.append(f"about {clock(left)} left")
    elif not run.total and not stages:
        parts.append("looking at what is to be done")
    counts = (f"{run.done} of {run.total} partitions", f"{run.done}/{run.total}") if run.total else ()
    texts = [f"{run.name}{_GAP}{', '.join([*told, *parts])}" for told in (*((count,) for count in counts), ())]
    fitting = next((text for text in texts if len(text) <= look.width), texts[-1])
    return cut(fitting, look.width, is_unicode=look.is_unicode)


def _count(stage: Stage) -> str:
    return f"{stage.done}/{stage.total}" if stage.total else ""


def _time(stage: Stage, now: float) -> str:
    if stage.is_done:
        return clock(stage.last - stage.began) if stage.total else ""
    left = stage.left_s(now)
    return clock(now - stage.began) if left is None else f"{clock(left)} left"


def _bar(stage: Stage, width: int, look: Look) -> str:
    if not stage.total:
        return " " * width
    full = min(width, width * stage.done // stage.total)
    done, rest = ("━" * full, "╌" * (width - full)) if look.is_unicode else ("=" * full, "." * (width - full))
    if not look.in_colour:
        return done + rest
    return f"\x1b[{32 if stage.is_done else 36}m{done}\x1b[0m\x1b[2m{rest}\x1b[0m"
