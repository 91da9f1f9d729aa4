"""The catalog in memory: for each dataset and day, the version that counts, and what it was built from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import duckdb

from tradex_ledger.datasets.definition import Definition, Read
from tradex_ledger.domain.day import Day, date_of, day_of, iso, later, span
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.partition import PartitionVersion, inputs_digest
from tradex_ledger.domain.run_events import BatchAppended, PartitionRebuilt
from tradex_ledger.garbage import all_stays
from tradex_ledger.ledger.ask import events_of, has_moved, has_topic
from tradex_ledger.ledger.entry import state_of
from tradex_ledger.ledger.event import event_of
from tradex_ledger.ledger.rows import check_row
from tradex_ledger.ledger.select import Store
from tradex_ledger.planning.readers import readers_of
from tradex_ledger.planning.versions import AHEAD, DAY, SELECTED, Row, Size, Stored, Versions
from tradex_ledger.sources.source import Again
from tradex_ledger.views import AsOf, add_history, add_projections, projected, shared_views

_EMPTY = PartitionVersion(None, (), 0, 0, None)


@dataclass
class Catalog:
    """Current versions as of `position`: dataset → day (ordinal) → version.

    `outdated` are the days of each dataset that were published under an older logic version only; `old` the names of
    Bronze's files that an older reader made, and how they are read again. `first_days` is the first day (an ordinal)
    that can be true of each dataset of Bronze: older ones, which a reader took from a wrong clock, open no range.
    `side` are datasets that nothing is built upon: they open no range either.

    `gone` are the names of all files that were declared lost, and `lost` the days of each dataset that nothing may be
    built upon yet: of Bronze those that were not extracted again, of others those that were not built again.

    `returned` are the datasets that were given up once, and came back.
    """

    position: int
    current: dict[str, MutableMapping[Day, PartitionVersion]] = field(default_factory=dict)
    outdated: dict[str, set[Day]] = field(default_factory=dict)
    old: dict[str, Again] = field(default_factory=dict)
    first_days: dict[str, int] = field(default_factory=dict)
    side: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    lost: dict[str, dict[Day, int]] = field(default_factory=dict)
    returned: frozenset[str] = frozenset()

    def get(self, dataset: str, day: Day) -> PartitionVersion | None:
        """The version that counts for a day; None when there is none."""
        return self.current.get(dataset, {}).get(day)

    def put(self, dataset: str, day: Day, version: PartitionVersion) -> None:
        """Lay a version over what was there (a run's own candidates, for its later layers)."""
        self.current.setdefault(dataset, Versions())[day] = version

    def append(self, batch: BatchAppended, run_id: str) -> None:
        """Lay a batch that a run appended to Bronze behind those that are there, as `partitions.sql` has it."""
        day, files = day_of(batch.partition), tuple(map(LakeFile.of, batch.files))
        before = self.get(batch.dataset, day) or _EMPTY
        rows, size = sum(file.rows for file in files), sum(file.bytes for file in files)
        self.put(
            batch.dataset, day,
            PartitionVersion(None, before.files + files, before.rows + rows, before.bytes + size, None, run_id),
        )  # fmt: skip

    def files(self, dataset: str, first: Day, last: Day) -> list[tuple[Day, LakeFile]]:
        """The files (with their day) of first..last, in order of day."""
        days = self.current.get(dataset, {})
        return [(day, file) for day in span(first, last) if day in days for file in days[day].files]

    def readable(self, dataset: str, first: Day, last: Day) -> list[tuple[Day, LakeFile, Again | None]]:
        """The files (with their day, and how they are read again) that may hold rows of first..last.

        What an older reader left on days around them belongs to them, too, where today's gives rows other days.
        """
        before = max((again.days_before for again in self.old.values()), default=0)
        after = max((again.days_after for again in self.old.values()), default=0)
        found = self.files(dataset, later(first, -before), later(last, after))
        return [(day, file, old) for day, file in found if (old := self.old.get(file.path)) or first <= day <= last]

    def all_files(self, dataset: str) -> list[tuple[Day, LakeFile]]:
        """All files of a dataset (with their day), in order of day."""
        return [(day, file) for day, version in sorted(self.current.get(dataset, {}).items()) for file in version.files]

    def sizes(self, dataset: str) -> dict[Day, Size]:
        """The rows and bytes that a dataset has of each day."""
        return Versions(self.current.get(dataset, {})).sizes()

    def may_be(self, dataset: str, day: Day) -> bool:
        """Whether a day (an ordinal) can be true of a dataset; one that is computed has those of Bronze."""
        return day >= self._first(dataset)

    def _first(self, dataset: str) -> Day:
        first = self.first_days.get(dataset)
        return Day(min(self.first_days.values(), default=1) if first is None else first)

    def days(self) -> list[Day]:
        """Every day that somebody vouches for: that a dataset has a partition of which others are built upon."""
        known = ((self._first(name), days) for name, days in self.current.items() if name not in self.side)
        return sorted({day for first, days in known for day in days if day >= first})

    def copy(self) -> Catalog:
        """A copy that can be laid over without touching this one."""
        current: dict[str, MutableMapping[Day, PartitionVersion]] = {
            name: Versions(days) for name, days in self.current.items()
        }
        return replace(self, current=current, lost=dict(self.lost))

    def input_digest(self, definition: Definition, logic_version: int, day: Day) -> str:
        """What a partition's content follows from, as `inputs_digest` has it."""
        return self.input_digests(definition, logic_version, (day,))[day]

    def input_digests(self, definition: Definition, logic_version: int, days: Collection[Day]) -> dict[Day, str]:
        """The same of many days; what several of them read is looked at once.

        An input partition without rows counts like one that is not there. The engine's version is not in it: a new
        DuckDB alone rebuilds nothing.
        """
        if not days:
            return {}
        first, last = min(days), max(days)
        known = [(read, self._told(read.dataset, later(first, read.first), later(last, read.last)))
                 for read in definition.reads]  # fmt: skip
        found = {}
        for day in days:
            lines = []
            for read, told in known:
                lines += [told[input_day] for input_day in span(day + read.first, day + read.last) if input_day in told]
                if self.old:
                    lines += self._told_again(read, day)
            found[day] = inputs_digest(definition.name, logic_version, iso(day), lines)
        return found

    def _told(self, dataset: str, first: Day, last: Day) -> dict[Day, str]:
        """What a digest says of each of the days that has rows."""
        known = self.current.get(dataset, {})
        days = span(first, last) if last - first < len(known) else known
        there = ((day, known[day]) for day in days if first <= day <= last and day in known)
        return {day: f"{dataset} {iso(day)} {version.content}" for day, version in there if version.files}

    def _told_again(self, read: Read, day: Day) -> list[str]:
        """What it says of files on days around those that are read, of which rows are read again."""
        return [
            f"{read.dataset} {iso(input_day)} again {file.sha256}"
            for input_day, file, _ in self.readable(read.dataset, later(day, read.first), later(day, read.last))
            if not read.first <= input_day - day <= read.last
        ]


_ASKED = ("partitions", "datasets", "definitions", "old_files")
_HISTORY = ("partition_history", "run_datasets")
# A candidate becomes current by its publication: alone it moves nothing. A batch adds to one day of Bronze.
_MOVES_LITTLE = {PartitionRebuilt.TOPIC, BatchAppended.TOPIC}
_FEW = 1_000
"""Batches that are added to a catalog one by one."""


@dataclass
class Catalogs:
    """Catalogs of one ledger. The last one is kept, and read again only past an event that may have moved it.

    With `over` a connection with the projections as of a position: it is asked for a catalog that has not moved since.
    """

    store: Store
    over: tuple[duckdb.DuckDBPyConnection, int] | None = None
    _last: tuple[Catalog, dict[str, int]] | None = None

    def at(self, position: int, versions: Mapping[str, int]) -> Catalog:
        """The catalog as of a position, for the given logic version of each dataset."""
        last, found = self._last, None
        # Once files are lost, an extraction may move it, too: then it is read each time.
        if last is not None and last[1] == versions and not last[0].gone:
            found = self._carried_on(last[0], position, versions)
        if found is None:
            found = self._load(position, versions)
        self._last = found, dict(versions)
        return found.copy()

    def _carried_on(self, last: Catalog, position: int, versions: Mapping[str, int]) -> Catalog | None:
        """The last catalog as of another position, with what was appended since; None where more has moved."""
        topics = [topic for topic in projected.topics_of(*_ASKED) if topic not in _MOVES_LITTLE]
        one, other = sorted((last.position, position))
        if has_moved(self.store, topics, one, other):
            return None
        found = replace(last, position=position)
        batches = events_of(self.store, [BatchAppended.TOPIC], after=one, upto=other, limit=_FEW)
        if batches and (position == one or len(batches) == _FEW):
            return None
        if batches:
            found = found.copy()
        for told in batches:
            event = event_of(state_of(check_row(self.store.ledger, told)), told.stream, told.version, told.topic)
            assert isinstance(event, BatchAppended)
            if event.logic_version != versions.get(event.dataset):
                return None  # an older reader's, or of a dataset that is none here
            found.append(event, told.stream)
        return found

    def built(self, position: int, dataset: str, days: Collection[Day]) -> dict[Day, list[PartitionVersion]]:
        """All versions of some days of Silver or Gold that were ever built by runs that are over, newest first."""
        found: dict[Day, list[PartitionVersion]] = {}
        first, last = date_of(min(days)), date_of(max(days))
        with shared_views(self.store, AsOf(position, None), *_HISTORY) as connection:
            history = add_history(connection, dataset, first, last)
            rows = connection.execute(
                _BUILT.format(history=history, selected=SELECTED), [dataset, first, last]
            ).fetchall()
        for day, *stored in rows:
            found.setdefault(day_of(day), []).append(Row._make(stored).version())
        return found

    def _load(self, position: int, versions: Mapping[str, int]) -> Catalog:
        catalog = Catalog(position)
        with self._views(position) as connection:
            add_projections(connection, _ASKED)
            found = connection.execute(
                f"select dataset, layer = 'bronze', component, {DAY}, {SELECTED} from partitions"
            ).fetchall()
            readers = readers_of(connection)
            old = connection.execute("select dataset, path from old_files").fetchall()
            sides = connection.execute("select dataset, is_side, was_restored from datasets").fetchall()
        catalog.first_days = {name: reader.first_day for name, reader in readers.items()}
        catalog.old = {path: again for name, path in old if (again := readers[name].again) is not None}
        catalog.side = frozenset(name for name, is_side, _ in sides if is_side)
        catalog.returned = frozenset(name for name, _, was_restored in sides if was_restored)
        current: dict[str, dict[Day, Stored]] = {}
        with all_stays():
            for row in found:
                name, is_bronze, component, day, version = row[: AHEAD + 1]
                if name not in versions:
                    continue
                if not is_bronze and version != versions[name]:
                    catalog.outdated.setdefault(name, set()).add(day)
                    if component is not None:
                        continue
                current.setdefault(name, {})[day] = Stored(row)
        catalog.current.update((name, Versions(days)) for name, days in current.items())
        for name, days in catalog.outdated.items():
            days -= {d for d, v in catalog.current.get(name, {}).items() if v.logic_version == versions[name]}
        if has_topic(self.store, "dataset.files_lost", upto=position):
            self._add_lost(catalog)
        return catalog

    def _views(self, position: int) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection in which the projections stand as they did at a position."""
        topics = [topic for topic in projected.topics_of(*_ASKED) if topic != PartitionRebuilt.TOPIC]
        if self.over and position <= self.over[1] and not has_moved(self.store, topics, position, self.over[1]):
            return nullcontext(self.over[0])
        return shared_views(self.store, AsOf(position, None), *_ASKED)

    def _add_lost(self, catalog: Catalog) -> None:
        """Which days nothing may be built upon, because of files that were declared lost (and the event's position)."""
        with shared_views(self.store, AsOf(catalog.position, None), "lost_files") as connection:
            add_projections(connection, ["lost_files"])
            found = connection.execute(_LOST).fetchall()
        catalog.gone = frozenset(path for _, _, _, path, _, _ in found)
        for dataset, layer, day, path, position, mended in found:
            version = catalog.get(dataset, day_of(day))
            named = version is not None and any(file.path == path for file in version.files)
            if named if layer != "bronze" else mended is None:
                catalog.lost.setdefault(dataset, {})[day_of(day)] = position


_LOST = "select dataset, layer, partition, path, position, mended_position from lost_files order by position"
# What was built and published, or will never be; what a run built that may still publish it is that run's own.
_BUILT = """
    select h.partition, {selected}
    from {history} h
    where h.dataset = $1 and h.partition between $2 and $3 and h.outcome = 'written' and h.run_id in (
        select run_id from {history} where outcome <> 'appended' and state in ('published', 'reverted', 'abandoned')
    )
    order by h.position desc
"""


def overlay(catalog: Catalog, candidates: Mapping[str, Mapping[Day, PartitionVersion]]) -> None:
    """Lay a run's candidates over the catalog: its later layers see them, nobody else does."""
    for dataset, days in candidates.items():
        catalog.current.setdefault(dataset, Versions()).update(days)
