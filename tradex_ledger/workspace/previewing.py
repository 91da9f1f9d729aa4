"""An edited or new definition over some days, beside what there is. Nothing is recorded, nothing stays in the lake.

What it reads is what a run of now would read: the current versions that the lake has, whatever is edited of them. The
gate judges all definitions before anything runs. What is built lies in a folder of this machine that is gone
afterwards, whoever interrupts.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

from tradex_ledger.audit.diff import SAMPLES
from tradex_ledger.audit.documents.preview import Expected, PreviewDocument
from tradex_ledger.audit.reader import Reader
from tradex_ledger.audit.sides import Side, sides_of
from tradex_ledger.audit.tables import Tables
from tradex_ledger.datasets.definition import Definition, Pipeline
from tradex_ledger.datasets.edited import with_file
from tradex_ledger.datasets.fingerprint import check_definition, describe_all
from tradex_ledger.datasets.graph import affected, windows
from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.day import Day, date_of, day_of, iso, span
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.partition import PartitionVersion
from tradex_ledger.domain.plan import Range
from tradex_ledger.domain.request import RangeError, check_order
from tradex_ledger.driving.execution import Progress, silent
from tradex_ledger.driving.preview import preview
from tradex_ledger.driving.rebuild import Making
from tradex_ledger.errors import RefusedError
from tradex_ledger.lake.scratch import Scratch
from tradex_ledger.lake.storage import StagedFile
from tradex_ledger.lake.verified import Reading
from tradex_ledger.planning.catalog import Catalog
from tradex_ledger.planning.complete import check_complete
from tradex_ledger.planning.estimate import read_past
from tradex_ledger.planning.named import check_identity
from tradex_ledger.planning.past import Past
from tradex_ledger.pool.port import folder_of
from tradex_ledger.relations.data import LOGIC_VERSIONS, LogicVersion
from tradex_ledger.workspace.core import Core
from tradex_ledger.workspace.previewed import beside


class NothingToPreviewError(RefusedError):
    """What is to be previewed cannot be computed from what the lake has."""

    code = "no-preview"

    def __init__(self, dataset: str, why: str, mend: str) -> None:
        super().__init__(f"{dataset} cannot be previewed: {why}", mend=mend)


@dataclass(frozen=True)
class Previewing:
    """One preview: `pipeline` has the definition as it would be, `file` is where it lies (None: in the pipeline)."""

    core: Core
    dataset: str
    pipeline: Pipeline
    first: date
    last: date
    downstream: bool = False
    where: str | None = None
    samples: int = SAMPLES
    trusting: bool = False
    progress: Progress = silent

    @staticmethod
    def pipeline_of(core: Core, dataset: str, file: Path | None) -> Pipeline:
        """The definitions as they are, or with that of a file. Raises what reading them raises."""
        pipeline = core.pipeline
        if file is not None:
            from tradex_ledger.datasets.built_in import BUILT_IN

            return with_file(pipeline, core.config.pipeline or BUILT_IN, dataset, file)
        pipeline.get(dataset)
        return pipeline

    @cached_property
    def reader(self) -> Reader:
        """The ledger as of now, once for all."""
        return Reader(self.core.ledger.store)

    @cached_property
    def versions(self) -> dict[str, LogicVersion]:
        """The newest version of each dataset on record."""
        return {row.dataset: row for row in self.reader.read(LOGIC_VERSIONS, "is_current")}

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of that; 1 of what is new."""
        known = {name: row.logic_version for name, row in self.versions.items()}
        return {**dict.fromkeys(self.pipeline.definitions, 1), **known}

    @cached_property
    def catalog(self) -> Catalog:
        """What there is; what is built is laid over it."""
        return self.core.scope().catalogs.at(self.reader.as_of.position, self.numbers)

    @cached_property
    def days(self) -> list[Day]:
        """The days that are built. Raises `RangeError`."""
        check_order(day_of(self.first), day_of(self.last))
        there = self.catalog.days()
        found = [day for day in span(day_of(self.first), day_of(self.last)) if there and there[0] <= day <= there[-1]]
        if not found:
            have = f"there is data from {iso(there[0])} to {iso(there[-1])}" if there else "there is no data yet"
            raise RangeError(
                f"the range {self.first}..{self.last} is empty: {have}", mend="see what there is: tradex dataset list"
            )
        return found

    @cached_property
    def wanted(self) -> dict[str, set[Day]]:
        """What is built: the days of the dataset, and of those downstream what of these days follows from them."""
        days = set(self.days)
        found = {self.dataset: days}
        if self.downstream:
            follows = affected(self.pipeline, found, last_day=max(days))
            found |= {name: days & some for name, some in follows.items() if name != self.dataset and days & some}
        return {name: found[name] for name in self.pipeline.definitions if name in found}

    def check(self) -> None:
        """Raise what would stand in the way, before anything runs: `DefinitionError` and its kinds,
        `NothingToPreviewError`, `RangeError`, `IncompleteInputsError` and its like, `DefinitionsChangedError`."""
        definition = self.pipeline.get(self.dataset)
        if definition.layer == LAYERS[0]:
            raise NothingToPreviewError(
                self.dataset,
                "it is Bronze, which is delivered and not computed",
                "preview what reads it; what its source has: tradex backfill request … --dry-run",
            )
        for one in self.pipeline.definitions.values():
            check_definition(one)
        self.columns  # noqa: B018 — what would run is described first, and all beside
        if self.dataset in self.versions:
            check_identity(self.core.ledger.get(Dataset, stream_of(self.dataset), "dataset"), definition)
        for name in self.wanted:
            for read in self.pipeline.get(name).reads:
                if read.dataset not in self.wanted and read.dataset not in self.versions:
                    raise NothingToPreviewError(
                        name, f"it reads {read.dataset}, of which nothing was built", f"preview {read.dataset} first"
                    )
        check_complete(self.pipeline, self.catalog, self.wanted, self.numbers)

    @cached_property
    def columns(self) -> dict[str, list[tuple[str, str]]]:
        """Of what is built those that its definition gives, of what is read those that the lake has."""
        recorded = Past.read(self.reader.connection).at(self.reader.as_of.position).columns
        described = describe_all(self.pipeline)
        read = {name: columns for name, columns in recorded.items() if name not in self.wanted}
        return {**described, **read}

    @cached_property
    def before(self) -> dict[str, tuple[int, dict[date, Side]]]:
        """The version of each dataset that readers get, with its days."""
        tables = Tables(self.reader.connection, Reading(self.core.lake, trusting=True))
        read = self.reader.read(LOGIC_VERSIONS, "is_read")
        return {one.dataset: (one.logic_version, sides_of(tables, one)) for one in read if one.dataset in self.wanted}

    @cached_property
    def expected(self) -> list[Expected]:
        """What it is going to take, by what was built before."""
        past = read_past(self.core.scope(), self.reader.as_of.position)
        found = []
        for name, days in self.wanted.items():
            sides = self.before[name][1] if name in self.before else {}
            rows = [sides[date_of(day)].rows for day in days if date_of(day) in sides]
            seconds = None
            if past.built.get(name):
                each = past.partition(name, self.pipeline.get(name).layer)
                low, likely, high = (n * len(days) / 1000 for n in each)
                seconds = Range(int(low), round(likely), int(high) + 1)
            found.append(Expected(name, len(days), sum(rows) if rows else None, seconds))
        return found

    def run(self) -> PreviewDocument:
        """Build it, hold it against what there is, and leave nothing. Raises as `check` does, and what building and
        reading raise."""
        self.check()
        with folder_of(self.core.here, "tradex-preview-") as folder:
            files = Scratch(self.core.lake, folder)
            took = self._build(files)
            return beside(self, files, took)

    def _build(self, files: Scratch) -> dict[str, int]:
        """Each dataset into the folder, upstream first; the milliseconds that each took."""
        took: dict[str, int] = {}
        making = Making(
            self.pipeline, self.columns, files, self.core.config.task_memory_mb, self.core.config.task_minutes
        )
        for name, days in self.wanted.items():
            begun = time.monotonic()
            self._build_one(files, making, self.pipeline.get(name), days)
            took[name] = round((time.monotonic() - begun) * 1000)
        return took

    def _build_one(self, files: Scratch, making: Making, definition: Definition, days: Collection[Day]) -> None:
        size = self.core.policy_to_look.window_partitions
        found = windows(definition, days, logic_version=self.numbers[definition.name], window_partitions=size)
        widest = max(found, key=lambda window: window.partitions)
        done = 0
        # What reads its own earlier days waits for them.
        for some in [[window] for window in found] if definition.own_reach is not None else [found]:
            tasks = [
                replace(
                    making.task(
                        definition, self.catalog, span(window.first, window.last), check_reads=window is widest
                    ),
                    folder=files.folder,
                )
                for window in some
            ]
            for task, staged in self.core.here.run(preview, tasks):
                by_day = {file.day: file for file in staged}
                for day in task.days:
                    self.catalog.put(definition.name, day, self._version(files, definition.name, by_day.get(day)))
                done += len(task.days)
                self.progress(definition.name, done, len(days))

    def _version(self, files: Scratch, name: str, staged: StagedFile | None) -> PartitionVersion:
        named = () if staged is None else (files.named(staged),)
        rows, size = (staged.rows, staged.bytes) if staged else (0, 0)
        return PartitionVersion(self.numbers[name], named, rows, size, None)
