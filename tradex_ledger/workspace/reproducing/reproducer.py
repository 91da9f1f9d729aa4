"""Was it so? What a run built is built again: from the text that the ledger has, on the inputs as they were then.

No definition file is read, and nothing is written into lake or ledger.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from tradex_ledger.audit.documents.reproduce import Reproduced, Reproduction
from tradex_ledger.audit.reader import Reader
from tradex_ledger.audit.why import NoSuchPartitionError
from tradex_ledger.datasets.definition import UnknownDatasetError
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.driving.reproduce import ReproduceTask, reproduce
from tradex_ledger.ledger.named import NoSuchStreamError, find_run
from tradex_ledger.planning.catalog import Catalogs
from tradex_ledger.planning.past import Past
from tradex_ledger.pool.port import folder_of
from tradex_ledger.relations.data import LOGIC_VERSIONS, PARTITION_HISTORY, PARTITIONS, Partition, PartitionHistory
from tradex_ledger.relations.runs import RUNS
from tradex_ledger.workspace.reproducing.bronze import BronzeAgain
from tradex_ledger.workspace.reproducing.means import Means
from tradex_ledger.workspace.reproducing.pieces import Pieces

Wanted = Mapping[str, Collection[int] | None]
"""What is to be built again: by run, the positions of the events; None: of all."""

_BATCHES = f"dataset = ? and partition = ? and layer = '{LAYERS[0]}'"
_DRAWN = "true order by md5(? || dataset || '/' || coalesce(logic_version, 0) || '/' || partition), position limit ?"


@dataclass
class Reproducer:
    """Builds again what a ledger has on record as of a position, a day or a time; None: now."""

    means: Means
    as_of: str | None = None
    reader: Reader = field(init=False)
    past: Past = field(init=False)
    catalogs: Catalogs = field(init=False)

    def __post_init__(self) -> None:
        self.reader = Reader(self.means.store, self.as_of)
        self.past = Past.read(self.reader.connection)
        self.catalogs = Catalogs(self.means.store)

    def run(self, prefix: str) -> Reproduction:
        """All that a run built, and appended to Bronze. Raises: `NoSuchStreamError` and what `find_run` raises."""
        run_id = find_run(self.means.store, prefix)
        if not self.reader.read(RUNS, "run_id = ?", run_id):
            raise NoSuchStreamError(f"{run_id} as of {self.as_of}")
        return self._answer(run_id, {run_id: None})

    def partition(self, dataset: str, day: date) -> Reproduction:
        """The version of a day that readers get; of Bronze all batches of it.

        Raises: `UnknownDatasetError`, `NoSuchPartitionError`.
        """
        known = {one.dataset: one for one in self.reader.read(LOGIC_VERSIONS, "is_read")}
        if dataset not in known:
            raise UnknownDatasetError(dataset, sorted(known))
        where = "dataset = ? and partition = ? and (component is null or logic_version = ?)"
        rows = self.reader.read(PARTITIONS, where, dataset, day, known[dataset].logic_version)
        if not rows:
            raise NoSuchPartitionError(dataset, day, self.reader.as_of.position)
        return self._answer(f"{dataset} {day}", self._events_of(rows))

    def sample(self, count: int, seed: str) -> Reproduction:
        """So many of the partitions that readers get, of any dataset and version, drawn by a seed."""
        rows = self.reader.read(PARTITIONS, _DRAWN, f"{seed}/", count)
        return self._answer(f"{len(rows)} partitions drawn", self._events_of(rows), seed)

    def _events_of(self, rows: Sequence[Partition]) -> Wanted:
        """The events that some current partitions follow from; of Bronze those of all batches."""
        found: dict[str, set[int]] = {}
        for row in rows:
            events = [(row.run_id, row.position)]
            if row.layer == LAYERS[0]:
                batches = f"select run_id, position from recent_history where {_BATCHES}"
                events = self.reader.connection.execute(batches, [row.dataset, row.partition]).fetchall()
            for run_id, position in events:
                found.setdefault(run_id, set()).add(position)
        return found

    def _answer(self, asked: str, wanted: Wanted, seed: str | None = None) -> Reproduction:
        found: list[Reproduced] = []
        with folder_of(self.means.pool, "tradex-reproduce-") as folder:
            for number, (run_id, positions) in enumerate(wanted.items()):
                rows = self.reader.of_run(PARTITION_HISTORY, run_id, "position")
                chosen = {row.position for row in rows} if positions is None else positions
                batches = [row for row in rows if row.layer == LAYERS[0] and row.position in chosen]
                found += BronzeAgain(self.means, self.past, folder).judge(batches)
                found += self._built(rows, chosen, folder)
                if len(wanted) > 1:
                    self.means.progress("runs", number + 1, len(wanted))
        found.sort(key=lambda one: one.position)
        return Reproduction.of(asked, seed, self.means.engine, found, self.reader.as_of)

    def _built(self, rows: list[PartitionHistory], wanted: Collection[int], folder: Path) -> Iterator[Reproduced]:
        tasks: list[ReproduceTask] = []
        for piece in Pieces(self.means, self.past, self.catalogs, folder).of(rows, wanted):
            if isinstance(piece, Reproduced):
                yield piece
            else:
                tasks.append(piece)
        by_position = {row.position: row for row in rows}
        done, total = 0, sum(len(task.positions) for task in tasks)
        for task, answers in self.means.pool.run(reproduce, tasks):
            done += len(answers)
            self.means.progress("build again", done, total)
            for answer in answers:
                yield self.means.told(by_position[task.positions[answer.day]], answer)
