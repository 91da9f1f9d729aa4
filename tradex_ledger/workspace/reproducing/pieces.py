"""What a run built, cut into windows that can be built again: each over the inputs as they were then.

They are the catalog as of the base, overlaid with what the run itself had built before; the digest of inputs in each
event says whether these are they.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from tradex_ledger.audit.documents.reproduce import Reproduced
from tradex_ledger.datasets.definition import Definition, DefinitionError
from tradex_ledger.datasets.fingerprint import check_definition
from tradex_ledger.datasets.graph import windows
from tradex_ledger.domain.day import Day, day_of, later, span
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.partition import PartitionVersion
from tradex_ledger.driving.rebuild import Making
from tradex_ledger.driving.reproduce import NOT_JUDGED, Again, ReproduceTask
from tradex_ledger.planning.catalog import Catalog, Catalogs
from tradex_ledger.planning.past import Past, Then
from tradex_ledger.relations.data import PartitionHistory, lake_files
from tradex_ledger.workspace.reproducing.means import Means

WINDOW = 30
"""Days that are built again in one statement, at most."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Makes them, of what is on record of a run; tasks are to work below `folder`."""

    means: Means
    past: Past
    catalogs: Catalogs
    folder: Path

    def of(self, rows: Sequence[PartitionHistory], wanted: Collection[int]) -> Iterator[ReproduceTask | Reproduced]:
        """The windows of those versions whose events have the wanted positions, and an answer for each that cannot be
        built again. `rows` are all that the run built, in the order of their events."""
        before: list[PartitionHistory] = []
        for base, some in groupby((row for row in rows if row.layer != LAYERS[0]), key=lambda row: row.base or 0):
            of_base = list(some)
            if any(row.position in wanted for row in of_base):
                yield from self._of_base(base, before, of_base, wanted)
            before += of_base

    def _of_base(
        self, base: int, before: list[PartitionHistory], rows: list[PartitionHistory], wanted: Collection[int]
    ) -> Iterator[ReproduceTask | Reproduced]:
        try:
            then = self.past.at(base)
        except DefinitionError as error:
            yield from (self._not_judged(row, error.message) for row in rows if row.position in wanted)
            return
        seen = self.catalogs.at(base, then.versions)
        _lay(seen, before)
        for _, some in groupby(rows, key=lambda row: (row.dataset, row.logic_version)):
            yield from self._of_dataset(then, seen, list(some), wanted)

    def _of_dataset(
        self, then: Then, seen: Catalog, rows: list[PartitionHistory], wanted: Collection[int]
    ) -> Iterator[ReproduceTask | Reproduced]:
        """Of what was built of one dataset, one after the other: what the run has of others is the same for all."""
        name, version = rows[0].dataset, rows[0].logic_version or 0
        try:
            definition = self.past.definition(name, version)
            check_definition(definition)
        except DefinitionError as error:
            yield from (self._not_judged(row, error.message) for row in rows if row.position in wanted)
            _lay(seen, rows)
            return
        making = Making(then.pipeline, then.columns, self.means.lake, self.means.memory_mb, self.means.minutes)
        for together in _together(definition, rows):
            known: dict[Day, PartitionHistory] = {}
            for row in together:
                if row.position in wanted:
                    why = self._doubt(then, definition, seen, row)
                    if why is None:
                        known[day_of(row.partition)] = row
                    else:
                        yield self._not_judged(row, why)
            for window in windows(definition, known, logic_version=version, window_partitions=WINDOW):
                yield self._task(making, definition, seen, {day: known[day] for day in span(window.first, window.last)})
            _lay(seen, together)

    def _task(
        self, making: Making, definition: Definition, seen: Catalog, rows: dict[Day, PartitionHistory]
    ) -> ReproduceTask:
        task = replace(making.task(definition, seen, list(rows)), folder=self.folder)
        recorded = {day: version_of(row) for day, row in rows.items()}
        return ReproduceTask(task, self.means.lake, recorded, {day: row.position for day, row in rows.items()})

    def _doubt(self, then: Then, definition: Definition, seen: Catalog, row: PartitionHistory) -> str | None:
        """Why the inputs that are found are not those of then; None: they are."""
        day = day_of(row.partition)
        if seen.input_digest(definition, row.logic_version or 0, day) != row.inputs:
            return f"the inputs as of position {row.base} are not those of its event ({row.inputs})"
        for read in definition.reads:
            for _, _, again in seen.readable(read.dataset, later(day, read.first), later(day, read.last)):
                reader = self.past.readers.get((read.dataset, then.versions[read.dataset]))
                if again is not None and again.version != reader:
                    return f"version {reader} of the reader read {read.dataset} again; that of today is {again.version}"
        return None

    def _not_judged(self, row: PartitionHistory, why: str) -> Reproduced:
        return self.means.told(row, Again(day_of(row.partition), NOT_JUDGED, why))


def version_of(row: PartitionHistory) -> PartitionVersion:
    """A version of the history as a catalog has it."""
    return PartitionVersion(
        row.logic_version, lake_files(row.files), row.rows, row.bytes, row.inputs, row.run_id, row.outcome
    )


def _lay(seen: Catalog, rows: Sequence[PartitionHistory]) -> None:
    """Lay what a run built over a catalog, in the order of its events."""
    for row in rows:
        seen.put(row.dataset, day_of(row.partition), version_of(row))


def _together(definition: Definition, rows: Sequence[PartitionHistory]) -> Iterator[list[PartitionHistory]]:
    """Versions of one dataset, cut where one is of a day that was built before, or reads one that was."""
    own = [(read.first, read.last) for read in definition.reads if read.dataset == definition.name]
    some: dict[Day, PartitionHistory] = {}
    for row in rows:
        day = day_of(row.partition)
        if day in some or any(not some.keys().isdisjoint(span(day + first, day + last)) for first, last in own):
            yield list(some.values())
            some = {}
        some[day] = row
    yield list(some.values())
