"""Reversal: what a backfill published stops being current, unless a later run stands on it (N19)."""

from __future__ import annotations

from typing import Any

from tradex_ledger.datasets.definition import Pipeline
from tradex_ledger.datasets.graph import ordinal
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.policy import Policy
from tradex_ledger.errors import RefusedError
from tradex_ledger.executors.identity import mark_saved, settle
from tradex_ledger.lake.storage import LocalLake
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.views import open_views, resolve, rows


class PrunedVersionError(RefusedError):
    """What would be current again was given up."""

    code = "pruned-version"

    def __init__(self, run_id: str, dataset: str, partition: str) -> None:
        super().__init__(
            f"{run_id} cannot be reverted: {dataset} {partition}, as it would be read then, was pruned or lost",
            mend="correct forward with a new backfill",
        )


def revert(
    ledger: Ledger, lake: LocalLake, pipeline: Pipeline, run_id: str, *, reason: str, by: str, policy: Policy
) -> Backfill:
    """Take a backfill's publication back. One save with the locks of its datasets: no publication slips in between.

    Raises: `BuiltUponError`, `PrunedVersionError`, `ProtectedError`, `WrongStateError`, `NotAllowedError`,
    `WriterConflictError`, `LakeIdentityError`.
    """
    settle(ledger.engine, lake)
    backfill = ledger.get(Backfill, run_id)
    locks = {name: ledger.get(Dataset, stream_of(name), "dataset") for name in backfill.candidates}
    blockers = find_blockers(ledger, pipeline, backfill)
    check_nothing_pruned(ledger, backfill)
    for name in backfill.revert(reason=reason, by=by, blockers=blockers, policy=policy):
        written = [day for day, facts in backfill.candidates[name].items() if facts["outcome"] == "written"]
        locks[name].revert(backfill.id, changed=written, by=by)
    mark_saved(ledger, lake, ledger.append(backfill, *locks.values()))
    return backfill


def find_blockers(ledger: Ledger, pipeline: Pipeline, backfill: Backfill) -> list[tuple[str, str]]:
    """Later published runs that built on this one: (run id, partition), the newest first.

    A run stands on top when it published a version of the same partition, or of one that reads a partition that
    this run wrote.
    """
    with open_views(ledger.engine, resolve(ledger.engine, None)) as connection:
        own = rows(connection, "runs", "run_id = ?", backfill.id)[0]["published_position"]
        if own is None:
            return []
        later = rows(
            connection,
            "partition_history",
            "state = 'published' and layer <> 'bronze' and published_position > ? order by published_position desc",
            own,
        )
    mine = {(name, ordinal(day)) for name, days in backfill.candidates.items() for day in days}
    wrote = {
        (name, ordinal(day))
        for name, days in backfill.candidates.items()
        for day, facts in days.items()
        if facts["outcome"] == "written"
    }
    found = []
    for row in later:
        name, day = row["dataset"], row["partition"].toordinal()
        if (name, day) in mine or _reads(pipeline, name, day, wrote):
            found.append((row["run_id"], f"{name} {row['partition']}"))
    return found


def check_nothing_pruned(ledger: Ledger, backfill: Backfill) -> None:
    """Raise `PrunedVersionError` when what readers would see instead has files that were pruned, or lost.

    That is the version of each partition before, and of a dataset with version components, when nothing else was
    published under the newest, all of the newest version that is left.
    """
    with open_views(ledger.engine, resolve(ledger.engine, None)) as connection:
        gone = {
            path
            for (path,) in connection.execute(
                "select unnest(files).path from events where topic in ('dataset.files_pruned', 'dataset.files_lost')"
            ).fetchall()
        }
        if not gone:
            return
        earlier = rows(
            connection,
            "partition_history",
            "state = 'published' and layer <> 'bronze' and run_id <> ? order by published_position",
            backfill.id,
        )
        versioned = {r["dataset"] for r in rows(connection, "logic_versions", "component is not null")}
    before: dict[tuple[str, int, str], dict[str, Any]] = {}
    for row in earlier:
        number = row["logic_version"] if row["dataset"] in versioned else 0
        before[row["dataset"], number, row["partition"].isoformat()] = row
    for name, days in backfill.candidates.items():
        newest = max((number for dataset, number, _ in before if dataset == name), default=0)
        read = {(number, day) for dataset, number, day in before if dataset == name and number == newest}
        built = {(facts["logic_version"] if name in versioned else 0, day) for day, facts in days.items()}
        for number, day in sorted(built | (read if max(built)[0] > newest else set())):
            row = before.get((name, number, day), {})
            if any(file["path"] in gone for file in row.get("files") or ()):
                raise PrunedVersionError(backfill.id, name, day)


def _reads(pipeline: Pipeline, name: str, day: int, wrote: set[tuple[str, int]]) -> bool:
    definition: Any = pipeline.definitions.get(name)
    if definition is None:
        return False
    return any(
        (read.dataset, input_day) in wrote
        for read in definition.reads
        for input_day in range(day + read.first, day + read.last + 1)
    )
