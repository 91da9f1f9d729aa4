"""Prune: files of old versions are given up by plan, approval and event, and only then removed (N4). Never Bronze."""

from __future__ import annotations

from collections.abc import Set

from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.dataset_errors import PruneRefusedError
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.plan import SHORTEST_DIGEST, full_digest, told_apart
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.waiting import ListedFile
from tradex_ledger.lake.identity import mark_saved, settle
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.relations.asked import pruned_paths, standing
from tradex_ledger.relations.data import LOGIC_VERSIONS, PARTITION_HISTORY, PARTITIONS, Partition, lake_files
from tradex_ledger.relations.runs import WORK
from tradex_ledger.views import Asked, resolve, shared_views

_GIVEN_UP = "dataset = ? and component is not null and is_deprecated and not is_read"


def prunable(ledger: Ledger, dataset: str) -> list[ListedFile]:
    """Files of versions that readers do not get any more: superseded, reverted, abandoned, or of a deprecated version.

    A file that a current partition of a version in good standing, or of the one that readers get, still names is
    never among them; nor one that a run still open has built, nor any of a protected day.
    """
    protected = ledger.get(Dataset, stream_of(dataset), "dataset").protected
    asked = ("partition_history", "partitions", "logic_versions", "work", "pruned_files")
    with shared_views(ledger.store, resolve(ledger.store, None), *asked) as connection:
        history = PARTITION_HISTORY.read(connection, "dataset = ? and layer <> 'bronze' order by position", dataset)
        current = PARTITIONS.read(connection, "dataset = ?", dataset)
        deprecated = LOGIC_VERSIONS.read(connection, _GIVEN_UP, dataset)
        open_runs = {run.run_id for run in WORK.read(connection)}
        gone, now = pruned_paths(connection, dataset), standing(connection)
    given_up = {version.logic_version for version in deprecated}
    kept = gone.union(
        *(_paths(row) for row in current if row.logic_version not in given_up),
        *({file.path for file in now(row.files)} for row in history if row.run_id in open_runs),
    )
    found: dict[str, ListedFile] = {}
    for row in history:
        day = day_of(row.partition)
        if any(held.holds(day, day) for held in protected):
            continue
        for file in now(row.files):
            if file.path not in kept:
                assert row.logic_version is not None  # only Bronze has none
                found[file.path] = ListedFile(file, day, row.logic_version)
    return [found[path] for path in sorted(found)]


def lost_days(ledger: Ledger, dataset: str, paths: Set[str], as_of: Asked = None) -> list[str]:
    """The days of files to be given up that exist under no other version: once they are gone, nowhere."""
    with shared_views(ledger.store, resolve(ledger.store, as_of), "partitions", "pruned_files") as connection:
        current = PARTITIONS.read(connection, "dataset = ?", dataset)
        gone = pruned_paths(connection, dataset) | paths
    stays = {row.partition.isoformat() for row in current if gone.isdisjoint(_paths(row))}
    had = {row.partition.isoformat() for row in current if not paths.isdisjoint(_paths(row))}
    return sorted(had - stays)


def _paths(row: Partition) -> set[str]:
    return {file.path for file in lake_files(row.files)}


def plan_prune(ledger: Ledger, dataset: str, *, reason: str, by: str, policy: Policy) -> tuple[str, list[ListedFile]]:
    """Record which files of a dataset are to be given up; returns the plan's digest and the files."""
    files = prunable(ledger, dataset)
    aggregate = ledger.get(Dataset, stream_of(dataset), "dataset")
    digest = aggregate.plan_prune(files, reason=reason, by=by, policy=policy)
    ledger.append(aggregate)
    return digest, files


def prune(ledger: Ledger, lake: Lake, dataset: str, digest: str, *, by: str, policy: Policy) -> list[str]:
    """Approve a plan and remove its files. The event comes first: a crash after it leaves files that `gc` removes.

    Files that became current since the plan was made (a reverted run, say) are not removed: the plan is refused.
    """
    settle(ledger.store, lake)
    aggregate = ledger.get(Dataset, stream_of(dataset), "dataset")
    still = {listed.file.path for listed in prunable(ledger, dataset)}
    if aggregate.prune_plan and aggregate.prune_plan.paths - still:
        aggregate.prune_plan = None  # what was planned is in use again: no such plan any more
    known = aggregate.prune_plan.digest if aggregate.prune_plan else ""
    policy.check_may("prune", by)
    if known and full_digest(digest, known) != known:
        raise PruneRefusedError(
            f"{dataset} has the plan {told_apart(known, digest)} to prune",
            mend=f"give {SHORTEST_DIGEST} digits of it, or make another: tradex lake prune {dataset} --reason …",
        )
    paths = aggregate.prune(full_digest(digest, known), by=by, policy=policy)
    mark_saved(ledger, lake, ledger.append(aggregate))
    for path in paths:
        try:
            lake.remove(path)
        except OSError as error:  # what is left, `lake gc` finds: it is named by no event any more
            raise translate(error, f"removing {path}") from error
    return paths
