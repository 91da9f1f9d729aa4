"""What is on record is built again with these, and what came of it is told with what the ledger knows beside it."""

from __future__ import annotations

from dataclasses import dataclass

from tradex_ledger.audit.documents.reproduce import Reproduced
from tradex_ledger.audit.query import pruned_or
from tradex_ledger.clock import Executor
from tradex_ledger.driving.execution import Progress
from tradex_ledger.driving.reproduce import DIFFERS, EQUAL, IDENTICAL, NOT_JUDGED, Again
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import LakeFileError
from tradex_ledger.ledger.ask import of_stream
from tradex_ledger.ledger.select import Store
from tradex_ledger.pool.port import Pool
from tradex_ledger.relations.data import PartitionHistory, lake_files
from tradex_ledger.sources.places import Places


@dataclass(frozen=True, slots=True)
class Means:
    """A ledger, its lake and its places, and where tasks run: `memory_mb` megabytes and `minutes` for each."""

    store: Store
    lake: Lake
    places: Places
    pool: Pool
    executor: Executor
    memory_mb: int
    minutes: int
    progress: Progress

    @property
    def engine(self) -> str:
        """What computes here, and what writes files: their bytes follow from both."""
        return _words(self.executor.duckdb, self.executor.pyarrow)

    def told(self, row: PartitionHistory, answer: Again) -> Reproduced:
        """A version that is on record, with what came of building it again."""
        verdict, why = self._explained(row, answer)
        digests = [file.sha256 for file in lake_files(row.files)]
        found = answer.counted
        return Reproduced(
            dataset=row.dataset,
            layer=row.layer,
            partition=row.partition,
            logic_version=row.logic_version,
            run_id=row.run_id,
            position=row.position,
            base=row.base,
            verdict=verdict,
            why=why,
            file=answer.file,
            rows=row.rows,
            rows_again=answer.rows,
            sha256=",".join(digests) or None,
            sha256_again=answer.sha256,
            rows_missing=found.missing if found else 0,
            rows_added=found.added if found else 0,
            rows_changed=found.changed if found else 0,
            differences=found.sample if found else (),
        )

    def _explained(self, row: PartitionHistory, answer: Again) -> tuple[str, str | None]:
        """The verdict, with what events and engines say to it."""
        if answer.verdict == EQUAL:
            return EQUAL, f"its rows are the same, its bytes are not: {self._engines(row)}"
        if not answer.gone or answer.file is None:
            return answer.verdict, answer.why
        given_up = pruned_or(self.store, LakeFileError(answer.file, ""))
        if isinstance(given_up, LakeFileError):
            return answer.verdict, answer.why
        if answer.verdict == DIFFERS:  # of what was given up only the digest is left
            is_same = answer.sha256 is not None and answer.sha256 in {file.sha256 for file in lake_files(row.files)}
            if is_same:
                return IDENTICAL, f"{given_up.message}; built again it has the digest on record"
        return NOT_JUDGED, given_up.message

    def _engines(self, row: PartitionHistory) -> str:
        """Who wrote a file, and who built it again."""
        paths = [file.path for file in lake_files(row.files)]
        maker = paths[0].rpartition("/")[2].rpartition("-")[0] if paths else row.run_id
        starts = of_stream(self.store, maker, ["run.layer_started"]) or of_stream(
            self.store, row.run_id, ["run.layer_started"]
        )
        known = [told for told in starts if told.position < row.position and told.data["layer"] == row.layer]
        if not known:
            return f"built again by {self.engine}"
        executor = _Executor.of(known[0].data["executor"])
        before = _words(executor.duckdb, executor.pyarrow)
        if before == self.engine:
            return f"both by {before}, the last bits of doubles follow from the days that a window holds"
        return f"written by {before}, built again by {self.engine}"


@dataclass(frozen=True, slots=True)
class _Executor:
    """What of an executor an event says that bytes follow from."""

    duckdb: str
    pyarrow: str

    @staticmethod
    def of(facts: dict[str, str]) -> _Executor:
        return _Executor(*(str(facts.get(name, "?")) for name in _Executor.__slots__))


def _words(duckdb: str, pyarrow: str) -> str:
    return f"duckdb {duckdb} and pyarrow {pyarrow}"
