"""Planning: which partitions a request leads to, and what that is expected to cost, from the ledger alone (N9, N33)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import cast

from tradex_ledger.datasets.definition import Definition
from tradex_ledger.datasets.graph import affected, days_of, windows
from tradex_ledger.datasets.intake import Intake
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import Cursor, Day, date_of, day_of, iso, last_before, span
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.plan import ASKED, Edge, Pin, Plan, count_partitions
from tradex_ledger.domain.request import RangeError, RecordedRequest, Request
from tradex_ledger.errors import RefusedError
from tradex_ledger.planning.base import logic_versions
from tradex_ledger.planning.catalog import Catalog
from tradex_ledger.planning.complete import buildable, check_complete
from tradex_ledger.planning.counted import calls_of
from tradex_ledger.planning.estimate import estimate_plan
from tradex_ledger.planning.scope import Scope

YEAR_DAYS = 366


class NoNewLogicError(RefusedError):
    """A logical backfill is for new logic; there is none (N12, N27)."""

    code = "no-new-logic"

    def __init__(self, dataset: str, version: int) -> None:
        super().__init__(
            f"{dataset} is complete under its version {version}: no logic has changed in those days",
            mend=f"change its definition and bump it (tradex dataset bump {dataset} --reason …), "
            "or request a temporal or dataset backfill",
        )


def subjects(scope: Scope, name: str) -> list[Definition]:
    """The datasets that a request is about: one by its name, or all of a layer by the layer's. Upstream first."""
    return scope.pipeline.layer(name) if name in LAYERS else [scope.pipeline.get(name)]


def layers_of(scope: Scope, name: str) -> list[str]:
    """The layers that a backfill of a dataset (or a layer) runs through (N18)."""
    first = min(LAYERS.index(definition.layer) for definition in subjects(scope, name))
    return list(LAYERS[first:])


def span_of(scope: Scope, name: str) -> tuple[date, date]:
    """The first and the last day there is of a dataset (or of a layer's). Raises `RangeError` when there is none."""
    catalog = scope.base().catalog
    held = {d.name for d in subjects(scope, name)} - catalog.side
    # What no day belongs to opens no range, and neither do lines that are no rows.
    days = sorted(
        {
            day
            for dataset in held
            for known in (catalog.current, catalog.outdated)
            for day in known.get(dataset, ())
            if catalog.may_be(dataset, day)
        }
    )
    days = days or catalog.days()
    if not days:
        raise RangeError(f"{name} has no partition yet: there is nothing to reprocess", mend="run first: tradex run")
    return date_of(days[0]), date_of(days[-1])


def with_days(scope: Scope, asked: Request) -> Request:
    """The request with both of its days: where one is not named, all there are. Raises `RangeError`."""
    if asked.first is not None and asked.last is not None:
        return asked
    first, last = span_of(scope, asked.dataset)
    return replace(asked, first=asked.first or first, last=asked.last or last)


def halves(asked: Request) -> tuple[Request, Request]:
    """A request of several days as two, the earlier one first."""
    first, last = cast("date", asked.first), cast("date", asked.last)
    middle = first + (last - first) // 2
    return replace(asked, last=middle), replace(asked, first=middle + timedelta(days=1))


def far_off(scope: Scope, backfill: Backfill, cursor: str | None) -> list[str]:
    """A sentence for each end of the range that lies where it may be a slip.

    That is more than a year outside the days there are, or beyond the cursor, where incremental runs have not been.
    """
    there = scope.base().catalog.days()
    first, last = backfill.request.first, backfill.request.last
    found = []
    if cursor is not None and last >= day_of(cursor):
        found.append(f"the range goes on to {iso(last)}, and incremental runs have come to {last_before(cursor)} only")
    if there and there[0] - first > YEAR_DAYS:
        found.append(
            f"the range begins on {iso(first)}, more than a year before the first day there is ({iso(there[0])})"
        )
    if there and last - there[-1] > YEAR_DAYS:
        found.append(f"the range ends on {iso(last)}, more than a year after the last day there is ({iso(there[-1])})")
    return found


def hidden_days(scope: Scope, backfill: Backfill) -> list[str]:
    """A sentence for each dataset of which readers will get a version that lacks days they get today (N26)."""
    if backfill.plan is None:
        return []
    base = scope.base()
    catalog = base.catalog
    found = []
    for name, outdated in catalog.outdated.items():
        planned = days_of(backfill.windows, name)
        left = sorted(outdated - planned)
        if planned and left and scope.pipeline.get(name).component is not None:
            found.append(hides(name, base.versions[name], left))
    return found


def hides(dataset: str, version: int, left: Sequence[Day]) -> str:
    """That readers will get a version that lacks days, in order, which they get today."""
    days = iso(left[0]) if len(left) == 1 else f"{len(left)} days ({iso(left[0])} to {iso(left[-1])})"
    return (
        f"once this is published, readers of {dataset} get version {version}, which will lack {days}: "
        "there under an older version only"
    )


def plan_backfill(scope: Scope, backfill: Backfill, state_read: Cursor | None = None) -> Plan:
    """Work out a requested backfill's plan from the events up to now. Deterministic; records nothing.

    `state_read` is the cursor that the request reads: what would follow at or after it is left to incremental runs.

    Raises: `RangeError` when there is nothing to rebuild, `TooLargeError`, `NoNewLogicError`, `ProtectedError`,
    `DeprecatedVersionError`.
    """
    base = scope.base()
    locks, versions, catalog = base.locks, base.versions, base.catalog
    wanted = _days_by_dataset(scope, backfill.request, catalog, versions)
    _extract_again(scope, backfill, catalog)
    days, _ = buildable(scope.pipeline, catalog, wanted)
    if state_read is not None:
        days = {name: {day for day in found if day < day_of(state_read)} for name, found in days.items()}
    about = {d.name: wanted.get(d.name, set()) for d in subjects(scope, backfill.request.dataset)}
    check_complete(scope.pipeline, catalog, {**days, **about}, versions)
    found = []
    for definition in scope.pipeline.definitions.values():
        if definition.layer in backfill.layers and definition.layer != LAYERS[0]:
            found += windows(
                definition,
                days.get(definition.name, ()),
                logic_version=versions[definition.name],
                window_partitions=scope.policy.window_partitions,
            )
    one_day = backfill.request.first == backfill.request.last
    scope.policy.check_size(count_partitions(found), one_day=one_day)
    for window in found:
        locks[window.dataset].check_writable()
        locks[window.dataset].check_unprotected(window.first, window.last)
    touched = sorted({w.dataset for w in found} | {d.name for d in subjects(scope, backfill.request.dataset)})
    # As it was recorded: what is made up today may come out otherwise under another release.
    pins = {name: Pin(versions[name], locks[name].fingerprint) for name in touched}
    filled = filled_by(scope, backfill)
    estimate = estimate_plan(
        scope,
        catalog,
        versions,
        days,
        asked={intake.rows.name: _asked(backfill.request) for intake in filled},
        calls=calls_of(scope, filled, *days_asked(backfill), base.position),
        recomputes=backfill.request.kind == "forced",
    )
    source = scope.described(filled) if filled else None
    plan = Plan(base.position, tuple(found), pins, estimate, scope.policy.digest, source, state_read=state_read)
    return plan.bound_to(backfill.request.to_event())


def filled_by(scope: Scope, backfill: Backfill) -> list[Intake]:
    """What a backfill asks its sources for; nothing where it leaves Bronze alone."""
    return scope.asked(backfill.request.dataset) if LAYERS[0] in backfill.layers else []


def days_asked(backfill: Backfill) -> tuple[Day, Day]:
    """The first and the last of the days that a backfill is asked for."""
    return backfill.request.first, backfill.request.last


def _extract_again(scope: Scope, backfill: Backfill, catalog: Catalog) -> None:
    """What a backfill fetches itself, before it builds upon it, stands in nobody's way in its plan."""
    if LAYERS[0] in backfill.layers:
        for definition in (d for intake in scope.asked(backfill.request.dataset) for d in intake.datasets):
            lost = catalog.lost.get(definition.name, {})
            catalog.lost[definition.name] = {day: at for day, at in lost.items() if day not in _asked(backfill.request)}


def _asked(request: RecordedRequest) -> set[Day]:
    return set(span(request.first, request.last))


def _days_by_dataset(
    scope: Scope, request: RecordedRequest, catalog: Catalog, versions: dict[str, int]
) -> dict[str, set[Day]]:
    """The closure of the days asked for. A derived dataset has no days before its first or after its last."""
    about = subjects(scope, request.dataset)
    there = catalog.days()
    asked = _asked(request)
    if about[0].layer == LAYERS[0]:
        seeds = {intake.rows.name: asked for intake in scope.asked(request.dataset)}
        return _closure(scope, seeds, asked, catalog, last_day=max([*asked, *there[-1:]]))
    asked = {day for day in asked if there and there[0] <= day <= there[-1]}
    if not asked:
        span = f"from {iso(there[0])} to {iso(there[-1])}" if there else "no day at all"
        raise RangeError(
            f"the range {iso(request.first)}..{iso(request.last)} is empty: {request.dataset} has {span}",
            mend="see what there is: tradex dataset list",
        )
    if request.kind == "logical":
        _check_new_logic(about, asked, catalog, versions)
    seeds = {definition.name: asked for definition in about}
    days = _closure(scope, seeds, asked, catalog, last_day=there[-1])
    for name in seeds:
        days[name] = days.get(name, set()) | asked
    return days


def _closure(
    scope: Scope, seeds: dict[str, set[Day]], asked: set[Day], catalog: Catalog, *, last_day: Day
) -> dict[str, set[Day]]:
    """What follows from the seeds, and the days asked for that a dataset downstream does not have at all.

    Those follow from no change: on the first of some new days, a baseline reads only older ones.
    """
    days = affected(scope.pipeline, seeds, last_day=last_day)
    new = {name: asked - catalog.current.get(name, {}).keys() for name in days}
    found = affected(
        scope.pipeline, {name: seeds.get(name, set()) | new.get(name, set()) for name in seeds | new}, last_day=last_day
    )
    return {name: found.get(name, set()) | new[name] for name in days}


def left_out(scope: Scope, backfill: Backfill) -> dict[str, dict[Day, list[tuple[str, Day]]]]:
    """What the request would lead to but cannot be built yet: dataset → day → the inputs (dataset, day) it lacks."""
    if backfill.plan:  # told as it was when the plan was made
        pinned = {name: pin.logic_version for name, pin in backfill.plan.definitions.items()}
        versions = logic_versions(scope.locks()) | pinned
        catalog = scope.catalogs.at(backfill.plan.base, versions)
    else:
        base = scope.base()
        catalog, versions = base.catalog, base.versions
    wanted = _days_by_dataset(scope, backfill.request, catalog, versions)
    _extract_again(scope, backfill, catalog)
    return buildable(scope.pipeline, catalog, wanted)[1]


def check_incremental(scope: Scope, first: int, last: int) -> None:
    """Raise `IncompleteInputsError` before an incremental run over first..last (ordinals), with nothing recorded."""
    base = scope.base()
    days = {d.name: span(first, last) for d in scope.pipeline.definitions.values() if d.layer != LAYERS[0]}
    check_complete(scope.pipeline, base.catalog, days, base.versions)


def _check_new_logic(about: list[Definition], asked: set[Day], catalog: Catalog, versions: dict[str, int]) -> None:
    for definition in about:
        current = catalog.current.get(definition.name, {})
        if any(day not in current or current[day].logic_version != versions[definition.name] for day in asked):
            return
    raise NoNewLogicError(about[0].name, versions[about[0].name])


def edges(scope: Scope, backfill: Backfill) -> list[Edge]:
    """Why each dataset is in the plan, and what of it was left out."""
    asked = {definition.name for definition in subjects(scope, backfill.request.dataset)}
    planned = {w.dataset for w in backfill.windows}
    sources = planned | asked
    if LAYERS[0] in backfill.layers:
        sources |= {intake.rows.name for intake in scope.asked(backfill.request.dataset)}
    read = [
        Edge(definition.name, f"reads {read.dataset}", read.first, read.last)
        for definition in scope.pipeline.definitions.values()
        for read in definition.reads
        if definition.name in planned and read.dataset in sources
    ]
    return [*(Edge(name, ASKED) for name in sorted(asked)), *read, *_why_left_out(scope, backfill)]


def _why_left_out(scope: Scope, backfill: Backfill) -> list[Edge]:
    found = []
    for name, days in left_out(scope, backfill).items():
        lacks = sorted({other for missing in days.values() for other, _ in missing})
        because = f"{len(days)} days left out ({iso(min(days))} to {iso(max(days))}): {', '.join(lacks)} "
        why = "has days that they read lost, never built, or under an older logic only; backfill those first"
        found.append(Edge(name, because + why))
    return found
