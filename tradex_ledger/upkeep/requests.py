"""Which days should be asked for, and why: a request for each run of consecutive days of one kind."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from tradex_ledger.domain.advice import Advice
from tradex_ledger.domain.day import Day, day_of, iso
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.words import ROW
from tradex_ledger.relations.data import LogicVersion, StalePartition
from tradex_ledger.relations.reads import reads_of
from tradex_ledger.upkeep.late import Late

NEW_LOGIC, LOST, NEVER_BUILT = "new logic version", "files lost", "never built"
LATE, SKIPPED, STALE = "late", "skipped", "stale"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A day to ask for: for `rows` (each a `noun`) that came late or no run asked for; else for what is `stale`."""

    day: Day
    why: str
    rows: int = 0
    noun: str = ROW
    stale: StalePartition | None = None

    @property
    def kind(self) -> str:
        """The kind of backfill that mends it."""
        return "logical" if self.why == NEW_LOGIC else "temporal"


def late_days(late: Late) -> list[Wanted]:
    """The days of rows that Bronze lacks."""
    return [Wanted(day, LATE if day in late.passed else SKIPPED, count, late.noun) for day, count in late.rows.items()]


def upstream_first(
    stale: Iterable[StalePartition], logic: Mapping[str, LogicVersion], late: Sequence[Late]
) -> dict[str, list[Wanted]]:
    """The days to ask for, by dataset. What follows from late rows is rebuilt with them, so it is not asked for."""
    found: dict[str, list[Wanted]] = {}
    known = list(stale)
    for one in (one for one in late if one.rows):
        found[one.dataset] = late_days(one)
        known = [row for row in known if day_of(row.partition) not in one.closure.get(row.dataset, ())]
    datasets = {row.dataset: LAYERS.index(row.layer) for row in known}
    for dataset in sorted(datasets, key=lambda name: (datasets[name], name)):
        if not any(read.dataset in datasets for read in reads_of(logic[dataset].reads)):
            own = [_wanted(row) for row in known if row.dataset == dataset]
            by_day = {w.day: w for w in (*found.get(dataset, ()), *own)}  # of a day that is lost, none are late
            found[dataset] = [by_day[day] for day in sorted(by_day)]
    return found


def _wanted(row: StalePartition) -> Wanted:
    return Wanted(day_of(row.partition), row.reason if row.reason in (NEW_LOGIC, LOST) else STALE, stale=row)


def requests(dataset: str, days: Sequence[Wanted], version_reason: str) -> list[Advice]:
    """One request for each run of consecutive days of one kind; `version_reason` is that of the logic of today."""
    numbered = [(one.day - n, one.why, one) for n, one in enumerate(days)]
    runs = [[one for *_, one in run] for _, run in groupby(numbered, key=lambda item: item[:2])]
    return [_request(dataset, run, version_reason) for run in runs]


def _request(dataset: str, days: Sequence[Wanted], version_reason: str) -> Advice:
    kind, first, last = days[0].kind, days[0].day, days[-1].day
    reason = _why(dataset, days, version_reason)
    return Advice(
        kind=kind,
        dataset=dataset,
        first=first,
        last=last,
        partitions=len(days),
        posts=sum(one.rows for one in days) if days[0].stale is None else None,
        reason=reason,
        command=quoted_command(kind, dataset, first, last, reason),
    )


def quoted_command(kind: str, dataset: str, first: Day, last: Day, reason: str) -> str:
    """The command that makes a request."""
    return (
        f"tradex backfill request {kind} {dataset} --from {iso(first)} --to {iso(last)} "
        f"--no-override-state --reason {shlex.quote(reason)}"
    )


def _why(dataset: str, days: Sequence[Wanted], version_reason: str) -> str:
    """Why those days of a dataset are asked for, all for the same kind of reason."""
    why, several = days[0].why, len(days) > 1
    stale = [one.stale for one in days if one.stale is not None]
    if why == LATE:
        which = "the runs that covered those days" if several else "the run that covered that day"
        return f"{_rows_of(days)} delivered after {which}"
    if why == SKIPPED:
        return f"{_rows_of(days)} never fetched: no run has covered {'those days' if several else 'that day'}"
    if why == NEW_LOGIC:
        version = stale[0].logic_version
        return f"{dataset} has a new logic version, {version} ({version_reason}), and nothing of these days under it"
    if why == LOST:
        positions = ", ".join(sorted({str(row.changed_position) for row in stale}))
        return f"files of {dataset} were declared lost (position {positions}) and nothing has made up for them"
    causes = _few(f"{row.input_dataset} changed by {row.changed_by_run}" for row in stale)
    if all(row.reason == NEVER_BUILT for row in stale):
        return f"{dataset} was never built there: {causes}"
    return f"{dataset} is stale: {causes}"


def _rows_of(days: Sequence[Wanted]) -> str:
    count, noun = sum(one.rows for one in days), days[0].noun
    first, last = iso(days[0].day), iso(days[-1].day)
    return f"{count} {noun if count == 1 else f'{noun}s'} of {first if first == last else f'{first}..{last}'} " + (
        "was" if count == 1 else "were"
    )


def _few(causes: Iterable[str]) -> str:
    known = sorted(set(causes))
    return "; ".join(known[:3]) + (" and more" if len(known) > 3 else "")
