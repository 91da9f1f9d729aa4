"""What a plan is expected to cost, from the ledger's own history alone (N9, N33). Deterministic; whole numbers.

Honest, not sharp. What nothing touches keeps its size and costs nothing: `low = likely = high`. What may change is
likely to stay as it is, and may become as large as a large day of its dataset is (nine tenths of its days are smaller);
what sums up many days, some of which may change, may have had its size from the others alone.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

from tradex_ledger.datasets.definition import Read
from tradex_ledger.domain.day import Day
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.plan import Estimate, Range
from tradex_ledger.planning.catalog import Catalog
from tradex_ledger.planning.scope import Scope
from tradex_ledger.planning.versions import Size
from tradex_ledger.views import AsOf, add_projections, shared_views

Spread = tuple[float, float, float]

# A window of few days costs more a day than the long ones of the past did, and a machine has other work, too.
_SLOWER = 2
_TIMES = ("build_times", "layer_times")
_PARTITIONS = "select dataset, duration_ms, partitions from build_times order by duration_ms"
_LAYERS = """
    select
        layer, greatest(0, duration_ms - partitions_ms) as beside_ms, count(*),
        sum(duration_ms)::bigint, sum(partitions_ms)::bigint
    from layer_times
    group by 1, 2
    order by 1, 2
"""


@dataclass(frozen=True, slots=True)
class Past:
    """Milliseconds of the past, each with how many took so long, rising: of the partitions built, by dataset; of each
    layer's work beside its partitions.

    `pace` is how much of its partitions' time a layer took: below 1 where several workers built them.
    """

    built: dict[str, list[tuple[int, int]]]
    beside: dict[str, list[tuple[int, int]]]
    pace: dict[str, float]

    def partition(self, dataset: str, layer: str) -> Spread:
        """What a partition of the dataset takes; what any takes, when none of it was built yet."""
        known = self.built.get(dataset) or sorted(chain.from_iterable(self.built.values()))
        low, mean, high = spread_of(known)
        pace = self.pace.get(layer, 1.0)
        return low * pace, mean * pace, high * pace


def read_past(scope: Scope, base: int) -> Past:
    """What layers and partitions took in all runs up to the base position."""
    built: dict[str, list[tuple[int, int]]] = {}
    beside: dict[str, list[tuple[int, int]]] = {}
    whole: dict[str, float] = {}
    parts: dict[str, float] = {}
    with shared_views(scope.ledger.store, AsOf(base, None), *_TIMES) as connection:
        add_projections(connection, _TIMES)
        for dataset, took, count in connection.execute(_PARTITIONS).fetchall():
            built.setdefault(dataset, []).append((took, count))
        for layer, took, count, in_all, of_partitions in connection.execute(_LAYERS).fetchall():
            beside.setdefault(layer, []).append((took, count))
            whole[layer] = whole.get(layer, 0.0) + in_all
            parts[layer] = parts.get(layer, 0.0) + of_partitions
    return Past(built, beside, {layer: min(1.0, whole[layer] / total) for layer, total in parts.items() if total})


@dataclass(frozen=True)
class Touched:
    """Days of one dataset: those whose content stays, those that may change, those that are built in any case.

    `gain` is by how much a day may grow because some of the many days that it reads may change.
    """

    same: set[Day]
    may_change: set[Day]
    certain: set[Day]
    gain: dict[Day, float]


def estimate_plan(
    scope: Scope,
    catalog: Catalog,
    versions: Mapping[str, int],
    days: Mapping[str, set[Day]],
    *,
    asked: Mapping[str, set[Day]],
    calls: Range | None,
    recomputes: bool,
) -> Estimate:
    """Rows, bytes, seconds and source calls of the planned days; None where nothing is known.

    `asked` are the days of datasets of Bronze that their sources are asked for first, so that all that follows from
    them may grow (empty: none is asked), in so many `calls`. `recomputes`: nothing is reused.
    """
    past = read_past(scope, catalog.position)
    if not past.built:
        return Estimate(None, None, None, source_calls=calls)
    touched = touched_days(scope, catalog, versions, days, asked)
    before = _sizes(scope, catalog, versions, days)
    sums = {name: [0.0, 0.0, 0.0] for name in ("rows", "bytes", "seconds")}
    for name, fate in touched.items():
        for number, what in enumerate(("rows", "bytes")):
            sizes = {day: float(size[number]) for day, size in before[name].items()}
            grows = set(catalog.current.get(name, ())) if asked else set()
            _add(sums[what], _size(sizes, fate, grows))
    _add(sums["seconds"], _seconds(scope, past, touched, asks_source=bool(asked), recomputes=recomputes))
    ranges = {
        name: Range(math.floor(low), round(likely), math.ceil(high)) for name, (low, likely, high) in sums.items()
    }
    return Estimate(**ranges, source_calls=calls)


def touched_days(
    scope: Scope,
    catalog: Catalog,
    versions: Mapping[str, int],
    days: Mapping[str, set[Day]],
    asked: Mapping[str, set[Day]],
) -> dict[str, Touched]:
    """What may become of each planned day. A day whose inputs are those it was built from is not built again."""
    found: dict[str, Touched] = {}
    moving: dict[str, set[Day]] = dict(asked)
    for name, definition in scope.pipeline.definitions.items():
        wanted = days.get(name)
        if not wanted:
            continue
        current = catalog.current.get(name, {})
        certain = wanted - current.keys()
        if not asked:
            digests = catalog.input_digests(definition, versions[name], wanted - certain)
            certain |= {day for day, digest in digests.items() if current[day].inputs != digest}
        moving[name] = set(certain)
        gain: dict[Day, float] = {}
        for day in sorted(wanted):
            moves = [(read, _moving(read, day, moving.get(read.dataset, set()))) for read in definition.reads]
            if any(count for _, count in moves):
                moving[name].add(day)
            gain[day] = max([1.0, *(_gain(read, count) for read, count in moves)])
        found[name] = Touched(wanted - moving[name], moving[name] - certain, certain, gain)
    return found


def _moving(read: Read, day: Day, days: set[Day]) -> int:
    """How many of the days that a day reads may change."""
    return sum(day + n in days for n in range(read.first, read.last + 1)) if days else 0


def _gain(read: Read, n_moving: int) -> float:
    """All days read against those that stay: what they made up alone, all may make up."""
    n_all = read.last - read.first + 1
    return n_all / (n_all - n_moving) if n_moving < n_all else 1.0


def _sizes(
    scope: Scope, catalog: Catalog, versions: Mapping[str, int], days: Mapping[str, set[Day]]
) -> dict[str, dict[Day, Size]]:
    """What each dataset has of each day: of its version, and of the one before where that one has nothing yet."""
    newer = [n for n in days if versions[n] > 1 and days[n] - catalog.current.get(n, {}).keys()]
    older = Catalog(catalog.position)
    if newer:
        before = {**versions, **{name: versions[name] - 1 for name in newer}}
        older = scope.catalogs.at(catalog.position, before)
    return {name: older.sizes(name) | catalog.sizes(name) for name in days}


def _size(sizes: Mapping[Day, float], fate: Touched, grows: set[Day]) -> Spread:
    """The size of some days; those in `grows` only gain, since Bronze only gains."""
    tenth, mean, nine_tenths = spread(list(sizes.values()))
    sums = [0.0, 0.0, 0.0]
    for day in (*fate.same, *fate.may_change, *fate.certain):
        now = sizes.get(day, 0.0)
        if day in fate.same:
            _add(sums, (now, now, now))
        elif now:
            _add(sums, (now if day in grows else min(now, tenth), now, max(now * fate.gain[day], nine_tenths)))
        else:
            _add(sums, (0.0, mean, nine_tenths))
    return sums[0], sums[1], sums[2]


def _seconds(
    scope: Scope, past: Past, touched: Mapping[str, Touched], *, asks_source: bool, recomputes: bool
) -> Spread:
    """Each layer's own work, and each partition's. What may turn out to be the same may take no time."""
    sums = [0.0, 0.0, 0.0]
    layers = {scope.pipeline.definitions[name].layer for name in touched} | ({LAYERS[0]} if asks_source else set())
    for layer in sorted(layers):  # in one order always: sums of fractions depend on it
        _add(sums, spread_of(past.beside.get(layer, [])))
    for name, fate in touched.items():
        low, likely, high = past.partition(name, scope.pipeline.definitions[name].layer)
        every = len(fate.same) + len(fate.may_change) + len(fate.certain)
        n_certain = every if recomputes else len(fate.certain)
        n_most = every if recomputes else len(fate.certain) + len(fate.may_change)
        _add(sums, (n_certain * low, n_most * likely, n_most * high))
    return sums[0] / 1000 / _SLOWER, sums[1] / 1000, sums[2] / 1000 * _SLOWER


def _add(sums: list[float], parts: Sequence[float]) -> None:
    for number, part in enumerate(parts):
        sums[number] += part


def spread_of(counted: Sequence[tuple[int, int]]) -> Spread:
    """The tenth, the mean and the nine tenths of values that are counted, rising; zeros without any."""
    count = sum(n for _, n in counted)
    if not count:
        return 0.0, 0.0, 0.0
    mean = sum(value * n for value, n in counted) / count
    ends = list(accumulate(n for _, n in counted))
    low, high = (float(counted[bisect_right(ends, at)][0]) for at in ((count - 1) // 10, count - 1 - (count - 1) // 10))
    return min(low, mean), mean, max(high, mean)


def spread(values: Sequence[float]) -> Spread:
    """The tenth, the mean and the nine tenths of some values; zeros without any."""
    if not values:
        return 0.0, 0.0, 0.0
    ordered = sorted(values)
    last = len(ordered) - 1
    mean = sum(ordered) / len(ordered)
    return min(ordered[last // 10], mean), mean, max(ordered[last - last // 10], mean)
