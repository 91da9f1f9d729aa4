"""What should be reprocessed: late data, changed inputs, new logic, half-done runs, as requests ready to submit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from tradex_ledger.datasets.graph import days_of
from tradex_ledger.domain.advice import Advice
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import Day, iso, span
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.pipeline_state import stream_of
from tradex_ledger.domain.words import NO_WORDS, Words
from tradex_ledger.driving import two_days
from tradex_ledger.errors import RefusedError
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.planning.overlap import active_backfills
from tradex_ledger.relations.data import LOGIC_VERSIONS, STALE_PARTITIONS, TWO_CONTENTS, LogicVersion
from tradex_ledger.relations.runs import RUNS, Run
from tradex_ledger.upkeep.held import told_of
from tradex_ledger.upkeep.late import Late
from tradex_ledger.upkeep.requests import Wanted, requests, upstream_first
from tradex_ledger.views import resolve, shared_views

Refusal = Callable[[Backfill], RefusedError | None]

_HALF_DONE = """
    status = 'PAUSED'
    or (status in (select status from lifecycle where is_drivable) and (attempts > 0 or run_kind = 'incremental'))
    order by position
"""

_OPEN_INCREMENTAL = "run_kind = 'incremental' and status in (select status from lifecycle where is_active)"


def never(_: Backfill) -> None:
    """Nothing stands in the way of any backfill."""


def propose(
    ledger: Ledger, late: Sequence[Late] = (), refusal: Refusal = never, words: Words = NO_WORDS
) -> list[Advice]:
    """What to do, see `Advice`: what stands in the way first, then runs that are half done or wait, then requests.

    A backfill is outdated when it would be refused if it were driven (`refusal` says why), and waiting when it will
    mend something stale. Requests come upstream first: a dataset whose input is stale itself waits for that one.
    """
    at_work = ledger.driven()
    with shared_views(ledger.store, resolve(ledger.store, None)) as connection:
        stale = STALE_PARTITIONS.read(connection)
        logic = {row.dataset: row for row in LOGIC_VERSIONS.read(connection, "is_current")}
        half_done = RUNS.read(connection, _HALF_DONE)
        open_runs = RUNS.read(connection, _OPEN_INCREMENTAL)
        twice = TWO_CONTENTS.read(connection, "true order by dataset")
    at_work |= ledger.driven()  # once more: what was taken up in between is not abandoned
    active = active_backfills(ledger)
    refused = {b.id: error for b in active if b.id not in at_work and (error := refusal(b)) is not None}
    found = [_resume(run) for run in half_done if run.run_id not in refused and not at_work & _leases_of(run)]
    waiting: dict[str, Advice] = {}
    for run in open_runs:  # what follows from its rows it will publish itself
        if any(row.changed_by_run == run.run_id for row in stale):
            waiting[run.run_id] = _waiting_incremental(run, words.row())
            stale = [row for row in stale if row.changed_by_run != run.run_id]
    wanted: list[Advice] = []
    for dataset, days in upstream_first(stale, logic, late).items():
        left = _left(dataset, days, [b for b in active if b.id not in refused], logic, waiting)
        for request in requests(dataset, left, logic[dataset].reason):
            standing = tuple(b.id for b in active if b.id in refused and _touches(b, request))
            wanted.append(replace(request, first_cancel=standing or None))
    told_with = {run_id for request in wanted for run_id in request.first_cancel or ()}
    found += [_outdated(run_id, error) for run_id, error in refused.items() if run_id not in told_with]
    told = {item.run for item in found}
    return [
        *found,
        *(item for run_id, item in waiting.items() if run_id not in told),
        *wanted,
        *(item for one in late for item in _unread(one)),
        *(item for one in late for item in told_of(one.dataset, one.noun, one.held)),
        *(Advice(kind="two contents", command=None, reason=row.message) for row in twice),
        *(item for one in late for item in two_days.as_advice(one.two_days)),
    ]


def _leases_of(run: Run) -> set[str]:
    """The leases by which a process that drives a run is known."""
    return {run.run_id, *([stream_of(run.subject)] if run.run_kind == "incremental" else [])}


def _left(
    dataset: str,
    days: Iterable[Wanted],
    active: Sequence[Backfill],
    logic: Mapping[str, LogicVersion],
    waiting: dict[str, Advice],
) -> list[Wanted]:
    """Those of the days that no active backfill will mend; one that will mend others is told in `waiting`."""
    left = list(days)
    for backfill in active:
        covers = _covered(backfill, dataset, logic)
        if any(one.day in covers for one in left):
            waiting.setdefault(backfill.id, _waiting(backfill, dataset))
            left = [one for one in left if one.day not in covers]
    return left


# -- runs


def _resume(run: Run) -> Advice:
    """A run that broke off, or was stopped, with the command that takes it further."""
    command = f"tradex backfill {'resume' if run.status == 'PAUSED' else 'run'} {run.run_id}"
    where = f" in {run.layer}" if run.layer else ""
    why = {
        "FAILED": f"failed: {run.last_error}",
        "PAUSED": f"is paused{where}",
        "RUNNING": f"was interrupted{where}: no process drives it",
    }.get(run.status, f"was begun{where}: no process drives it")
    return Advice(
        kind="resume",
        run=run.run_id,
        status=run.status,
        command="tradex run" if run.run_kind == "incremental" else command,
        reason=f"{run.run_id} {why}",
    )


def _outdated(run_id: str, error: RefusedError) -> Advice:
    """A backfill that nobody can drive, with what stands in its way."""
    return Advice(
        kind="outdated",
        run=run_id,
        command=f'tradex backfill cancel {run_id} --reason "…"',
        reason=f"{error.message}; once it is cancelled, what it was to do is asked for anew",
    )


def _touches(backfill: Backfill, request: Advice) -> bool:
    """Whether a backfill that cannot be driven any more shares a day with a request."""
    first, last = request.first, request.last
    return first is not None and last is not None and backfill.request.first <= last and first <= backfill.request.last


def _unread(late: Late) -> list[Advice]:
    """What a run would put on record as no rows, and what nobody reads."""
    found: list[Advice] = []
    if late.rejected:
        files, lines = len(late.rejected_files), late.rejected
        which = ", ".join(late.rejected_files[:3]) + (" …" if files > 3 else "")
        found.append(
            Advice(
                kind="rejected",
                files=files,
                lines=lines,
                command="tradex run" if late.sets_out else None,
                reason=f"{files} late {'file' if files == 1 else 'files'} ({which}) with {lines} "
                f"{f'line that is no {late.noun}' if lines == 1 else f'lines that are no {late.noun}s'}; "
                f"{'the next run puts' if late.sets_out else 'the next run, or a backfill of their day, puts'} them on "
                "record, with the reasons",
            )
        )
    for item in late.look.passed_over if late.look is not None else ():
        names = ", ".join(item.names) + (" …" if item.count > len(item.names) else "")
        reason = f"{item.count} at the source passed over: {item.why} ({names})"
        found.append(Advice(kind="passed over", count=item.count, command=None, reason=reason))
    return found


def _waiting(backfill: Backfill, dataset: str) -> Advice:
    """A backfill that covers what is stale, with the command that takes it further."""
    run_id, status = backfill.id, backfill.status
    why, verb = {
        "PLANNED": ("waits for its approval", "approve"),
        "APPROVED": ("is approved and waits for a driver", "run"),
        "HELD": ("is held and waits for its release", "release"),
    }.get(status, ("is being driven", "show"))
    reason = ' --reason "…"' if verb == "release" else ""
    asked = f"{backfill.request.dataset} {iso(backfill.request.first)}..{iso(backfill.request.last)}"
    return Advice(
        kind="waiting",
        run=run_id,
        status=status,
        command=f"tradex backfill {verb} {run_id}{reason}",
        reason=f"{run_id} {why}; it mends {dataset} (asked for: {asked})",
    )


def _waiting_incremental(run: Run, noun: str) -> Advice:
    held = run.status == "HELD"
    return Advice(
        kind="waiting",
        run=run.run_id,
        status=run.status,
        command=f'tradex backfill release {run.run_id} --reason "…"' if held else "tradex run",
        reason=f"{run.run_id} {'is held and waits for its release' if held else 'is being driven'}; "
        f"it mends what follows from the {noun}s that it appended",
    )


def _covered(backfill: Backfill, dataset: str, logic: Mapping[str, LogicVersion]) -> Collection[Day]:
    """The days of a dataset that an active backfill will bring up to date.

    One that has read the source already brings no more rows; one planned for another version cannot run any more.
    """
    asked = backfill.request
    if logic[dataset].layer == LAYERS[0]:
        is_meant = asked.dataset in (dataset, LAYERS[0]) and backfill.next_layer() == LAYERS[0]
        return span(asked.first, asked.last) if is_meant else ()
    pins = backfill.plan.definitions if backfill.plan else {}
    outdated = any(name in logic and logic[name].logic_version != pin.logic_version for name, pin in pins.items())
    return () if outdated else days_of(backfill.windows, dataset)
