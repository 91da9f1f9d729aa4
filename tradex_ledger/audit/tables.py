"""Datasets as tables: which files a name stands for, as of a position, or as a run's candidates would have it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple, TypeAlias

import duckdb
import orjson

from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.errors import EnvironmentFault, NotFoundError, meant
from tradex_ledger.lake.storage import LakeFileError, translate
from tradex_ledger.lake.verified import Reading
from tradex_ledger.paths import file_list
from tradex_ledger.relations.data import (
    DEFINITIONS,
    LOGIC_VERSIONS,
    LOST_FILES,
    PARTITION_HISTORY,
    PARTITIONS,
    ErasedFile,
    File,
    LogicVersion,
    LostFile,
    Partition,
    PartitionHistory,
)
from tradex_ledger.views import projected

Held: TypeAlias = Partition | PartitionHistory

_VERSIONED = re.compile(r"(.+)_v([0-9]{1,9})")


class _Column(NamedTuple):
    """A column of a dataset and its DuckDB type, as a logic version has them on record."""

    name: str
    type: str


class UnknownTableError(NotFoundError):
    """A query names a table that is neither a dataset nor a projection."""

    code = "unknown-table"

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"there is no table {name!r}", mend=f"{meant(name, known)}tables are: {', '.join(known)}")


class PrunedFileError(EnvironmentFault):
    """A file that the answer needs was given up, by an event that says so."""

    code = "pruned"

    def __init__(self, path: str, position: int, by: str, readable: list[str]) -> None:
        read = (
            f"what can be read, as of now: {', '.join(readable)}" if readable else "nothing of it can be read any more"
        )
        super().__init__(
            f"the lake file {path} was pruned by the event of position {position} ({by})",
            mend=f"{read}; days that are missing there can be recomputed with a backfill",
        )


class ErasedFileError(EnvironmentFault):
    """A file that the answer needs is gone, since law wanted rows of it erased, by an event that says so."""

    code = "erased"

    def __init__(self, erased: ErasedFile) -> None:
        super().__init__(
            f"{erased.erased_rows} rows of the lake file {erased.path} were erased by {erased.by_whom}",
            mend=f'what is left of it: tradex query "select * from {erased.dataset}"; the rows are nowhere any more',
        )


class LostFileError(EnvironmentFault):
    """A file that the answer needs was declared lost, by an event that says so."""

    code = "lost"

    def __init__(self, lost: LostFile) -> None:
        day = lost.partition
        again = (
            f"tradex backfill request temporal {lost.dataset} --from {day} --to {day} --no-override-state --reason …"
        )
        bronze = f"as of position {lost.position} or later it is not read; what the source still has: {again}"
        super().__init__(
            f"the lake file {lost.path} was declared lost by the event of position {lost.position} "
            f"({lost.declared_by}, confirmed by {lost.confirmed_by}): {lost.reason}",
            mend=bronze if lost.layer == "bronze" else f"build its day again: {again}",
        )


def named_version(
    name: str, versions: Sequence[LogicVersion], *, newest: bool = False, beside: Sequence[str] = ()
) -> LogicVersion:
    """The logic version that a table's name stands for: `gold_signals` the one that readers get (or the `newest`),
    `gold_signals_v1` that one. `beside` are the other tables that there are.

    Raises: `UnknownTableError`.
    """
    read = {row.dataset: row for row in versions if (row.is_current if newest else row.is_read)}
    found = read.get(name)
    if found is None and (match := _VERSIONED.fullmatch(name)):
        of, number = match[1], int(match[2])
        found = next((row for row in versions if (row.dataset, row.logic_version) == (of, number)), None)
    if found is None:
        raise UnknownTableError(name, [*sorted(read), *beside, *(["events"] if beside else [])])
    return found


@dataclass
class Tables:
    """Makes datasets tables of a connection that holds `events` as of a position."""

    connection: duckdb.DuckDBPyConnection
    reading: Reading
    candidate: str | None = None
    warnings: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    """The files of the tables that were made."""
    erased: Mapping[str, ErasedFile] = field(default_factory=dict)
    """Files of which rows were erased, maybe after the position that is asked about: what is left of them is read."""

    def add(self, names: set[str]) -> None:
        """Make each name a table: `gold_signals` is the version that readers get, `gold_signals_v1` a named one.

        Raises: `UnknownTableError`, `LakeFileError`. Deprecated versions give a warning.
        """
        if not names:
            return  # which versions there are follows from what was built, and is not asked for
        versions = LOGIC_VERSIONS.read(self.connection)
        for name in sorted(names):
            # A candidate is of the version that is being written.
            found = named_version(name, versions, newest=self.candidate is not None, beside=projected.names())
            self._add(name, found)

    def _add(self, table: str, version: LogicVersion) -> None:
        dataset, number = version.dataset, version.logic_version
        if version.is_deprecated:
            self.warnings.append(f"version {number} of {dataset} is deprecated")
        if table == dataset and version.component is not None:
            self._warn_of_gaps(dataset, number)
        self._warn_of_losses(dataset)
        paths = self.paths([(row.layer, row.files) for row in self.partitions(version)])
        self.listed += paths
        if not paths:
            self._add_empty(table, version)
            return
        source = f"read_parquet({file_list(paths)}, hive_partitioning = false)"
        if version.component is None and number > 1:
            # Its files are of several versions, which need not have the same columns: what a file has not is null.
            columns = f"__columns_of_{table}"
            self._add_empty(columns, version)
            source = (
                f'(select * from "{columns}" union all by name '
                f"from read_parquet({file_list(paths)}, hive_partitioning = false, union_by_name = true))"
            )
        try:
            self.connection.execute(f'create view "{table}" as from {source}')
        except duckdb.Error as error:
            raise translate(error, f"reading the files of {table}") from None

    def _add_empty(self, table: str, version: LogicVersion) -> None:
        """A table with the columns of a version, and without rows."""
        from tradex_ledger.datasets.fingerprint import create_empty  # loads slowly, and is seldom needed

        which = (version.dataset, version.logic_version)
        (described,) = DEFINITIONS.read(self.connection, "dataset = ? and logic_version = ?", *which)
        columns = [_Column(**one) for one in orjson.loads(described.columns)]
        create_empty(self.connection, table, [(one.name, one.type) for one in columns])

    def _warn_of_gaps(self, dataset: str, number: int) -> None:
        """Say which days an older version has and the one that is read does not: they were not backfilled."""
        days: dict[int, set[date]] = {}
        for row in PARTITIONS.read(self.connection, "dataset = ? and logic_version <= ?", dataset, number):
            days.setdefault(row.logic_version or 0, set()).add(row.partition)
        here = days.pop(number, set())
        for older in sorted(days, reverse=True):
            if lacking := days[older] - here:
                first, last = min(lacking), max(lacking)
                what = first if len(lacking) == 1 else f"{len(lacking)} days between {first} and {last}"
                self.warnings.append(f"{dataset} is its version {number}; {what}: only in {dataset}_v{older}")
                return

    def _warn_of_losses(self, dataset: str) -> None:
        """Say which rows of Bronze were declared lost, and how many were found again."""
        where = "dataset = ? and layer = 'bronze' order by position, partition, path"
        for lost in LOST_FILES.read(self.connection, where, dataset):
            found = f"{lost.appended_since} rows of that day found since"
            self.warnings.append(
                f"{dataset} of {lost.partition}: {lost.rows} rows were declared lost by the event of position "
                f"{lost.position}, {'not extracted again yet' if lost.mended_position is None else found}"
            )

    def _standing(self, file: LakeFile) -> LakeFile | None:
        erased = self.erased.get(file.path)
        return file if erased is None else erased.now

    def _warn_of_erasures(self, erased: Sequence[ErasedFile]) -> None:
        """Say how many rows that were there then are erased by now, by which events."""
        events = {file.position: file for file in erased}
        for position, one in sorted(events.items()):
            rows = sum(file.erased_rows for file in erased if file.position == position)
            self.warnings.append(f"{rows} rows of {one.dataset} that were there then are erased by {one.by_whom}")

    def partitions(self, version: LogicVersion) -> list[Held]:
        """The partitions of a logic version, candidates laid over; in order of day."""
        where, values = "dataset = ?", [version.dataset, version.logic_version]
        if version.component is not None:
            where = "dataset = ? and logic_version = ?"
        values = values[: where.count("?")]
        found: dict[date, Held] = {row.partition: row for row in PARTITIONS.read(self.connection, where, *values)}
        if self.candidate is not None:
            where = f"{where} and run_id = ? and state = 'candidate'"
            for row in PARTITION_HISTORY.read(self.connection, where, *values, self.candidate):
                found[row.partition] = row
        return [found[day] for day in sorted(found)]

    def paths(self, layered: Sequence[tuple[str, list[File] | None]]) -> list[str]:
        """Where files lie, each list with its layer; of one of which rows were erased, where what is left of it lies.

        Raises: `LakeFileError` when one is not as its event says.
        """
        named = [(LakeFile.of(file), layer) for layer, files in layered for file in files or ()]
        self._warn_of_erasures([self.erased[file.path] for file, _ in named if file.path in self.erased])
        wanted = [(now, layer) for file, layer in named if (now := self._standing(file)) is not None]
        try:
            self.reading.check(file for file, _ in wanted)
        except LakeFileError as error:
            layer = next(layer for file, layer in wanted if file.path == error.path)
            raise error.of_layer(layer) from None
        return [str(self.reading.lake.near(file)) for file, _ in wanted]
