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
from dataclasses import dataclass, field
from typing import Any

from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.dataset_errors import LossRefusedError
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.plan import SHORTEST_DIGEST, full_digest, told_apart
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.waiting import ListedFile
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import LakeFileError
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.views import asked, open_views, resolve, rows

HASHERS = 4
_NAMED = """
    select dataset, path, bytes, rows, sha256, partition::varchar as partition, logic_version
    from lake_files
    where pruned_position is null and ($1 is null or dataset = $1)
    order by position, path
"""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at all files found: how many there are, those that are not as they were written (`problem` says how),
    and of those declared lost, what became of them (`state`)."""

    checked: int = 0
    wrong: list[dict[str, Any]] = field(default_factory=list)
    lost: list[dict[str, Any]] = field(default_factory=list)

    @property
    def nothing_there(self) -> bool:
        """Whether not one file is there: is that lake mounted at all?"""
        return self.checked > 0 and sum(file["problem"] == "missing" for file in self.wrong) == self.checked

    @property
    def back(self) -> list[dict[str, Any]]:
        """What was declared lost, and is there again as it was written."""
        return [file for file in self.lost if file["state"] == "there again"]


def find_lost(ledger: Ledger, lake: Lake, dataset: str | None = None) -> Look:
    """Hash every file that an event names (of one dataset, or of all), whatever was verified before.

    Raises: `EnvironmentFault` when a file cannot be read though nothing says that it is lost (rights).
    """
    with open_views(ledger.store, resolve(ledger.store, None), "lake_files", "lost_files") as connection:
        named = asked(connection, ["lake_files"], _NAMED, dataset)
        lost = rows(connection, "lost_files", "? is null or dataset = ? order by position, path", dataset, dataset)
    declared = {file["path"] for file in lost}
    files = list(map(LakeFile.of, named))
    problems = dict(zip((file.path for file in files), _problems(lake, files), strict=True))
    wrong = [
        {**file, "problem": problems[file["path"]]}
        for file in named
        if problems[file["path"]] and file["path"] not in declared
    ]
    told = [{**file, "state": problems.get(file["path"]) or "there again"} for file in lost]
    return Look(len(named), wrong, told)


def declare_loss(
    ledger: Ledger, lake: Lake, dataset: str, *, only: Collection[str], reason: str, by: str, policy: Policy
) -> Dataset:
    """Record which files of a dataset are lost (all that are missing or changed, or `only` those); somebody else
    confirms it. Raises: `LossRefusedError`, `NotAllowedError`."""
    aggregate = ledger.get(Dataset, stream_of(dataset), "dataset")
    policy.check_may("prune", by)
    look = find_lost(ledger, lake, dataset)
    unknown = sorted(set(only) - {file["path"] for file in look.wrong})
    if unknown:
        raise LossRefusedError(
            f"{unknown[0]} is no file of {dataset} that is missing or changed: it is there as it was written, is "
            "declared lost already, or no event names it"
        )
    files = [ListedFile.from_event(file) for file in look.wrong if not only or file["path"] in only]
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
