"""Reversal: what a backfill published stops being current, unless a later run stands on it (N19)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext

import duckdb

from tradex_ledger.clock import engine_name
from tradex_ledger.datasets.definition import Pipeline
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.backfill_errors import BuiltUponError
from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.dataset_errors import ProtectedError
from tradex_ledger.domain.dataset_events import ACCEPTED
from tradex_ledger.domain.day import Day, day_of, iso
from tradex_ledger.domain.differences import ContentsDiffer
from tradex_ledger.domain.partition import PartitionVersion
from tradex_ledger.domain.policy import Policy
from tradex_ledger.errors import RefusedError
from tradex_ledger.lake.identity import mark_saved, settle
from tradex_ledger.lake.port import Lake
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.relations.asked import gone_paths, standing
from tradex_ledger.relations.data import (
    LOGIC_VERSIONS,
    PARTITION_HISTORY,
    RECENT_HISTORY,
    PartitionHistory,
    lake_files,
)
from tradex_ledger.relations.runs import RUNS
from tradex_ledger.views import add_projections, resolve, shared_views


class PrunedVersionError(RefusedError):
    """What would be current again was given up."""

    code = "pruned-version"

    def __init__(self, run_id: str, dataset: str, partition: str) -> None:
        super().__init__(
            f"{run_id} cannot be reverted: {dataset} {partition}, as it would be read then, was pruned or lost",
            mend="correct forward with a new backfill",
        )


def revert(
    ledger: Ledger, lake: Lake, pipeline: Pipeline, run_id: str, *, reason: str, by: str, policy: Policy
) -> Backfill:
    """Take a backfill's publication back. One save with the locks of its datasets: no publication slips in between.

    Raises: `BuiltUponError`, `PrunedVersionError`, `ProtectedError`, `WrongStateError`, `NotAllowedError`,
    `WriterConflictError`, `LakeIdentityError`.
    """
    settle(ledger.store, lake)
    backfill = ledger.get(Backfill, run_id)
    locks = {name: ledger.get(Dataset, stream_of(name), "dataset") for name in backfill.candidates}
    blockers = find_blockers(ledger, pipeline, backfill)
    check_nothing_pruned(ledger, backfill)
    policy.check_may("revert", by)
    if backfill.status == "SUCCESS" and not blockers:  # before its last event, and in the same save
        for found in current_again(ledger, lake, pipeline, backfill, locks):
            backfill.tell_contents(found, by=by)
    for name in backfill.revert(reason=reason, by=by, blockers=blockers, policy=policy):
        written = [day for day, version in backfill.candidates[name].items() if version.is_written]
        locks[name].revert(backfill.id, changed=written, by=by)
    mark_saved(ledger, lake, ledger.append(backfill, *locks.values()))
    return backfill


def in_the_way(ledger: Ledger, pipeline: Pipeline, backfill: Backfill) -> Iterator[RefusedError]:
    """What keeps a publication from being taken back, whoever asks: each later run on top of it, one of the versions
    that were given up, the protection of each dataset."""
    on_top = dict(reversed(find_blockers(ledger, pipeline, backfill)))  # of each run the newest partition
    yield from (BuiltUponError(backfill.id, run_id, partition) for run_id, partition in on_top.items())
    try:
        check_nothing_pruned(ledger, backfill)
    except PrunedVersionError as error:
        yield error
    for name, days in sorted(backfill.candidates.items()):
        lock = ledger.get(Dataset, stream_of(name), "dataset").for_trial()
        try:
            lock.revert(backfill.id, changed=[d for d, v in days.items() if v.is_written], by=backfill.requested_by)
        except ProtectedError as error:
            yield error


def check_can(
    ledger: Ledger, pipeline: Pipeline, backfill: Backfill, over: duckdb.DuckDBPyConnection | None = None
) -> None:
    """Raise one of what is `in_the_way`: of runs on top of it, the newest; `over` the projections as of now, where they
    are open."""
    with shared_views(ledger.store, resolve(ledger.store, None)) if over is None else nullcontext(over) as connection:
        for run_id, partition in _on_top(connection, RECENT_HISTORY.name, pipeline, backfill, limit=1):
            raise BuiltUponError(backfill.id, run_id, partition)
    for error in in_the_way(ledger, pipeline, backfill):
        raise error


def find_blockers(ledger: Ledger, pipeline: Pipeline, backfill: Backfill) -> list[tuple[str, str]]:
    """Later published runs that built on this one: (run id, partition), the newest first.

    A run stands on top when it published a version of the same partition, or of one that reads a partition that
    this run wrote.
    """
    with shared_views(ledger.store, resolve(ledger.store, None)) as connection:
        if not _on_top(connection, RECENT_HISTORY.name, pipeline, backfill, limit=1):
            return []  # of what stands on top of it the newest is recent: of all of history nothing is asked
        return _on_top(connection, PARTITION_HISTORY.name, pipeline, backfill)


# $1 and $2: the partitions of the run; $3 and $4: those it wrote; $5 to $8: who reads which dataset, and how far.
_ON_TOP = """
    with wrote as (select unnest($3::varchar[]) as dataset, unnest($4::date[]) as day),
    edges as (
        select
            unnest($5::varchar[]) as dataset, unnest($6::varchar[]) as input,
            unnest($7::integer[]) as first, unnest($8::integer[]) as last
    ),
    reached as (
        select unnest($1::varchar[]) as dataset, unnest($2::date[]) as partition
        union
        select e.dataset, unnest(generate_series(w.day - e.last, w.day - e.first, interval 1 day))::date
        from wrote w
        join edges e on e.input = w.dataset
    )
    select run_id, dataset || ' ' || partition::varchar
    from {history}
    semi join reached using (dataset, partition)
    where state = 'published' and layer <> 'bronze' and published_position > $9
    order by published_position desc, position
    limit $10
"""


def _on_top(
    connection: duckdb.DuckDBPyConnection,
    history: str,
    pipeline: Pipeline,
    backfill: Backfill,
    limit: int | None = None,
) -> list[tuple[str, str]]:
    """What of a history (all of it, or what is recent) stands on top of a run, the newest first."""
    own = RUNS.read(connection, "run_id = ?", backfill.id)[0].published_position
    if own is None:
        return []
    add_projections(connection, [history])
    mine = [(name, iso(day)) for name, days in backfill.candidates.items() for day in days]
    wrote = [(name, iso(day)) for name, day in sorted(written_by(backfill))]
    edges = [(d.name, r.dataset, r.first, r.last) for d in pipeline.definitions.values() for r in d.reads]
    asked = [*_columns(mine, 2), *_columns(wrote, 2), *_columns(edges, 4), own, limit]
    return connection.execute(_ON_TOP.format(history=history), asked).fetchall()


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[number] for row in rows] for number in range(width)]


def check_nothing_pruned(ledger: Ledger, backfill: Backfill) -> None:
    """Raise `PrunedVersionError` when what readers would see instead has files that were pruned, or lost.

    That is the version of each partition before, and of a dataset with version components, when nothing else was
    published under the newest, all of the newest version that is left.
    """
    with shared_views(ledger.store, resolve(ledger.store, None)) as connection:
        gone = gone_paths(connection)
        if not gone:
            return
        earlier = PARTITION_HISTORY.read(
            connection,
            "state = 'published' and layer <> 'bronze' and run_id <> ? order by published_position",
            backfill.id,
        )
        versioned = {row.dataset for row in LOGIC_VERSIONS.read(connection, "component is not null")}
        now = standing(connection)
    before: dict[tuple[str, int, Day], PartitionHistory] = {}
    for row in earlier:
        number = (row.logic_version or 0) if row.dataset in versioned else 0
        before[row.dataset, number, day_of(row.partition)] = row
    for name, days in backfill.candidates.items():
        newest = max((number for dataset, number, _ in before if dataset == name), default=0)
        read = {(number, day) for dataset, number, day in before if dataset == name and number == newest}
        built = {((version.logic_version or 0) if name in versioned else 0, day) for day, version in days.items()}
        for number, day in sorted(built | (read if max(built)[0] > newest else set())):
            read_then = before.get((name, number, day))
            if read_then and any(file.path in gone for file in now(read_then.files)):
                raise PrunedVersionError(backfill.id, name, iso(day))


def current_again(
    ledger: Ledger, lake: Lake, pipeline: Pipeline, backfill: Backfill, locks: Mapping[str, Dataset]
) -> list[ContentsDiffer]:
    """What `run.contents_differed` says of each day whose version from before comes back, where other rows are known to
    have come of the very inputs of that version: those that are taken back, or of any other build.

    Nothing is told where a person accepted this engine's other rows, or of a dataset without a definition.
    """
    from tradex_ledger.driving.contents import compare, told  # it loads pyarrow, and many only ask whether one can

    written = written_by(backfill)
    engine = engine_name(duckdb.__version__)
    with shared_views(ledger.store, resolve(ledger.store, None)) as connection:
        gone = gone_paths(connection)
        built = PARTITION_HISTORY.read(connection, "layer <> 'bronze' order by position desc")
    known: dict[tuple[str, Day], list[PartitionHistory]] = {}
    for row in built:
        if (partition := (row.dataset, day_of(row.partition))) in written:
            known.setdefault(partition, []).append(row)
    found = []
    for (name, day), builds in sorted(known.items()):
        definition = pipeline.definitions.get(name)
        before = (row for row in builds if row.state == "published" and row.run_id != backfill.id)
        again = next(before, None)  # its dataset may have another logic by now: that is in the digest
        if definition is None or again is None or locks[name].engine_verdict(engine) == ACCEPTED:
            continue
        version = _version(again)
        others = [_version(row) for row in builds if row.outcome == "written" and row.inputs == again.inputs]
        for other in others:
            if other.content != version.content and (how := compare(lake, definition, other, version, gone)):
                found.append(told(definition, day, other, version, how))
                break
    return found


def written_by(backfill: Backfill) -> set[tuple[str, Day]]:
    """The partitions (dataset, day) of which readers got something else by a backfill."""
    return {(name, d) for name, days in backfill.candidates.items() for d, v in days.items() if v.is_written}


def _version(row: PartitionHistory) -> PartitionVersion:
    return PartitionVersion(row.logic_version, lake_files(row.files), row.rows, row.bytes, row.inputs, row.run_id)
