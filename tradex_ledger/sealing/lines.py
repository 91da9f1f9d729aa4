"""Where a ledger's heads belong: to one line of history without a loss.

A ledger that lost events and goes on in a new epoch (`domain/lake.py`) has other events at positions that others may
know. For whoever keeps heads that is another log, so it has another origin: `tradex-ledger/ID` is the first line,
`tradex-ledger/ID/3` the one that epoch 3 began. A move to another database loses nothing, and the line goes on.

Heads of a lost line stand for nothing any more from the event on by which two people gave it up: those of more events
than both lines have in common, and of no more than were given up.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tradex_ledger.domain.waiting import EpochPlan
from tradex_ledger.lake.known import Known, known_of
from tradex_ledger.ledger.select import Store
from tradex_ledger.sealing.checkpoint import origin_of

_LATER = re.compile(r"[1-9][0-9]{0,8}").fullmatch


class Line(NamedTuple):
    """A line that began at a position, by the epoch of that number: it has the first `base` events in common with the
    line before, whose events up to `lost` were given up.
    """

    number: int
    begins: int
    base: int
    lost: int


class Lines(NamedTuple):
    """The lines of a ledger of so many events (`head`); the first has the number 0, and is not listed.

    `waits`: an epoch was asked for that nobody has begun.
    """

    ledger: str
    head: int
    later: tuple[Line, ...]
    waits: bool

    def number_at(self, size: int) -> int:
        """The line that the event at a position is of."""
        return max((line.number for line in self.later if line.begins <= size), default=0)

    def origin_at(self, size: int) -> str:
        """What a head of so many events is called."""
        return origin_of(self.ledger, self.number_at(size))

    def number_of(self, origin: str) -> int | None:
        """The line that an origin names; None for one of another ledger."""
        first = origin_of(self.ledger)
        if origin == first:
            return 0
        rest = origin.removeprefix(f"{first}/")
        return int(rest) if rest != origin and _LATER(rest) else None

    def after(self, number: int) -> Line | None:
        """The line by which the one of that number was given up, if it was."""
        return next((line for line in self.later if line.number > number), None)

    def is_given_up(self, number: int, size: int) -> bool:
        """Whether a head of that line and size was given up with what was lost."""
        after = self.after(number)
        return after is not None and after.base < size <= after.lost

    def told_at(self, number: int, size: int) -> int:
        """The last position whose events this ledger has in common with who signed a head of that line and size."""
        after = self.after(number)
        return min(size, self.head) if after is None else min(size, after.base)

    def with_epoch(self, plan: EpochPlan) -> Lines:
        """The lines as they will be once the epoch that waits has begun."""
        begun = Line(plan.epoch, self.head + 1, plan.base, plan.lost_position)
        return self._replace(later=(*self.later, begun), waits=False)


def lines_of(store: Store) -> Lines:
    """The lines of a ledger. Raises `BrokenRowError`."""
    return lines_in(known_of(store))


def lines_in(known: Known) -> Lines:
    """The same, of what is known already.

    Where a ledger arrives after a move, the event that begins the epoch follows its base at once: nothing was lost.
    """
    later = tuple(
        Line(epoch.number, epoch.position, epoch.base, epoch.lost[1])
        for epoch in known.epochs
        if epoch.position > epoch.base + 1
    )
    return Lines(known.ledger, known.head, later, known.waits)
