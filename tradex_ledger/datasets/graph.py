"""Days, windows and closure: which later partitions a changed day affects. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tradex_ledger.datasets.definition import Definition, Pipeline
from tradex_ledger.domain.day import Day, later, span
from tradex_ledger.domain.plan import Window


def affected(pipeline: Pipeline, changed: Mapping[str, Iterable[Day]], *, last_day: Day) -> dict[str, set[Day]]:
    """The closure: for each dataset downstream of the changed days, its days to rebuild.

    A day D of a dataset that is read over first..last affects D-last … D-first, up to `last_day`, the last day
    there is. What was given as changed is not in the result unless it is affected itself.
    """
    spread: dict[str, set[Day]] = {name: set(days) for name, days in changed.items()}
    result: dict[str, set[Day]] = {}
    for name, definition in pipeline.definitions.items():
        days: set[Day] = set()
        for read in definition.reads:
            if read.dataset == name:
                continue
            for day in spread.get(read.dataset, ()):
                days.update(span(day - read.last, day - read.first))
        days = {day for day in days if day <= last_day}
        days |= _own_closure(definition, days | spread.get(name, set()), last_day)
        if days:
            result[name] = days
            spread[name] = spread.get(name, set()) | days
    return result


def _own_closure(definition: Definition, seeds: set[Day], last_day: Day) -> set[Day]:
    """Days of the dataset itself that follow from its earlier days, when it reads those."""
    reached: set[Day] = set()
    for read in definition.reads:
        if read.dataset != definition.name:
            continue
        frontier = set(seeds)
        while frontier:
            step = {d for day in frontier for d in span(day - read.last, day - read.first) if d <= last_day}
            frontier = step - reached
            reached |= step
    return reached


def windows(definition: Definition, days: Iterable[Day], *, logic_version: int, window_partitions: int) -> list[Window]:
    """Cut days into windows of consecutive partitions, at most `window_partitions` each."""
    limit = min(window_partitions, definition.own_reach or window_partitions)
    found: list[Window] = []
    run: list[Day] = []

    def close() -> None:
        if run:
            found.append(Window(definition.name, definition.layer, logic_version, run[0], run[-1]))
            run.clear()

    for day in sorted(days):
        if run and (day != run[-1] + 1 or len(run) == limit):
            close()
        run.append(day)
    close()
    return found


def days_of(windows_: Iterable[Window], dataset: str) -> set[Day]:
    """The days that the windows hold of a dataset."""
    return {day for w in windows_ if w.dataset == dataset for day in span(w.first, w.last)}


def input_days(definition: Definition, first: Day, last: Day) -> dict[str, tuple[Day, Day]]:
    """For a window of days, the days (first, last) that each dataset read may show."""
    return {read.dataset: (later(first, read.first), later(last, read.last)) for read in definition.reads}
