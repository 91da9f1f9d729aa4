"""Why a partition is as it is: which run made it, who asked, who approved, by which logic, of what, instead of what."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import NamedTuple

from tradex_ledger.audit.documents.why import (
    Decision,
    Extraction,
    LogicBehind,
    RunBehind,
    Version,
    WhyDocument,
)
from tradex_ledger.audit.origins import Moved, Origins, origins
from tradex_ledger.audit.reader import Reader
from tradex_ledger.audit.tables import named_version
from tradex_ledger.domain.facts import Facts, facts_of
from tradex_ledger.errors import NotFoundError
from tradex_ledger.ledger.ask import of_stream
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.relations.asked import history_of
from tradex_ledger.relations.data import (
    LOGIC_VERSIONS,
    LOST_FILES,
    PRUNED_FILES,
    RECENT_HISTORY,
    LogicVersion,
    PartitionHistory,
    lake_files,
)
from tradex_ledger.relations.runs import RUNS, Run

_DECIDED = ("backfill.approved", "backfill.rejected", "run.released")


class NoSuchPartitionError(NotFoundError):
    """A dataset has no such day, as of then."""

    code = "no-such-partition"

    def __init__(self, table: str, day: date, position: int, others: Sequence[Version] = ()) -> None:
        made = [f"version {one.logic_version} by {one.run_id} ({one.state})" for one in others]
        super().__init__(
            f"{table} has no {day} as of position {position}",
            mend=f"what was built of that day, and is not what readers get: {', '.join(made)}"
            if made
            else f"see which days it has: tradex dataset show {table} --partitions",
        )


class _Decided(NamedTuple):
    rule: str | None = None
    reason: str | None = None
    plan_digest: str | None = None
    policy_digest: str | None = None
    seen: int | None = None
    checkpoint: str | None = None
    signature: str | None = None
    key: str | None = None


class _Planned(NamedTuple):
    base: int


class _Started(NamedTuple):
    extraction: Facts | None


class _Asked(NamedTuple):
    source: str
    cursor_from: str | None
    cursor_to: str


def why(reader: Reader, table: str, day: date, *, text: bool = False) -> WhyDocument:
    """Why a day of a dataset (`gold_signals`, or `gold_signals_v1` for one version of it) is as it is.

    With `text` the definitions stand in it, too. Raises: `UnknownTableError`, `NoSuchPartitionError`.
    """
    versions = reader.read(LOGIC_VERSIONS, "true order by position")
    logic = named_version(table, versions)
    history = _history(reader, logic, day)
    current = _current(history, logic)
    if not current:
        raise NoSuchPartitionError(table, day, reader.as_of.position, [_version(row) for row in history])
    is_bronze = logic.layer == "bronze"
    made = [row.position for row in current]
    found = origins(reader, () if is_bronze else made, made if is_bronze else ())
    newest = None if is_bronze else current[-1]
    before = _replaced(history, newest)
    return WhyDocument(
        as_of=reader.as_of,
        dataset=logic.dataset,
        layer=logic.layer,
        partition=day,
        logic_version=newest.logic_version if newest else None,
        rows=sum(row.rows for row in current),
        version=_version(newest) if newest else None,
        written=_written(history, newest),
        replaced=_version(before) if before else None,
        others=[_version(row) for row in history if not is_bronze and row not in (newest, before)],
        logic=list(_logic(versions, found, text=text)),
        runs=_runs(reader, found),
        inputs=found.builds,
        batches=found.batches,
        warnings=list(_warnings(reader, found, versions, newest)),
        row=[],
    )


def _history(reader: Reader, logic: LogicVersion, day: date) -> list[PartitionHistory]:
    """All that was ever built of a day, or appended to it, oldest first."""
    if logic.layer == "bronze":
        return reader.read(RECENT_HISTORY, "dataset = ? and partition = ? order by position", logic.dataset, day)
    return history_of(reader.connection, logic.dataset, day)


def _current(history: list[PartitionHistory], logic: LogicVersion) -> list[PartitionHistory]:
    """What readers get of it: a version, or of Bronze all batches."""
    if logic.layer == "bronze":
        return history
    own = [row for row in history if logic.component is None or row.logic_version == logic.logic_version]
    return sorted((row for row in own if row.published_position is not None), key=_age)[-1:]


def _age(row: PartitionHistory) -> tuple[int, int]:
    return row.published_position or 0, row.position


def _version(row: PartitionHistory) -> Version:
    return Version(
        row.position, row.at, row.run_id, row.logic_version, row.state, row.outcome, row.rows, row.published_position,
        row.published_at, list(lake_files(row.files)),
    )  # fmt: skip


def _replaced(history: list[PartitionHistory], newest: PartitionHistory | None) -> PartitionHistory | None:
    """What readers got before: under the same logic version, else under one before it."""
    if newest is None:
        return None
    older = [row for row in history if row.published_position is not None and _age(row) < _age(newest)]
    return max(older, key=lambda row: (row.logic_version == newest.logic_version, *_age(row)), default=None)


def _written(history: list[PartitionHistory], newest: PartitionHistory | None) -> Version | None:
    """The version that brought the files of one that was found identical, or reused."""
    if newest is None or newest.outcome == "written":
        return None
    same = (row for row in history if row.outcome == "written" and row.files == newest.files)
    return next((_version(row) for row in same), None)


def _logic(versions: list[LogicVersion], found: Origins, *, text: bool) -> Iterator[LogicBehind]:
    made = [
        *((build.dataset, build.logic_version) for build in reversed(found.builds)),
        *((batch.dataset, batch.logic_version) for batch in found.batches),
    ]
    known = {(one.dataset, one.logic_version): one for one in versions}
    for which in dict.fromkeys(made):
        one = known[which]
        digest = hashlib.sha256(one.definition.encode()).hexdigest()
        yield LogicBehind(
            one.dataset, one.logic_version, one.fingerprint, one.reason, one.indirect, one.versioned_by,
            one.versioned_at, one.is_current, one.is_deprecated, digest, one.definition if text else None,
        )  # fmt: skip


def _runs(reader: Reader, found: Origins) -> list[RunBehind]:
    builds = Counter(build.run_id for build in found.builds)
    batches = Counter(batch.run_id for batch in found.batches)
    rows = {run.run_id: run for run in reader.read(RUNS, "list_contains(?, run_id)", found.runs)}
    return [_run(reader, rows[run], builds[run], batches[run]) for run in found.runs]


def _run(reader: Reader, run: Run, builds: int, batches: int) -> RunBehind:
    told = of_stream(reader.store, run.run_id, ("backfill.planned", "run.layer_started", *_DECIDED))
    entries = [entry_of(reader.store.ledger, row) for row in reversed(told) if row.position <= reader.as_of.position]
    planned = [facts_of(_Planned, one.data).base for one in entries if one.topic == "backfill.planned"]
    base = planned[-1] if planned else None
    started = [facts_of(_Started, one.data).extraction for one in entries if one.topic == "run.layer_started"]
    asked = [Extraction(*facts_of(_Asked, one)) for one in started if one is not None]
    return RunBehind(
        run_id=run.run_id,
        kind=run.kind,
        status=run.status,
        range_from=run.range_from,
        range_to=run.range_to,
        first_day=run.first_day,
        last_day=run.last_day,
        requested_by=run.requested_by,
        requested_at=run.requested_at,
        reason=run.reason,
        ticket=run.ticket,
        decisions=[_decision(one, base) for one in entries if one.topic in _DECIDED],
        extractions=list(dict.fromkeys(asked)),
        published_position=run.published_position,
        builds=builds,
        batches=batches,
    )


def _decision(entry: Entry, base: int | None) -> Decision:
    said = facts_of(_Decided, entry.data)
    return Decision(
        decision=entry.topic.partition(".")[2],
        by=entry.by,
        at=entry.at,
        position=entry.position,
        rule=said.rule,
        reason=said.reason,
        plan_digest=said.plan_digest,
        policy_digest=said.policy_digest,
        base=base if entry.topic == "backfill.approved" else None,
        seen=said.seen,
        checkpoint=said.checkpoint,
        is_signed=said.signature is not None,
        key=said.key,
    )


def _warnings(
    reader: Reader, found: Origins, versions: list[LogicVersion], newest: PartitionHistory | None
) -> Iterator[str]:
    """What to know about an answer: what is other by now, what is gone, and what cannot be told."""
    for build in found.builds:
        if not build.is_proven:
            yield (
                f"what {build.dataset} of {build.partition} (position {build.position}) was made of cannot be told for "
                f"sure: the digest of it on record is {build.inputs[:12]}, and that of what is found here is another"
            )
    if found.not_followed:
        yield f"{len(found.not_followed)} more versions are behind it, from position {found.not_followed[0]} on back"
    layers = {version.dataset: version.layer for version in versions}
    moved = sorted({(build.dataset, one) for build in found.builds for one in build.moved})
    moved.sort(key=lambda pair: (pair[0], pair[1].dataset, pair[1].is_again))
    for (dataset, of, _), group in groupby(moved, key=lambda pair: (pair[0], pair[1].dataset, pair[1].is_again)):
        yield _other_by_now(dataset, layers.get(of), [one for _, one in group])
    used = {(build.dataset, build.logic_version) for build in found.builds}
    used |= {(batch.dataset, batch.logic_version) for batch in found.batches}
    for version in versions:
        if version.is_deprecated and (version.dataset, version.logic_version) in used:
            yield f"version {version.logic_version} of {version.dataset} is deprecated"
        own = newest is not None and version.dataset == newest.dataset and version.is_current
        if own and newest is not None and newest.logic_version != version.logic_version:
            yield f"{version.dataset} has a newer logic by now: version {version.logic_version}, {version.reason}"
    yield from _gone(reader, found.files)


def _other_by_now(dataset: str, layer: str | None, moved: Sequence[Moved]) -> str:
    of, days = moved[0].dataset, sorted({one.partition for one in moved})
    span = f"{days[0]}" if len(days) == 1 else f"{len(days)} days, {days[0]}..{days[-1]}"
    last = max((one.position for one in moved if one.position is not None), default=None)
    since = f", the last since position {last}" if last is not None else ""
    if moved[0].is_again:
        return f"{of} of {span}: rows that an older reader left there are read again by now; {dataset} was made without"
    what = "rows came in later" if layer == "bronze" else "is another by now"
    return f"{of} of {span}: {what}{since}; the {dataset} shown here was made of what it was before"


def _gone(reader: Reader, paths: Collection[str]) -> Iterator[str]:
    for pruned in PRUNED_FILES.read(reader.connection, "list_contains(?, path)", sorted(paths)):
        yield f"the file {pruned.path} was given up by {pruned.by} (position {pruned.position})"
    for lost in LOST_FILES.read(reader.connection, "list_contains(?, path)", sorted(paths)):
        yield f"the file {lost.path} is lost (position {lost.position}): {lost.reason}"
