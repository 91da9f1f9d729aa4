"""Batches of Bronze, read once more where they were delivered."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from tradex_ledger.audit.documents.reproduce import Reproduced
from tradex_ledger.datasets.definition import Definition
from tradex_ledger.datasets.intake import Intake, intakes
from tradex_ledger.domain.day import day_of
from tradex_ledger.driving.bronze import StageTask
from tradex_ledger.driving.reproduce import DIFFERS, NOT_JUDGED, Again
from tradex_ledger.driving.reread import Delivered, OpenTask, RereadTask, delivered, reread, stage_again
from tradex_ledger.errors import TradexError
from tradex_ledger.planning.past import Past, Then
from tradex_ledger.relations.data import PartitionHistory, lake_files
from tradex_ledger.sources.source import Batch, Source, SourceFile
from tradex_ledger.sources.stage import Outputs, Wanted
from tradex_ledger.workspace.reproducing.means import Means


@dataclass(frozen=True, slots=True)
class _Delivered:
    """A delivered file that was read again: where its rows and its lines that are none are, or why they are not."""

    outputs: Outputs
    why: str | None = None


@dataclass(frozen=True, slots=True)
class BronzeAgain:
    """Holds batches against what was delivered; what is read again goes below `folder`, which has no other files."""

    means: Means
    past: Past
    folder: Path

    def judge(self, rows: Sequence[PartitionHistory]) -> Iterator[Reproduced]:
        """One answer a batch. `rows` are of one run."""
        ordered = sorted(rows, key=lambda row: (row.dataset, row.logic_version, row.position))
        for (dataset, version), some in groupby(ordered, key=lambda row: (row.dataset, row.logic_version or 0)):
            batches = {row.position: row for row in some}
            opened: dict[int, Delivered] = {}
            for position, found in self._opened(dataset, version, batches):
                if isinstance(found, Again):
                    yield self.means.told(batches.pop(position), found)
                else:
                    opened[position] = found
            for position, answer in self._read_again(dataset, version, batches, opened):
                yield self.means.told(batches[position], answer)

    def _opened(
        self, dataset: str, version: int, rows: Mapping[int, PartitionHistory]
    ) -> Iterator[tuple[int, Delivered | Again]]:
        """Where the rows of each batch were delivered, by its position; its file is held against its digest by that."""
        columns = self.past.column_names(dataset, version)
        tasks = [
            OpenTask(self.means.lake, file, day_of(row.partition), columns, row.position)
            for row in rows.values()
            for file in lake_files(row.files)
        ]
        for done, (task, found) in enumerate(self.means.pool.run(delivered, tasks)):
            self.means.progress(f"open batches of {dataset}", done + 1, len(tasks))
            yield task.position, found

    def _read_again(
        self, dataset: str, version: int, rows: Mapping[int, PartitionHistory], opened: Mapping[int, Delivered]
    ) -> Iterator[tuple[int, Again]]:
        if not opened:
            return
        try:
            then = self.past.at(min(opened))
            definition = self.past.definition(dataset, version)
            known = intakes(then.pipeline)
            intake = next(one for one in known if dataset in {d.name for d in one.datasets})
            place = self.means.places.open([one.source for one in known])[intake.source]
            source = Source(intake.source, place, intake.reader)
            files = {file.name: file for file in source.look().files}
        except TradexError as error:  # nothing is where it was: that is said of each
            yield from ((at, Again(day_of(rows[at].partition), NOT_JUDGED, error.message)) for at in opened)
            return
        reader = self.past.readers.get((dataset, version))
        staged = self._staged(intake, then, source, files, opened)
        tasks = [self._task(definition, intake, rows[at], found, staged) for at, found in opened.items()]
        for done, (task, answer) in enumerate(self.means.pool.run(reread, tasks)):
            self.means.progress(f"hold batches of {dataset} against them", done + 1, len(tasks))
            is_other = answer.verdict == DIFFERS and not answer.gone and reader != source.reader.version
            why = f"version {reader} of the reader read it; that of today, {source.reader.version}, reads otherwise"
            yield task.position, replace(answer, verdict=NOT_JUDGED, why=why, counted=None) if is_other else answer

    def _staged(
        self,
        intake: Intake,
        then: Then,
        source: Source,
        files: Mapping[str, SourceFile],
        opened: Mapping[int, Delivered],
    ) -> dict[str, _Delivered]:
        """The delivered files of some batches, each read again if it is there."""
        names = sorted({name for found in opened.values() for name in found.rows})
        # What came too early then has its time by now: each file is read as of when its rows came first.
        came = {name: min(one.ingested_us for one in opened.values() if name in one.rows) for name in names}
        room = Path(tempfile.mkdtemp(dir=self.folder))
        tasks = {
            name: StageTask(
                Batch(source.reader, intake.stated(then.columns), (files[name],)),
                Wanted(None, None, None, came[name]),
                _outputs(room, intake, number),
            )
            for number, name in enumerate(names)
            if name in files
        }
        found = {name: _Delivered(task.outputs) for name, task in tasks.items()}
        for done, (task, why) in enumerate(self.means.pool.run(stage_again, list(tasks.values()))):
            self.means.progress(f"read what {source.name} delivered", done + 1, len(tasks))
            if why is not None:
                found[task.batch.files[0].name] = _Delivered(task.outputs, why)
        gone = f"is not at {source.place.describe()} any more"
        return {name: found.get(name, _Delivered(_outputs(room, intake, 0), gone)) for name in names}

    def _task(
        self,
        definition: Definition,
        intake: Intake,
        row: PartitionHistory,
        found: Delivered,
        staged: Mapping[str, _Delivered],
    ) -> RereadTask:
        absent = {name: why for name in found.rows if (why := staged[name].why) is not None}
        paths = [_of(definition, intake, staged[name].outputs) for name in found.rows if name not in absent]
        (file,) = lake_files(row.files)
        return RereadTask(
            lake=self.means.lake,
            file=file,
            day=day_of(row.partition),
            column=definition.partition,
            key=definition.key,
            columns=self.past.column_names(definition.name, row.logic_version or 0),
            staged=tuple(str(path) for path in paths if path.exists()),
            rows=found.rows,
            absent=absent,
            folder=self.folder,
            memory_mb=self.means.memory_mb,
            position=row.position,
        )


def _outputs(folder: Path, intake: Intake, number: int) -> Outputs:
    rows, rejected, undated = (folder / f"{kind}-{number}.parquet" for kind in ("rows", "rejected", "undated"))
    outputs = Outputs(rows, rejected, undated)
    if intake.rejected:
        outputs = replace(outputs, rejected_day=intake.rejected.partition)
    return replace(outputs, undated_day=intake.undated.partition) if intake.undated else outputs


def _of(definition: Definition, intake: Intake, outputs: Outputs) -> Path:
    """Where what of a delivered file belongs to one of the datasets of its source is."""
    if intake.rejected is not None and definition.name == intake.rejected.name:
        return outputs.rejected
    if intake.undated is not None and definition.name == intake.undated.name:
        return outputs.undated
    return outputs.rows
