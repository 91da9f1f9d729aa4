"""The life of a run as a document: its steps with what lies between them, and when its windows were built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from tradex_ledger.audit.reader import Reader
from tradex_ledger.audit.report_words import begins
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.life import ENDED
from tradex_ledger.ledger.named import NoSuchStreamError, find_run
from tradex_ledger.relations.days import MOMENTS, PLANS, PlannedWindow
from tradex_ledger.relations.runs import RUNS, Run
from tradex_ledger.views import AsOf

_SHORT = timedelta(seconds=1)
"""No gap so short is cut out."""
_SHARE = 4
"""Nor one that is shorter than that part of all work."""


class Step(NamedTuple):
    """A step of a life: what happened, and how long that was after the step before (None: it is the first)."""

    step: str
    at: datetime
    by: str | None
    reason: str | None
    position: int | None
    after_ms: int | None


class Stretch(NamedTuple):
    """Some time in which something was built, without a long gap in it."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run's steps, its windows, and the stretches of time that a picture of those is drawn of: between two of them
    lies a gap that is cut out. `waited_ms` lay between the first step and the first work; null: nothing was begun."""

    as_of: AsOf
    id: str
    status: str
    reason: str | None
    steps: list[Step]
    waited_ms: int | None
    windows: list[PlannedWindow]
    stretches: list[Stretch]

    @property
    def begins(self) -> str:
        """Who built the windows that are drawn, and whence it is known when each was begun."""
        return begins((one.workers, one.began_is_told) for one in self.windows if one.began_at and one.ended_at)

    @property
    def lacking(self) -> list[str]:
        """What is to be said of the windows that have nothing: why that is so, as far as it is known by then."""
        none = [one for one in self.windows if not one.built]
        empty = [one for one in none if one.layer == LAYERS[0] and one.ended_at is not None]
        rest = len(none) - len(empty)
        names = ", ".join(dict.fromkeys(one.dataset for one in empty))
        found = [f"{_of(len(empty), self.windows)} had nothing to append: {names}"] if empty else []
        if rest:
            how = "built nothing" if self.status in ENDED else f"{'has' if rest == 1 else 'have'} nothing built yet"
            found.append(f"{_of(rest, self.windows)} {how}")
        return found


def _of(count: int, windows: Sequence[PlannedWindow]) -> str:
    return f"{count} of {len(windows)} windows"


def timeline(reader: Reader, prefix: str) -> Timeline:
    """The life of the run whose id begins so. Raises: `ShortIdError`, `NoSuchStreamError`, `AmbiguousIdError`."""
    run_id = find_run(reader.store, prefix)
    run = next(iter(reader.read(RUNS, "run_id = ?", run_id)), None)
    if run is None:
        raise NoSuchStreamError(f"{run_id} as of position {reader.as_of.position}")
    windows = reader.of_run(PLANS, run_id, "position, number, dataset")
    steps = _steps(reader, run)
    return Timeline(
        as_of=reader.as_of,
        id=run_id,
        status=run.status,
        reason=run.reason,
        steps=steps,
        waited_ms=_ms(run.started_at - run.requested_at) if run.started_at else None,
        windows=windows,
        stretches=stretches((w.began_at, w.ended_at) for w in windows if w.began_at and w.ended_at),
    )


def _steps(reader: Reader, run: Run) -> list[Step]:
    """Its moments, and the two that are none: an incremental run begins by itself, and a run is taken up."""
    found = [
        (one.at, one.position, one.moment, one.by, one.reason) for one in reader.of_run(MOMENTS, run.run_id, "position")
    ]
    if run.run_kind == "incremental":
        found.append((run.requested_at, run.position, "begun", run.requested_by, None))
    if run.started_at:
        # Behind what was decided at the same time, and before what came of it.
        behind = max(
            (place for at, place, moment, *_ in found if at <= run.started_at and moment in _BEFORE), default=0
        )
        found.append((run.started_at, behind, "taken up", "", None))
    found.sort(key=lambda one: (one[1], one[2] == "taken up"))
    steps: list[Step] = []
    for at, position, moment, by, reason in found:
        after = _ms(at - steps[-1].at) if steps else None
        is_taken = moment == "taken up"
        steps.append(Step(moment, at, by or None, reason, None if is_taken else position, after))
    return steps


_BEFORE = frozenset({"asked", "begun", "approved", "paused", "resumed"})


def stretches(spans: Iterable[tuple[datetime, datetime]]) -> list[Stretch]:
    """The time that some spans cover, without the gaps that would make them small: those that are longer than a quarter
    of all that is covered."""
    covered = _merged(sorted(spans), timedelta(0))
    work = sum((one.ends - one.begins for one in covered), timedelta(0))
    return _merged([(one.begins, one.ends) for one in covered], max(work / _SHARE, _SHORT))


def _merged(spans: Sequence[tuple[datetime, datetime]], gap: timedelta) -> list[Stretch]:
    found: list[Stretch] = []
    for begin, end in spans:
        if found and begin - found[-1].ends <= gap:
            found[-1] = Stretch(found[-1].begins, max(found[-1].ends, end))
        else:
            found.append(Stretch(begin, end))
    return found


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
