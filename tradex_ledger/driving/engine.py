"""Another engine is other logic until shown otherwise: before a run works, a sample of what other engines built is
built again and compared, row by row.

Each engine is judged once under a logic version of a dataset, and the verdict is an event, so that two hosts with two
engines do not take turns for ever. What was built again is dropped: nothing is recomputed by this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import duckdb

from tradex_ledger.clock import new_token
from tradex_ledger.datasets.definition import Definition, DefinitionError
from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.dataset_errors import EngineChangedRowsError
from tradex_ledger.domain.dataset_events import DIFFERENT, EQUAL, NONE_ELIGIBLE
from tradex_ledger.domain.day import Day, day_of, iso, span
from tradex_ledger.domain.differences import EngineCheck, EngineVerdict, PlacedDifference, RowDifference
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.partition import PartitionVersion
from tradex_ledger.driving import window
from tradex_ledger.driving.build import attempt
from tradex_ledger.driving.compare import DIFFERENCES_MAX, difference, differences
from tradex_ledger.driving.contents import whole
from tradex_ledger.driving.execution import Bench, Execution, Prepared
from tradex_ledger.driving.lease import held
from tradex_ledger.driving.rebuild import window_task
from tradex_ledger.driving.window import WindowTask
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import LakeFileError, translate
from tradex_ledger.ledger.application import WriterConflictError
from tradex_ledger.ledger.ask import events_of, newest
from tradex_ledger.ledger.select import Store
from tradex_ledger.planning.base import logic_versions
from tradex_ledger.planning.catalog import Catalog
from tradex_ledger.views import AsOf, add_projections, shared_views

_BUILDERS = """
    select dataset, partition, engines
    from partition_engines
    where logic_version = ($2::bigint[])[list_position($1, dataset)]
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the comparison of one dataset came to."""

    compared_with: set[str] = field(default_factory=set)
    days: list[Day] = field(default_factory=list)
    differences: list[PlacedDifference] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """What it says of the engine."""
        if self.differences:
            return DIFFERENT
        return EQUAL if self.days else NONE_ELIGIBLE


def check_engine(ex: Execution, prepared: Prepared, names: Iterable[str], judged: set[str]) -> None:
    """Judge this engine for those of the datasets of which nothing is known yet.

    `judged` are those that this process has looked at before, and grows: it does not look twice.

    Raises: `EngineChangedRowsError` when it gives other rows than those recorded, and nobody accepted that.
    """
    engine = ex.executor.engine
    wanted = [d for n, d in ex.scope.pipeline.definitions.items() if n in set(names) and d.layer != LAYERS[0]]
    if not ex.scope.policy.engine_sample_partitions or not wanted:
        return
    locks = ex.scope.locks()
    open_ = [d for d in wanted if locks[d.name].engine_verdict(engine) in (None, NONE_ELIGIBLE)]
    todo = [d for d in open_ if d.name not in judged]
    judged.update(d.name for d in todo)
    _judge(ex, prepared, _maybe_of_another(ex, todo), locks)
    refused = {d.name: locks[d.name] for d in wanted if locks[d.name].engine_verdict(engine) == DIFFERENT}
    if refused:
        found = {n: (lock.logic_version, lock.engine_differences(engine)) for n, lock in refused.items()}
        raise EngineChangedRowsError(engine, found)


def _maybe_of_another(ex: Execution, todo: list[Definition]) -> list[Definition]:
    """Those under whose current logic version a run of another engine began.

    As long as there was one engine only, every start of a layer is looked at: 0.13 s for 100,000 of them.
    """
    if not todo:
        return []
    store, mine = ex.scope.ledger.store, f'"duckdb":"{ex.executor.duckdb}"'
    other = newest(store, ["run.layer_started"], lacking=mine)
    if other is None:
        return []
    made = {row.stream: row.position for row in events_of(store, ["dataset.logic_versioned"])}
    return [d for d in todo if made.get(stream_of(d.name), other.position) < other.position]


def _judge(ex: Execution, prepared: Prepared, todo: list[Definition], locks: dict[str, Dataset]) -> None:
    """Compare a sample of each dataset, and put the verdict on record; `locks` are as they are after it."""
    if not todo:
        return
    engine = ex.executor.engine
    position, versions = ex.scope.ledger.position(), logic_versions(locks)
    builders = _builders(ex.scope.ledger.store, position, {d.name: versions[d.name] for d in todo})
    others = {
        d: {day: engines for day, engines in builders.get(d.name, {}).items() if engine not in engines} for d in todo
    }
    catalog = ex.scope.catalogs.at(position, versions)
    for definition, days in others.items():
        if not days:
            continue  # nothing is there that another engine built
        sample = _compare(ex, prepared, definition, catalog, days)
        if sample.verdict == NONE_ELIGIBLE:
            ex.progress(f"{definition.name}: {engine} cannot be compared yet, all inputs have moved on", 0, 0)
        verdict = EngineVerdict(sample.verdict, tuple(sample.differences))
        with_, days_ = tuple(sorted(sample.compared_with)), tuple(sorted(sample.days))
        check = EngineCheck(versions[definition.name], verdict, with_, days_)
        locks[definition.name] = _record(ex, definition.name, check)


def _builders(store: Store, position: int, versions: Mapping[str, int]) -> dict[str, dict[Day, set[str]]]:
    """Who built the current partitions of a logic version: dataset → day → engines."""
    found: dict[str, dict[Day, set[str]]] = {}
    with shared_views(store, AsOf(position, None), "partition_engines") as connection:
        add_projections(connection, ["partition_engines"])
        rows = connection.execute(_BUILDERS, [list(versions), list(versions.values())]).fetchall()
    for name, day, engines in rows:
        found.setdefault(name, {})[day_of(day)] = set(engines)
    return found


def _record(ex: Execution, name: str, check: EngineCheck) -> Dataset:
    """Put a verdict on record, unless somebody was first. Raises `BumpedMeanwhileError`."""
    while True:
        dataset = ex.scope.ledger.get(Dataset, stream_of(name), "dataset")
        dataset.record_engine_check(ex.executor.engine, check, by=ex.scope.by)
        try:
            ex.scope.ledger.append(dataset)
        except WriterConflictError:
            continue
        return dataset


def _compare(
    ex: Execution, prepared: Prepared, definition: Definition, catalog: Catalog, builders: Mapping[Day, set[str]]
) -> Sample:
    """Build the largest eligible partitions again, as many as the policy says, and compare them with what is recorded.

    A partition whose files, or those of its inputs, are not as they were written tells nothing, and is passed over.
    """
    engine = ex.executor.engine
    sample, allowed = Sample(), ex.scope.policy.engine_sample_partitions
    waiting = list(_eligible(definition, catalog, builders))
    total = min(len(waiting), allowed)
    name = f"engine-{ex.token}"  # a name of its own; its lease keeps `lake gc` off what is staged
    try:
        with held(ex, name):
            bench = Bench(ex, prepared.columns, ex.lake.new_staging(name, new_token()))
            try:
                while waiting and len(sample.days) < allowed:
                    chosen, waiting = waiting[: allowed - len(sample.days)], waiting[allowed - len(sample.days) :]
                    tasks = [_again(bench, definition, catalog, day) for day in chosen]
                    for task, found in ex.pool.run(build_again, tasks):
                        _take(sample, task.window.days[0], found)
                        sample.compared_with.update(e for day in sample.days for e in builders[day])
                        ex.progress(f"compare {engine} in {definition.name}", len(sample.days), total)
            finally:
                ex.lake.drop_staging(bench.staging)
    except (OSError, duckdb.Error) as error:
        raise translate(error, f"comparing {engine} with what built {definition.name}") from error
    return sample


def _again(bench: Bench, definition: Definition, catalog: Catalog, day: Day) -> AgainTask:
    task = window_task(bench, definition, catalog, span(day, day))
    return AgainTask(task, bench.ex.lake, bench.staging.name, catalog.current[definition.name][day])


def _take(sample: Sample, day: Day, found: list[RowDifference] | None) -> None:
    if found is None:
        return
    sample.days.append(day)
    room = DIFFERENCES_MAX - len(sample.differences)
    sample.differences.extend(PlacedDifference(day, one) for one in found[:room])


def _eligible(definition: Definition, catalog: Catalog, builders: Mapping[Day, set[str]]) -> Iterator[Day]:
    """The days whose recorded inputs are those of today, the largest first, and then as by lot, but always the same."""
    current = catalog.current.get(definition.name, {})

    def rank(day: Day) -> tuple[int, str]:
        return -current[day].rows, hashlib.sha256(f"{definition.name} {iso(day)}".encode()).hexdigest()

    for day in sorted((day for day in builders if day in current), key=rank):
        version = current[day]
        if version.inputs == catalog.input_digest(definition, version.logic_version or 0, day):
            yield day


@dataclass(frozen=True, slots=True)
class AgainTask:
    """Build a partition again, and compare it with the version that is recorded."""

    window: WindowTask
    lake: Lake
    drive: str
    recorded: PartitionVersion

    def __str__(self) -> str:
        """What it builds."""
        return str(self.window)


def build_again(task: AgainTask) -> list[RowDifference] | None:
    """An `AgainTask`, in a worker process: what differs; None where a file stands in the way that is not as it was.

    A partition that this engine cannot build at all is different, too.
    """
    try:
        with attempt(task.lake, task.drive, task.window) as own:
            built = window.build_window(own)
            if ",".join(file.sha256 for file in built) == task.recorded.content:
                return []
            paths = whole(task.lake, task.recorded, frozenset())
            return list(islice(differences(paths, [file.path for file in built], own.key), DIFFERENCES_MAX))
    except LakeFileError:
        return None
    except DefinitionError as error:
        return [difference(None, None, f"{task.recorded.rows} rows", error.message)]
    except OSError as error:
        raise translate(error, f"building {task} again") from error
