"""Erase: rows that law wants gone leave every file that holds them (the one exception to N6).

One person plans, another approves that very plan. Then each file that holds such rows is written anew without them,
under a name that never was, and one save puts those in the places of the others, in all datasets at once: readers have
all of it or nothing. Only then the old files are removed, and an event says that it is done. A crash before the save
leaves files that no event names; after it the same command goes on.

Whoever publishes meanwhile makes the save conflict. What a run under way has placed since shows in a last look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

import duckdb

from tradex_ledger.clock import new_token
from tradex_ledger.datasets.intake import Intake
from tradex_ledger.datasets.statement import connect
from tradex_ledger.domain.base import Aggregate
from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.erasing import ErasurePlan, Holding, key_digest
from tradex_ledger.domain.erasures import RIGHT, ErasureRefusedError, check_named
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.plan import full_digest
from tradex_ledger.domain.signing import NO_KNOWLEDGE, Basis
from tradex_ledger.domain.waiting import ListedFile
from tradex_ledger.errors import ConflictError, NotFoundError
from tradex_ledger.lake.erased import Erased
from tradex_ledger.lake.identity import mark_saved, settle
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.rewritten import Held, Sought, holding, rewrite
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.application import WriterConflictError
from tradex_ledger.planning.scope import Scope
from tradex_ledger.relations.data import LAKE_FILES, LOGIC_VERSIONS, PARTITION_HISTORY, NamedFile, lake_files
from tradex_ledger.relations.reads import reads_of
from tradex_ledger.relations.runs import WORK
from tradex_ledger.views import resolve, shared_views

_THERE = "pruned_position is null and lost_position is null and position > ? order by dataset, position, path"


class NoSuchRowsError(NotFoundError):
    """No file holds such rows."""

    code = "no-such-rows"

    def __init__(self, dataset: str, key: str) -> None:
        super().__init__(
            f"no file of {dataset}, or of what is built upon it, holds rows with such a {key}",
            mend=f'see what there is: tradex query "select distinct {key} from {dataset}"',
        )


class RunUnderWayError(ConflictError):
    """A run that has not ended has built files with rows that are to be erased."""

    code = "erase-run-open"

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"{run_id} has not ended, and has built files that hold rows which are to be erased",
            mend=f"let it end, or cancel it (tradex backfill cancel {run_id} --reason …); then plan anew",
        )


@dataclass(frozen=True, slots=True)
class Subject:
    """What is erased from: a dataset of rows, the column of their key, and all datasets that may hold them.

    `sides` take rows of that source in: the dataset itself, and those of its lines.
    """

    dataset: str
    key: str
    sides: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan that waits: what it lists, the keys that no row has, and how many other rows name one in their texts."""

    plan: ErasurePlan
    unknown: list[str]
    mentions: int


@dataclass(frozen=True, slots=True)
class Done:
    """An erasure that was carried out; `left` are files that hold such rows all the same: they were named since."""

    plan: ErasurePlan
    left: list[Holding]


def subject_of(scope: Scope, dataset: str) -> Subject:
    """What may hold rows of a dataset. Raises: `ErasureRefusedError` for one that no source fills with rows."""
    intake = next((one for one in scope.intakes if one.rows.name == dataset), None)
    if intake is None:
        raise ErasureRefusedError(
            f"{dataset} is not filled from a source: rows are erased where they come in, and from there on",
            mend=f"name one of: {', '.join(one.rows.name for one in scope.intakes)}",
        )
    sides = tuple(definition.name for definition in intake.datasets)
    return Subject(dataset, intake.rows.key[0], sides, _with_readers(scope, intake))


def _with_readers(scope: Scope, intake: Intake) -> tuple[str, ...]:
    """The datasets of a source, and all that was ever built upon them, by whichever version."""
    with shared_views(scope.ledger.store, resolve(scope.ledger.store, None), "logic_versions") as connection:
        versions = LOGIC_VERSIONS.read(connection)
    found = [definition.name for definition in intake.datasets]
    for name in found:  # it grows
        found += sorted(
            {v.dataset for v in versions if any(read.dataset == name for read in reads_of(v.reads))} - set(found)
        )
    return tuple(found)


def plan_erasure(scope: Scope, lake: Lake, dataset: str, keys: Iterable[str], *, reason: str, ticket: str) -> Planned:
    """Record which files hold rows with these keys; nothing else is done, until somebody else approves it.

    Raises: `NotAllowedError`, `ErasureRefusedError`, `NoSuchRowsError`, `RunUnderWayError`, `ProtectedError`,
    `LakeFileError`.
    """
    scope.policy.check_may(RIGHT, scope.by)
    subject, wanted = subject_of(scope, dataset), sorted(set(keys))
    erased = Erased(scope.ledger.id, frozenset(key_digest(scope.ledger.id, key) for key in wanted))
    found = _find(scope, lake, subject, erased, wanted)
    files = [held.holding for held in found if held.holding.rows]
    if not files:
        raise NoSuchRowsError(dataset, subject.key)
    aggregate = scope.lock(dataset)
    _check(scope, files)
    delivered = [name for held in found for name in held.delivered]
    aggregate.plan_erasure(
        subject.key, sorted(erased.keys), files, delivered,
        reason=reason, ticket=ticket, by=scope.by, policy=scope.policy,
    )  # fmt: skip
    scope.ledger.append(aggregate)
    assert aggregate.erasure_plan is not None
    known = {key for held in found for key in held.keys}
    return Planned(aggregate.erasure_plan, [key for key in wanted if key not in known], sum(h.mentions for h in found))


class Approval(NamedTuple):
    """What an erasure is approved on, and when; `unmoved` say so, and may not have gone on when it is saved."""

    on: Basis = NO_KNOWLEDGE
    now: datetime | None = None
    unmoved: Sequence[Aggregate] = ()


def erase(scope: Scope, lake: Lake, dataset: str, digest: str, approval: Callable[[], Approval] = Approval) -> Done:
    """Carry a plan out, or go on with one that was approved: then no other `approval` is asked for.

    Raises: as `plan_erasure`, what is raised for a signature, and `WriterConflictError`.
    """
    scope.policy.check_may(RIGHT, scope.by)
    settle(scope.ledger.store, lake)
    subject = subject_of(scope, dataset)
    waiting = scope.lock(dataset)
    known = waiting.erasing or waiting.erasure_plan
    if known is not None:
        check_named(dataset, known, digest)
    if waiting.erasing is None:
        _replace(scope, lake, subject, full_digest(digest, known.digest if known else ""), approval())
    return _finish(scope, lake, subject)


def _replace(scope: Scope, lake: Lake, subject: Subject, digest: str, given: Approval) -> None:
    """Write the files anew, and have them count in one save. Raises: `ErasureRefusedError`, `WriterConflictError`."""
    locks = {name: scope.ledger.get(Dataset, stream_of(name), "dataset") for name in subject.names}
    own = locks[subject.dataset]
    plan = own.approve_erasure(digest, by=scope.by, policy=scope.policy, on=given.on, now=given.now)
    erased = Erased(scope.ledger.id, frozenset(plan.keys))
    found = [held.holding for held in _find(scope, lake, subject, erased)]
    if {_facts(one) for one in found} != {_facts(one) for one in plan.files}:
        raise ErasureRefusedError(
            f"other files of {subject.dataset}, or of what is built upon it, hold these rows than when it was planned",
            mend=f"plan anew: tradex lake erase {subject.dataset} KEY… --reason … --ticket …",
        )
    _check(scope, found)
    placed = _write(scope, lake, plan, erased)
    for name, aggregate in locks.items():
        replaced = [one.replaced(placed[one.listed.file.path]) for one in plan.files if one.dataset == name]
        if replaced or name in subject.sides:
            aggregate.erase(subject.dataset, plan, replaced, by=scope.by)
    # First that it was approved: what was done follows.
    moved = [own, *(one for one in locks.values() if one.pending_events and one is not own)]
    unmoved = [*(one for one in locks.values() if not one.pending_events), *given.unmoved]
    try:
        # A crash before this save: files that no event names. After it: they count, and the others are only in the way.
        position = scope.ledger.append(*moved, unmoved=unmoved)
    except WriterConflictError:
        for file in placed.values():
            if file is not None:
                lake.remove(file.path)
        raise
    mark_saved(scope.ledger, lake, position)


def _facts(holding: Holding) -> tuple[str, int]:
    return holding.listed.file.path, holding.rows


def _write(scope: Scope, lake: Lake, plan: ErasurePlan, erased: Erased) -> Mapping[str, LakeFile | None]:
    """Files without the rows, by the name of the one that each is to stand for; None where no row is left."""
    with shared_views(scope.ledger.store, resolve(scope.ledger.store, None), "lake_files") as connection:
        taken = {file.path for file in LAKE_FILES.read(connection)}
    found: dict[str, LakeFile | None] = {}
    try:
        staging = lake.new_staging(f"erase-{plan.digest[:16]}", new_token())
        try:
            for number, one in enumerate(plan.files):
                path = one.listed.file.path
                staged = rewrite(lake, one.listed, erased, plan.key, staging / f"{number}.parquet")
                folder = path.rpartition("/")[0]
                found[path] = lake.place({folder: staged}, one.run, taken)[0] if staged else None
        finally:
            lake.drop_staging(staging)
    except (OSError, duckdb.Error) as error:
        raise translate(error, "writing files without the rows that are erased") from error
    return found


def _finish(scope: Scope, lake: Lake, subject: Subject) -> Done:
    """Remove what is in the way, look once more, and say that it is done."""
    plan = scope.lock(subject.dataset).erasing
    assert plan is not None
    for one in plan.files:
        try:
            lake.remove(one.listed.file.path)
            lake.forget(one.listed.file)
        except OSError as error:
            raise translate(error, f"removing {one.listed.file.path}") from error
    erased = Erased(scope.ledger.id, frozenset(plan.keys))
    left = [held.holding for held in _find(scope, lake, subject, erased)]
    while True:
        aggregate = scope.lock(subject.dataset)
        aggregate.end_erasure(left=len(left), by=scope.by)
        with suppress(WriterConflictError):
            scope.ledger.append(aggregate)
            return Done(plan, left)


def _check(scope: Scope, files: Sequence[Holding]) -> None:
    """Raise where a day is held as it is, or a run that has not ended has built one of the files."""
    for one in files:
        if one.dataset in scope.pipeline.definitions:
            scope.lock(one.dataset).check_unprotected(one.listed.day, one.listed.day)
    paths = {one.listed.file.path for one in files}
    with shared_views(scope.ledger.store, resolve(scope.ledger.store, None), "partition_history", "work") as connection:
        running = {run.run_id for run in WORK.read(connection)}
        built = PARTITION_HISTORY.read(connection, "state = 'candidate' order by position")
    for row in built:
        if row.run_id in running and not paths.isdisjoint(file.path for file in lake_files(row.files)):
            raise RunUnderWayError(row.run_id)


def _find(scope: Scope, lake: Lake, subject: Subject, erased: Erased, keys: Sequence[str] = ()) -> list[Held]:
    """All files that hold such rows, of those that an event names and nobody gave up; each is hashed before it is read.

    Given the `keys` themselves, it is told which were found, and how many other rows name one. Raises `LakeFileError`.
    """
    with shared_views(scope.ledger.store, resolve(scope.ledger.store, None), "lake_files") as connection:
        named = LAKE_FILES.read(connection, _THERE, 0)
    found: list[Held] = []
    of_dataset: Callable[[NamedFile], str] = lambda file: file.dataset  # noqa: E731
    with connect() as engine:
        for name, files in groupby(named, of_dataset):
            if name in subject.names:
                given = [_listed(file) for file in files]
                told = tuple(keys) if name == subject.dataset else ()
                found += holding(engine, lake, given, Sought(erased, subject.key, told))
    return found


def _listed(file: NamedFile) -> Holding:
    listed = ListedFile(file.file, day_of(file.partition), file.logic_version)
    return Holding(file.dataset, file.layer, file.run_id, listed, 0)
