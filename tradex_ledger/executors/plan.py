"""Planning: which partitions a request leads to, and what that is expected to cost, from the ledger alone (N9, N33)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

from tradex_ledger.datasets.definition import Definition
from tradex_ledger.datasets.fingerprint import fingerprint
from tradex_ledger.datasets.graph import affected, iso, windows
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.plan import Estimate, Plan, count_partitions, plan_digest
from tradex_ledger.domain.request import RangeError
from tradex_ledger.domain.run import LAYERS
from tradex_ledger.errors import RefusedError
from tradex_ledger.executors.catalog import Catalog
from tradex_ledger.executors.context import Execution, logic_versions

_NO_CALLS = {"low": 0, "likely": 0, "high": 0}  # a folder of files is read, not called


class NoNewLogicError(RefusedError):
    """A logical backfill is for new logic; there is none (N12, N27)."""

    code = "no-new-logic"

    def __init__(self, dataset: str, version: int) -> None:
        super().__init__(
            f"{dataset} is complete under its version {version}: no logic has changed in those days",
            mend=f"change its definition and bump it (tradex dataset bump {dataset} --reason …), "
            "or request a temporal or dataset backfill",
        )


def subjects(ex: Execution, name: str) -> list[Definition]:
    """The datasets that a request is about: one by its name, or all of a layer by the layer's. Upstream first."""
    return ex.pipeline.layer(name) if name in LAYERS else [ex.pipeline.get(name)]


def layers_of(ex: Execution, name: str) -> list[str]:
    """The layers that a backfill of a dataset (or a layer) runs through (N18)."""
    first = min(LAYERS.index(definition.layer) for definition in subjects(ex, name))
    return list(LAYERS[first:])


def span_of(ex: Execution, name: str) -> tuple[date, date]:
    """The first and the last day there is of a dataset (or of a layer's). Raises `RangeError` when there is none."""
    versions = logic_versions(ex.locks())
    catalog = ex.catalogs.at(ex.ledger.position(), versions)
    held = {d.name for d in subjects(ex, name)}
    days = sorted({day for dataset in held for day in catalog.current.get(dataset, ())}) or catalog.days()
    if not days:
        raise RangeError(f"{name} has no partition yet: there is nothing to reprocess", mend="run first: tradex run")
    return date.fromordinal(days[0]), date.fromordinal(days[-1])


def plan_backfill(ex: Execution, backfill: Backfill) -> Plan:
    """Work out a requested backfill's plan from the events up to now. Deterministic; records nothing.

    Raises: `RangeError` when there is nothing to rebuild, `TooLargeError`, `NoNewLogicError`, `ProtectedError`,
    `DeprecatedVersionError`.
    """
    locks = ex.locks()
    versions = logic_versions(locks)
    base = ex.ledger.position()
    catalog = ex.catalogs.at(base, versions)
    days = _days_by_dataset(ex, backfill.request, catalog, versions)
    found = []
    for definition in ex.pipeline.definitions.values():
        if definition.layer in backfill.layers and definition.layer != LAYERS[0]:
            found += windows(
                definition,
                days.get(definition.name, ()),
                logic_version=versions[definition.name],
                window_partitions=ex.policy.window_partitions,
            )
    ex.policy.check_size(count_partitions(found))
    for window in found:
        locks[window["dataset"]].check_writable()
        locks[window["dataset"]].check_unprotected(window["first"], window["last"])
    touched = sorted({w["dataset"] for w in found} | {d.name for d in subjects(ex, backfill.request["dataset"])})
    plan: dict[str, Any] = {
        "base": base,
        "windows": found,
        "definitions": {
            name: {"logic_version": versions[name], "fingerprint": fingerprint(ex.pipeline.get(name))}
            for name in touched
        },
        "estimate": _estimate(ex, catalog, days, base),
        "policy_digest": ex.policy.digest,
    }
    plan["digest"] = plan_digest(backfill.request, plan)
    return plan  # type: ignore[return-value]


def _days_by_dataset(
    ex: Execution, request: dict[str, Any], catalog: Catalog, versions: dict[str, int]
) -> dict[str, set[int]]:
    """The closure of the days asked for. A derived dataset has no days before its first or after its last."""
    about = subjects(ex, request["dataset"])
    first, last = (date.fromisoformat(request[end]).toordinal() for end in ("first", "last"))
    there = catalog.days()
    asked = set(range(first, last + 1))
    if about[0].layer == LAYERS[0]:
        posts, _ = ex.posts()
        return affected(ex.pipeline, {posts.name: asked}, last_day=max([last, *there[-1:]]))
    asked = {day for day in asked if there and there[0] <= day <= there[-1]}
    if not asked:
        span = f"from {iso(there[0])} to {iso(there[-1])}" if there else "no day at all"
        raise RangeError(
            f"the range {iso(first)}..{iso(last)} is empty: {request['dataset']} has {span}",
            mend="see what there is: tradex dataset list",
        )
    if request["kind"] == "logical":
        _check_new_logic(about, asked, catalog, versions)
    seeds = {definition.name: asked for definition in about}
    days = affected(ex.pipeline, seeds, last_day=there[-1])
    for name in seeds:
        days[name] = days.get(name, set()) | asked
    return days


def _check_new_logic(about: list[Definition], asked: set[int], catalog: Catalog, versions: dict[str, int]) -> None:
    for definition in about:
        current = catalog.current.get(definition.name, {})
        if any(day not in current or current[day].logic_version != versions[definition.name] for day in asked):
            return
    raise NoNewLogicError(about[0].name, versions[about[0].name])


def edges(ex: Execution, backfill: Backfill) -> list[dict[str, Any]]:
    """Why each dataset is in the plan: asked for, or because it reads one that is, over those relative days."""
    asked = {definition.name for definition in subjects(ex, backfill.request["dataset"])}
    planned = {w["dataset"] for w in backfill.windows}
    sources = planned | asked
    if LAYERS[0] in backfill.layers:
        sources.add(ex.posts()[0].name)
    found: list[dict[str, Any]] = [
        {"dataset": name, "because": "asked for", "first": None, "last": None} for name in sorted(asked & planned)
    ]
    for definition in ex.pipeline.definitions.values():
        for read in definition.reads:
            if definition.name in planned and read.dataset in sources:
                found.append(
                    {
                        "dataset": definition.name,
                        "because": f"reads {read.dataset}",
                        "first": read.first,
                        "last": read.last,
                    }
                )
    return found


def _estimate(ex: Execution, catalog: Catalog, days: dict[str, set[int]], base: int) -> Estimate:
    """What the planned partitions hold now, and how long such partitions took before; None where nothing is known.

    A partition that is not there yet may be as small or as large as a tenth of its dataset's are (low, high).
    """
    took = ex.catalogs.durations_ms(base)
    if not took:
        return {"rows": None, "bytes": None, "seconds": None, "source_calls": _NO_CALLS}
    sums = {name: [0.0, 0.0, 0.0] for name in ("rows", "bytes", "seconds")}
    for name, wanted in days.items():
        current = catalog.current.get(name, {})
        known = [current[day] for day in wanted if day in current]
        missing = len(wanted) - len(known)
        for what in ("rows", "bytes"):
            sizes = [float(getattr(version, what)) for version in current.values()]
            certain = sum(getattr(version, what) for version in known)
            _add(sums[what], [certain + missing * part for part in _spread(sizes)])
        _add(sums["seconds"], [len(wanted) * part / 1000 for part in _spread(took.get(name, []))])
    found: Estimate = {
        name: {"low": math.floor(low), "likely": round(likely), "high": math.ceil(high)}
        for name, (low, likely, high) in sums.items()
    }
    return {**found, "source_calls": _NO_CALLS}


def _add(sums: list[float], parts: Sequence[float]) -> None:
    for number, part in enumerate(parts):
        sums[number] += part


def _spread(values: list[float]) -> tuple[float, float, float]:
    """The tenth, the mean and the nine tenths of some values; zeros without any."""
    if not values:
        return 0.0, 0.0, 0.0
    ordered = sorted(values)
    last = len(ordered) - 1
    mean = sum(ordered) / len(ordered)
    return min(ordered[last // 10], mean), mean, max(ordered[last - last // 10], mean)
