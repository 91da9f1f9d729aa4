"""Planning: which partitions a request leads to, and what that is expected to cost, from the ledger alone (N9, N33)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

from tradex_ledger.datasets.fingerprint import fingerprint
from tradex_ledger.datasets.graph import affected, iso, windows
from tradex_ledger.domain.backfill import Backfill, RangeError
from tradex_ledger.domain.plan import Estimate, Plan, count_partitions, plan_digest
from tradex_ledger.domain.run import LAYERS
from tradex_ledger.executors.catalog import Catalog, load_catalog
from tradex_ledger.executors.context import Execution, logic_versions
from tradex_ledger.views import AsOf, open_views, rows

_COST_TOPICS = ("run.partition_rebuilt", "run.published", "run.batch_appended")


def layers_from(layer: str) -> list[str]:
    """The layers that a backfill of a dataset in `layer` runs through (N18)."""
    return list(LAYERS[LAYERS.index(layer) :])


def plan_backfill(ex: Execution, backfill: Backfill) -> Plan:
    """Work out a requested backfill's plan from the events up to now. Deterministic; records nothing.

    Raises: `RangeError` when there is nothing to rebuild, `TooLargeError`.
    """
    versions = logic_versions(ex.locks())
    base = ex.ledger.position()
    catalog = load_catalog(ex.ledger.engine, base, versions)
    days = _days_by_dataset(ex, backfill.request, catalog)
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
    touched = sorted({w["dataset"] for w in found} | {backfill.request["dataset"]})
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


def _days_by_dataset(ex: Execution, request: dict[str, Any], catalog: Catalog) -> dict[str, set[int]]:
    """The closure of the days asked for. A derived dataset has no days before its first or after its last."""
    definition = ex.pipeline.get(request["dataset"])
    first, last = (date.fromisoformat(request[end]).toordinal() for end in ("first", "last"))
    there = catalog.days()
    asked = set(range(first, last + 1))
    if definition.layer == LAYERS[0]:
        posts, _ = ex.posts()
        return affected(ex.pipeline, {posts.name: asked}, last_day=max([last, *there[-1:]]))
    asked = {day for day in asked if there and there[0] <= day <= there[-1]}
    if not asked:
        span = f"from {iso(there[0])} to {iso(there[-1])}" if there else "no day at all"
        raise RangeError(
            f"the range {iso(first)}..{iso(last)} is empty: {definition.name} has {span}",
            mend=f"see its days: tradex dataset show {definition.name} --partitions",
        )
    downstream = affected(ex.pipeline, {definition.name: asked}, last_day=there[-1])
    downstream[definition.name] = downstream.get(definition.name, set()) | asked
    return downstream


def _estimate(ex: Execution, catalog: Catalog, days: dict[str, set[int]], base: int) -> Estimate:
    """What the planned partitions hold now, and how long such partitions took before; None where nothing is known.

    A partition that is not there yet may be as small or as large as a tenth of its dataset's are (low, high).
    """
    took = _durations_ms(ex, base)
    if not took:
        return {"rows": None, "bytes": None, "seconds": None, "source_calls": None}
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
    return {**found, "source_calls": None}


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


def _durations_ms(ex: Execution, base: int) -> dict[str, list[float]]:
    """Milliseconds that each partition of each dataset took to build, over all that were."""
    with open_views(ex.ledger.engine, AsOf(base, None), topics=_COST_TOPICS) as connection:
        found = rows(connection, "partition_history", "outcome in ('written', 'identical') and layer <> 'bronze'")
    took: dict[str, list[float]] = {}
    for row in found:
        took.setdefault(row["dataset"], []).append(float(row["duration_ms"] or 0))
    return took
