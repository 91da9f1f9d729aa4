"""Files that are not in the lake as they were written: found by hashing all, declared lost by two persons, then made up
for by backfills.

Only what really is missing or changed is declared, and it is looked at again when it is confirmed. Nothing is removed
and no file is written here: one event says it, and a crash is before that event or after it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.dataset_errors import LossRefusedError
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.plan import SHORTEST_DIGEST, full_digest, told_apart
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.waiting import ListedFile
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import LakeFileError
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.relations.data import LAKE_FILES, LOST_FILES, LostFile
from tradex_ledger.views import Asked, resolve, shared_views

HASHERS = 4
_OF_DATASET = "(? is null or dataset = ?) order by position, path"


class Wrong(NamedTuple):
    """A file of a dataset that is not as it was written; `problem` says how."""

    dataset: str
    listed: ListedFile


class Declared(NamedTuple):
    """A file that was declared lost, and how it is now: missing, changed, unreadable, or there again."""

    file: LostFile
    state: str


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at all files found: how many there are, those that are not as they were written, though nobody
    declared them lost, and what became of those that were."""

    checked: int
    wrong: list[Wrong]
    lost: list[Declared]


def find_lost(ledger: Ledger, lake: Lake, dataset: str | None = None, as_of: Asked = None) -> Look:
    """Hash every file that an event names (of one dataset, or of all), whatever was verified before.

    Raises: `EnvironmentFault` when a file cannot be read though nothing says that it is lost (rights).
    """
    with shared_views(ledger.store, resolve(ledger.store, as_of), "lake_files", "lost_files") as connection:
        named = LAKE_FILES.read(connection, f"pruned_position is null and {_OF_DATASET}", dataset, dataset)
        lost = LOST_FILES.read(connection, _OF_DATASET, dataset, dataset)
    declared = {file.path for file in lost}
    problems = dict(zip((one.path for one in named), _problems(lake, [one.file for one in named]), strict=True))
    wrong = [
        Wrong(one.dataset, ListedFile(one.file, day_of(one.partition), one.logic_version, problem))
        for one in named
        if (problem := problems[one.path]) and one.path not in declared
    ]
    return Look(len(named), wrong, [Declared(file, problems.get(file.path) or "there again") for file in lost])


def declare_loss(
    ledger: Ledger, lake: Lake, dataset: str, *, only: Collection[str], reason: str, by: str, policy: Policy
) -> Dataset:
    """Record which files of a dataset are lost (all that are missing or changed, or `only` those); somebody else
    confirms it. Raises: `LossRefusedError`, `NotAllowedError`."""
    aggregate = ledger.get(Dataset, stream_of(dataset), "dataset")
    policy.check_may("prune", by)
    wrong = [one.listed for one in find_lost(ledger, lake, dataset).wrong]
    unknown = sorted(set(only) - {listed.file.path for listed in wrong})
    if unknown:
        raise LossRefusedError(
            f"{unknown[0]} is no file of {dataset} that is missing or changed: it is there as it was written, is "
            "declared lost already, or no event names it"
        )
    files = [listed for listed in wrong if not only or listed.file.path in only]
    aggregate.declare_loss(files, reason=reason, by=by, policy=policy)
    ledger.append(aggregate)
    return aggregate


def confirm_loss(
    ledger: Ledger, lake: Lake, dataset: str, digest: str, *, by: str, policy: Policy
) -> tuple[ListedFile, ...]:
    """Confirm a declared loss: from this event on the files count as lost. Raises: `LossRefusedError`, also when one
    of them has turned up since."""
    aggregate = ledger.get(Dataset, stream_of(dataset), "dataset")
    plan = aggregate.loss_plan
    policy.check_may("prune", by)
    known = plan.digest if plan else ""
    if known and full_digest(digest, known) != known:
        raise LossRefusedError(
            f"{dataset} has the declared loss {told_apart(known, digest)}",
            mend=f"give {SHORTEST_DIGEST} digits of it, or declare anew: tradex lake lost {dataset} --reason …",
        )
    files = aggregate.lose(full_digest(digest, known), by=by, policy=policy)
    for listed, problem in zip(files, _problems(lake, [listed.file for listed in files]), strict=True):
        if problem is None:
            raise LossRefusedError(
                f"{listed.file.path} is there again as it was written: it is not lost",
                mend=f"declare what still is: tradex lake lost {dataset} --reason …",
            )
    ledger.append(aggregate)
    return files


def _problems(lake: Lake, files: Iterable[LakeFile]) -> Iterator[str | None]:
    with ThreadPoolExecutor(min(HASHERS, os.cpu_count() or 1)) as pool:  # hashing lets other threads go on
        yield from pool.map(lambda file: _problem(lake, file), files)


def _problem(lake: Lake, file: LakeFile) -> str | None:
    try:
        lake.fetch(file)
    except LakeFileError as error:
        return "missing" if error.is_missing else "changed"
    except EnvironmentFault as fault:
        if getattr(fault.__cause__, "errno", None) == errno.EIO:
            return "unreadable"
        raise
    return None
