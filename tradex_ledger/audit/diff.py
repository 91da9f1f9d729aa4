"""What differs, partition by partition and row by row: between a run's candidates, or what it has published, and what
readers have or had; between two logic versions; between two positions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

import duckdb

from tradex_ledger import slow
from tradex_ledger.audit.changes import Changes, Sample, Sides, Transition, WhereError, changes, check_where
from tradex_ledger.audit.cuts import ROWS, WHOLE, pieces, rows_at_a_time
from tradex_ledger.audit.documents.form import IF_ANY
from tradex_ledger.audit.query import MEMORY as LAST_MEMORY
from tradex_ledger.audit.query import SPILL, pruned_or
from tradex_ledger.audit.sides import NOTHING, Key, Pair, Side, key_of, pairs_of, sides_of, some_at_a_time
from tradex_ledger.audit.tables import Tables
from tradex_ledger.datasets.definition import UnknownDatasetError
from tradex_ledger.datasets.sandbox import confine
from tradex_ledger.datasets.spill import spill_fault, spill_folder
from tradex_ledger.datasets.statement import connect, quoted
from tradex_ledger.domain.dataset_errors import NoSuchVersionError
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.errors import RefusedError
from tradex_ledger.lake.port import Files
from tradex_ledger.lake.storage import LakeFileError, translate
from tradex_ledger.lake.verified import Reading
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.paths import file_list
from tradex_ledger.relations.data import LOGIC_VERSIONS, PARTITION_HISTORY, LogicVersion, PartitionHistory
from tradex_ledger.views import Asked, open_views, resolve

SAMPLES = 20
MEMORY = "192MB"
"""What the engine holds; what does not fit is spilled, and where that does not help, it gets what a query gets."""


class NotSideBySideError(RefusedError):
    """Two versions cannot be held against each other."""

    code = "not-side-by-side"

    def __init__(self, dataset: str, why: str = "a new one replaces the one before") -> None:
        super().__init__(
            f"versions of {dataset} cannot be compared row by row: {why}",
            mend=f'ask for what they have in common: tradex query "select … from {dataset}", with --as-of before',
        )


@dataclass(frozen=True, slots=True)
class Differing:
    """A partition before and after: its rows, those that are gone, and those that are new.

    A row that changed is among both; `rows_changed` says how many did, by the key of the dataset, and `columns` in
    which of them; None and nothing where the key does not tell rows from each other. Counts are exact; `transitions`
    (of texts and booleans with few different ones) and `samples` are bounded.
    """

    dataset: str
    partition: date
    logic_version: int | None
    rows_before: int
    rows_after: int
    rows_gone: int
    rows_new: int
    rows_changed: int | None = None
    columns: dict[str, int] = field(default_factory=dict, metadata=IF_ANY)
    transitions: list[Transition] = field(default_factory=list, metadata=IF_ANY)
    samples: list[Sample] = field(default_factory=list, metadata=IF_ANY)


class Differ:
    """Holds sides against each other; which ones, its methods say. Each returns the partitions that differ, in order.

    All of it as of `as_of`. `where` chooses rows by a condition over their columns (of either side); at most so many
    `samples` of a dataset.
    Raises, each: `WhereError`, `NotSideBySideError`, `PrunedFileError`, `LostFileError`, `LakeFileError`.
    """

    def __init__(
        self,
        ledger: Ledger,
        lake: Files,
        *,
        as_of: Asked = None,
        trusting: bool = False,
        where: str | None = None,
        samples: int = SAMPLES,
    ) -> None:
        self.ledger, self.lake, self.as_of = ledger, lake, as_of
        self.reading = Reading(lake, trusting=trusting)
        self.where, self.samples = where, samples

    def candidate(self, run_id: str) -> list[Differing]:
        """Each candidate of a run beside the current partition; where its version has none, beside that of the newest
        version of that day that readers have."""
        with self._tables(self.as_of) as tables:
            where = "run_id = ? and state = 'candidate' and outcome = 'written' order by dataset, partition"
            candidates = PARTITION_HISTORY.read(tables.connection, where, run_id)
            versions = {version.dataset: version for version in LOGIC_VERSIONS.read(tables.connection, "is_read")}
            names = dict.fromkeys(one.dataset for one in candidates)
            current = {name: sides_of(tables, versions[name]) for name in names}
            found = [_built(one, current[one.dataset].get(one.partition, NOTHING)) for one in candidates]
            return self._differing(tables, found)

    def published(self, run_id: str) -> list[Differing]:
        """What a run has published beside what readers had right before it; of Bronze what it appended."""
        with self._tables(self.as_of) as tables:
            history = PARTITION_HISTORY.read(
                tables.connection, "run_id = ? and state = 'published' order by dataset, partition, position", run_id
            )
        visible = [one.published_position for one in history if one.published_position and one.layer != "bronze"]
        before = self._before(min(visible) - 1) if visible else {}
        found = [
            _built(one, before.get((one.dataset, one.partition), NOTHING))
            for one in history
            if one.layer != "bronze" and one.outcome == "written"
        ]
        for (dataset, day), batches in groupby(
            (one for one in history if one.layer == "bronze"), key=lambda one: (one.dataset, one.partition)
        ):
            added = list(batches)
            files = [file for one in added for file in one.files or ()]
            found.append(Pair(dataset, "bronze", day, None, NOTHING, Side(sum(one.rows for one in added), files)))
        with self._tables(self.as_of) as tables:
            return self._differing(tables, sorted(found, key=lambda pair: (pair.dataset, pair.day)))

    def versions(self, dataset: str, older: int, newer: int) -> list[Differing]:
        """Each day on which two logic versions of a dataset differ.

        Raises: `UnknownDatasetError`, `NoSuchVersionError`.
        """
        with self._tables(self.as_of) as tables:
            versions = LOGIC_VERSIONS.read(tables.connection, "true order by position")
            known = {version.logic_version: version for version in versions if version.dataset == dataset}
            if not known:
                raise UnknownDatasetError(dataset, sorted({version.dataset for version in versions}))
            for number in (older, newer):
                if number not in known:
                    raise NoSuchVersionError(dataset, number, max(known))
            if known[newer].component is None:
                raise NotSideBySideError(dataset)
            before, after = (sides_of(tables, known[number]) for number in (older, newer))
            return self._differing(tables, pairs_of(dataset, known[newer].layer, newer, before, after))

    def positions(self, dataset: str, earlier: str, later: str) -> list[Differing]:
        """Each day of a dataset that readers had otherwise as of one position (or time) than of another."""
        sides: list[tuple[LogicVersion | None, dict[date, Side]]] = []
        for as_of in (earlier, later):
            with self._tables(as_of) as tables:
                read = LOGIC_VERSIONS.read(tables.connection, "dataset = ? and is_read", dataset)
                sides.append((read[0], sides_of(tables, read[0])) if read else (None, {}))
        (first, before), (last, after) = sides
        with self._tables(self.as_of) as tables:
            known = {one.dataset: one for one in LOGIC_VERSIONS.read(tables.connection, "is_read")}
            if dataset not in known:
                raise UnknownDatasetError(dataset, sorted(known))
            version = last or first or known[dataset]
            return self._differing(tables, pairs_of(dataset, version.layer, version.logic_version, before, after))

    def beside(self, pairs: Sequence[Pair], keys: Mapping[str, Key]) -> list[Differing]:
        """What is given, by the given keys; of datasets that have none there, by those on record."""
        with self._tables(self.as_of) as tables:
            return self._differing(tables, pairs, keys)

    def _before(self, position: int) -> dict[tuple[str, date], Side]:
        if position < 1:
            return {}
        with self._tables(str(position)) as tables:
            read = LOGIC_VERSIONS.read(tables.connection, "is_read")
            return {(one.dataset, day): side for one in read for day, side in sides_of(tables, one).items()}

    @contextmanager
    def _tables(self, as_of: Asked) -> Iterator[Tables]:
        store = self.ledger.store
        connection = open_views(store, resolve(store, as_of))
        try:
            yield Tables(connection, self.reading)
        except LakeFileError as error:
            raise pruned_or(store, error) from None
        finally:
            connection.close()

    def _differing(
        self, tables: Tables, pairs: Sequence[Pair], given: Mapping[str, Key] | None = None
    ) -> list[Differing]:
        """The pairs whose rows differ, some days at a time, or some rows of one."""
        other = [pair for pair in pairs if pair.before.digests != pair.after.digests]
        paths = tables.paths([(pair.layer, side.files) for pair in other for side in (pair.before, pair.after)])
        keys = dict(given or {})
        keys |= {name: key_of(tables.connection, name) for name in {pair.dataset for pair in other} if name not in keys}
        if self.where is not None:
            check_where(tables.connection, self.where)
        tables.connection.close()  # what it holds of history is not needed any more, and takes memory
        found: list[Differing] = []
        for dataset, those in groupby(other, key=lambda pair: pair.dataset):
            found += self._of_dataset(list(those), keys[dataset], paths)
        self.reading.close()
        return [one for one in found if one.rows_gone or one.rows_new]

    def _of_dataset(self, pairs: Sequence[Pair], key: Key, paths: Sequence[str]) -> list[Differing]:
        try:
            return self._within(pairs, key, paths, MEMORY)
        except duckdb.OutOfMemoryException:  # of a key that stands for a million rows, or of values of many MB
            slow.detail(
                f"{pairs[0].dataset} does not fit into {MEMORY}: it is compared again, with {LAST_MEMORY} of memory"
            )
            return self._within(pairs, key, paths, LAST_MEMORY)

    def _within(self, pairs: Sequence[Pair], key: Key, paths: Sequence[str], memory: str) -> list[Differing]:
        """All pairs of one dataset, in so much memory."""
        with spill_folder() as folder, connect() as connection:
            connection.execute("set temp_directory = $1", [str(folder)])
            confine(connection, paths, memory=memory, spill=SPILL)
            found: list[Differing] = []
            largest = max((side for pair in pairs for side in (pair.before, pair.after)), key=_width)
            rows = rows_at_a_time(connection, self._table([largest])) if largest.files else ROWS
            for some in some_at_a_time(pairs, rows):
                left = self.samples - sum(len(one.samples) for one in found)
                try:
                    found += self._of_days(connection, some, key, left, rows)
                except duckdb.OutOfMemoryException:
                    raise
                except duckdb.Error as error:
                    doing = f"comparing {some[0].dataset} of {some[0].day}"
                    if str(folder) in str(error):
                        raise spill_fault(folder, doing, str(error).splitlines()[0]) from None
                    # A damaged file that was believed (--no-verify) fails in many ways.
                    raise translate(error, doing) from None
            return found

    def _of_days(
        self, connection: duckdb.DuckDBPyConnection, pairs: Sequence[Pair], key: Key, samples: int, rows: int
    ) -> list[Differing]:
        before, after = (self._table(sides) for sides in ([one.before for one in pairs], [one.after for one in pairs]))
        sides = Sides(before or f"select * from ({after}) limit 0", after or f"select * from ({before}) limit 0", *key)
        dataset = pairs[0].dataset
        try:
            cut = [WHOLE]
            if sum(pair.before.rows + pair.after.rows for pair in pairs) > rows:
                by = [name for name in key.key if name != key.partition]
                cut = pieces(connection, sides[:2], by, rows)
            counted = changes(connection, sides, where=self.where, samples=samples, pieces=cut)
        except duckdb.BinderException as error:
            if self.where is not None:
                mend = f'see the columns: tradex query "describe {dataset}"'
                raise WhereError(f"it cannot be asked of {dataset}: {error}", mend=mend) from None
            raise NotSideBySideError(dataset, "they have not the same key") from error
        return [self._one(connection, pair, one, cut) for pair in pairs if (one := counted.get(pair.day)) is not None]

    def _one(self, connection: duckdb.DuckDBPyConnection, pair: Pair, found: Changes, cut: Sequence[str]) -> Differing:
        """A partition; where its key does not tell rows from each other, by its rows as they are."""
        rows = (pair.before.rows, pair.after.rows)
        what = (pair.dataset, pair.day, pair.version, *rows)
        if (found.rows_before, found.rows_after) == rows:
            counts = (found.gone + found.changed, found.new + found.changed, found.changed)
            return Differing(*what, *counts, found.columns, found.transitions, found.samples)
        old, new = (self._table([side]) for side in (pair.before, pair.after))
        if not old or not new:
            return Differing(*what, *rows)
        columns = ", ".join(map(quoted, connection.sql(old).columns))
        counted = [
            connection.execute(
                "select coalesce(sum(greatest(n, 0)), 0)::bigint, coalesce(sum(greatest(-n, 0)), 0)::bigint from ("
                f"select sum(__tradex_n) as n from (select *, 1 as __tradex_n from ({old}) where {piece} union all "
                f"select *, -1 from ({new}) where {piece}) group by {columns})"
            ).fetchall()[0]
            for piece in cut
        ]
        return Differing(*what, sum(gone for gone, _ in counted), sum(added for _, added in counted))

    def _table(self, sides: Sequence[Side]) -> str:
        paths = [str(self.lake.near(LakeFile.of(file))) for side in sides for file in side.files or ()]
        if not paths:
            return ""
        return f"select * from read_parquet({file_list(paths)}, hive_partitioning = false, union_by_name = true)"


def _built(one: PartitionHistory, before: Side) -> Pair:
    """A partition that a run has built, beside what there was."""
    return Pair(one.dataset, one.layer, one.partition, one.logic_version, before, Side(one.rows, one.files))


def _width(side: Side) -> float:
    """How many bytes a row takes in the files of a side."""
    return sum(LakeFile.of(file).bytes for file in side.files or ()) / max(1, side.rows)
