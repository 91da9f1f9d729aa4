"""Bars on a terminal: how far each stage of something is, until anything else is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from tradex_ledger.cli.escape import shown

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

MOST = 12
"""Bars at a time: the oldest makes room. What a screen has no line for is not drawn, and that would be the newest."""


class Bars:
    """A bar a stage. They are drawn over again and again, so they end (and stay) before anything is said below them."""

    def __init__(self) -> None:
        self._drawn: Progress | None = None
        self._stages: dict[str, TaskID] = {}

    def tell(self, stream: TextIO, stage: str, done: int, total: int) -> None:
        """How far a stage is, on a terminal."""
        if self._drawn is None:
            self._drawn = _begun(stream)
        if stage not in self._stages:
            if len(self._stages) == MOST:
                self._drawn.remove_task(self._stages.pop(next(iter(self._stages))))
            self._stages[stage] = self._drawn.add_task(shown(stage), total=total)
        self._drawn.update(self._stages[stage], completed=done, total=total)

    def end(self) -> None:
        """Leave those that there are as they are; what is told next begins others."""
        if self._drawn is not None:
            self._drawn.stop()
        self._drawn, self._stages = None, {}


BARS = Bars()
"""Those of the terminal: there is one, whoever prints."""


def _begun(stream: TextIO) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    made = Progress(
        TextColumn("{task.description:<28}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(file=stream),
    )
    made.start()
    return made
