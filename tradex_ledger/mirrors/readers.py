"""What readers see of a ledger, step by step: the catalog as of a position, and what each event after it made other.

What is published follows from the run that did it, and needs no look at the rest of history. What is rare (a
revert, lost or erased files, another logic version) is the difference of two catalogs. Where the steps end, their sum
is held against the catalog there: the read side has one definition, in `projections/`, and this is none beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.day import Day, day_of, last_before
from tradex_ledger.domain.facts import Facts, facts_of
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.errors import TradexError
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.ledger.ask import PAGE, Told, events_of, has_topic, of_stream
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.ledger.select import Store
from tradex_ledger.mirrors.step import Change, Column, Shown, Step
from tradex_ledger.relations.data import DEFINITIONS, LOGIC_VERSIONS, PARTITIONS, lake_files
from tradex_ledger.views import AsOf, shared_views

PUBLISHED, APPENDED, ERASED = "run.published", "run.batch_appended", "dataset.files_erased"
VERSIONED, REGISTERED = "dataset.logic_versioned", "dataset.registered"
MOVES = (PUBLISHED, APPENDED, "backfill.reverted", "dataset.files_lost", ERASED, VERSIONED)
"""After these readers may see something else."""
_ASKED = ("partitions", "logic_versions", "definitions")


class _Batch(NamedTuple):
    """What was appended to a day."""

    dataset: str
    partition: str
    logic_version: int
    files: list[Facts]


class _Registered(NamedTuple):
    """A dataset, as it was put on record."""

    name: str
    layer: str
    component: str | None
    partition_column: str


class _Version(NamedTuple):
    """A logic version, and the columns that it gives."""

    logic_version: int
    columns: list[Facts]


class MirrorDisagreesError(TradexError):
    """What was worked out for mirrors is not what the catalog says: nothing of it is handed on."""

    code = "mirror-disagrees"

    def __init__(self, dataset: str, position: int, lacking: int, beyond: int) -> None:
        super().__init__(
            f"as of position {position}, {lacking} files of {dataset} that readers have would be missing in mirrors, "
            f"and {beyond} would be there that they have not",
            mend="nothing was mirrored; check the record: tradex audit verify; if it is whole, report this",
        )


@dataclass(slots=True)
class Table:
    """A dataset as readers have it: the logic version they get, its columns, and its files by day.

    Where versions stand side by side, `days` has those of all; a day is known by the version, too, then (else 0).
    """

    name: str
    is_bronze: bool
    has_sides: bool
    partition_column: str
    logic_version: int
    columns: tuple[Column, ...]
    days: dict[tuple[int, Day], tuple[LakeFile, ...]] = field(default_factory=dict)

    def side(self, logic_version: int | None) -> int:
        """The side that a version is on."""
        return (logic_version or 0) if self.has_sides else 0

    def shown(self) -> dict[str, Shown]:
        """The files that readers have, by their paths."""
        side = self.side(self.logic_version)
        return {
            file.path: Shown(file, day)
            for (one, day), files in sorted(self.days.items())
            if one == side
            for file in files
        }


Tables = dict[str, Table]


def tables_at(store: Store, position: int) -> Tables:
    """What readers have as of a position."""
    found: Tables = {}
    if not position:
        return found
    with shared_views(store, AsOf(position, None), *_ASKED) as connection:
        columns = {(row.dataset, row.logic_version): row.columns for row in DEFINITIONS.read(connection)}
        for version in LOGIC_VERSIONS.read(connection, "is_read order by dataset"):
            described = columns[version.dataset, version.logic_version]
            found[version.dataset] = Table(
                name=version.dataset,
                is_bronze=version.layer == LAYERS[0],
                has_sides=version.component is not None,
                partition_column=version.partition_column,
                logic_version=version.logic_version,
                columns=_columns(orjson.loads(described)),
            )
        for row in PARTITIONS.read(connection):
            table = found[row.dataset]
            table.days[table.side(row.logic_version), day_of(row.partition)] = lake_files(row.files)
    return found


def _columns(described: list[dict[str, str]]) -> tuple[Column, ...]:
    return tuple(Column(**one) for one in described)


def steps(ledger: Ledger, after: int, upto: int) -> list[Step]:
    """Each step after a position, up to another. Raises: `MirrorDisagreesError`, `BrokenRowError`."""
    reading = _Reading(ledger, tables_at(ledger.store, after))
    found = [step for step in reading.steps(after, upto) if step.changes]
    if reading.is_folded:
        _check(reading.tables, tables_at(ledger.store, upto), upto)
    return found


def _check(tables: Tables, catalog: Tables, position: int) -> None:
    for name in sorted(tables.keys() | catalog.keys()):
        ours = tables[name].shown() if name in tables else {}
        theirs = catalog[name].shown() if name in catalog else {}
        same_columns = name in tables and name in catalog and tables[name].columns == catalog[name].columns
        if ours != theirs or not same_columns:
            lacking, beyond = len(theirs.keys() - ours.keys()), len(ours.keys() - theirs.keys())
            raise MirrorDisagreesError(name, position, lacking, beyond)


def _pages(store: Store, after: int, upto: int) -> Iterator[Told]:
    while found := events_of(store, MOVES, after=after, upto=upto, limit=PAGE):
        yield from found
        after = found[-1].position


@dataclass
class _Reading:
    """The tables as of the event that was read last; `is_folded`: since the catalog was read, there was another."""

    ledger: Ledger
    tables: Tables
    is_folded: bool = False

    def steps(self, after: int, upto: int) -> Iterator[Step]:
        store = self.ledger.store
        erased = has_topic(store, ERASED, upto=after)
        batches: list[Entry] = []
        for told in _pages(store, after, upto):
            entry = entry_of(store.ledger, told)
            if batches and (entry.topic != APPENDED or not _is_of_save(entry, batches[-1])):
                yield self._appended(batches)
                batches = []
            if entry.topic == APPENDED:
                batches.append(entry)
                continue
            erased = erased or entry.topic == ERASED
            # What is built of erased files names them by what stood there then: only the catalog knows what does now.
            folded = self._published(entry) if entry.topic == PUBLISHED and not erased else None
            if entry.topic == VERSIONED:
                folded = self._versioned(entry)
            yield folded or self._compared(entry)
        if batches:
            yield self._appended(batches)

    def _appended(self, batches: list[Entry]) -> Step:
        """Batches of one save: nobody has ever seen some of them alone."""
        first, last = batches[0], batches[-1]
        told = [facts_of(_Batch, entry.data) for entry in batches]
        table = self.tables[told[-1].dataset]
        if any(one.logic_version != table.logic_version for one in told):
            return self._compared(last)
        added = []
        for one in told:
            day, files = day_of(one.partition), tuple(map(LakeFile.of, one.files))
            table.days[0, day] = (*table.days.get((0, day), ()), *files)
            added += [Shown(file, day) for file in files]
        self.is_folded = True
        change = _change(table, None, {}, {shown.file.path: shown for shown in added})
        return self._step(last, [change] if change else [], first.stream)

    def _versioned(self, entry: Entry) -> Step:
        """A logic version: readers get it at once only where nothing was published under any."""
        (told,) = of_stream(self.ledger.store, entry.stream, [REGISTERED])
        said = facts_of(_Registered, entry_of(self.ledger.store.ledger, told).data)
        version = facts_of(_Version, entry.data)
        had = self.tables.get(said.name)
        self.is_folded = True
        if had is not None and had.days:
            return self._step(entry, [], None)
        table = self.tables[said.name] = Table(
            name=said.name,
            is_bronze=said.layer == LAYERS[0],
            has_sides=said.component is not None,
            partition_column=said.partition_column,
            logic_version=version.logic_version,
            columns=_columns(version.columns),
        )
        columns = table.columns if had is None or had.columns != table.columns else None
        return self._step(entry, [_change(table, columns, {}, {})], None)

    def _published(self, entry: Entry) -> Step | None:
        """What a run published; None where that needs a look at the catalog."""
        run = self._run(entry.stream, entry.position)
        changes = []
        for name, days in sorted(run.candidates.items()):
            table = self.tables[name]
            if any(version.logic_version != table.logic_version for version in days.values()):
                return None
        for name, days in sorted(run.candidates.items()):
            table, before, after = self.tables[name], dict[str, Shown](), dict[str, Shown]()
            for day, version in days.items():
                key = table.side(version.logic_version), day
                before |= {file.path: Shown(file, day) for file in table.days.get(key, ())}
                after |= {file.path: Shown(file, day) for file in version.files}
                table.days[key] = version.files
            changes.append(_change(table, None, before, after))
        self.is_folded = True
        return self._step(entry, changes, entry.stream)

    def _compared(self, entry: Entry) -> Step:
        """The difference of what there was, and the catalog as of an event."""
        before, self.tables = self.tables, tables_at(self.ledger.store, entry.position)
        self.is_folded = False
        changes = []
        for name, table in sorted(self.tables.items()):
            had = before.get(name)
            columns = table.columns if had is None or had.columns != table.columns else None
            changes.append(_change(table, columns, had.shown() if had else {}, table.shown()))
        return self._step(entry, changes, entry.data.get("run") or entry.stream)

    def _step(self, entry: Entry, changes: Iterable[Change | None], run: object) -> Step:
        run_id = str(run) if str(run).startswith(("bf-", "run-")) else None
        by, reason = entry.by, _reason(entry.data)
        if run_id and not reason:
            told = self._run(run_id, entry.position)
            if isinstance(told, Backfill):
                by, reason = told.requested_by, told.request.reason
            else:
                reason = f"{told.pipeline}, to {last_before(told.cursor_to)}"
        return Step(entry.position, entry.topic, entry.at, by, reason, run_id, tuple(filter(None, changes)))

    def _run(self, run_id: str, position: int) -> Backfill | IncrementalRun:
        found = self.ledger.get(Backfill if run_id.startswith("bf-") else IncrementalRun, run_id, upto=position)
        assert isinstance(found, Backfill | IncrementalRun)
        return found


def _is_of_save(entry: Entry, before: Entry) -> bool:
    """Whether a batch is of the same save as the one before: behind a save of batches stands the dataset's lock."""
    datasets = {facts_of(_Batch, one.data).dataset for one in (entry, before)}
    return entry.stream == before.stream and len(datasets) == 1 and entry.position == before.position + 1


def _reason(data: Facts) -> str:
    reason = data.get("reason")
    return reason if isinstance(reason, str) else ""


def _change(
    table: Table, columns: tuple[Column, ...] | None, before: dict[str, Shown], after: dict[str, Shown]
) -> Change | None:
    """What is other; None where nothing is."""
    removed = tuple(before[path] for path in sorted(before.keys() - after.keys()))
    added = tuple(after[path] for path in sorted(after.keys() - before.keys()))
    if columns is None and not removed and not added:
        return None
    return Change(table.name, table.partition_column, table.logic_version, columns, removed, added)
