"""Staged rows that files of other days may hold, by the numbers of their keys (`keys.py`)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import duckdb

from tradex_ledger.datasets.definition import Definition
from tradex_ledger.datasets.intake import Intake
from tradex_ledger.datasets.statement import shared
from tradex_ledger.domain.day import FIRST, Day, day_of, to_epoch
from tradex_ledger.driving.keys import KeyIndex, Spans, number_of, numbers_in
from tradex_ledger.lake.inputs import InputFile
from tradex_ledger.lake.port import Lake
from tradex_ledger.offered import Late
from tradex_ledger.paths import file_list
from tradex_ledger.planning.catalog import Catalog

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
else:
    pa = Late("pyarrow")
    pc = Late("pyarrow.compute")

FILE = "file"
"""The column by whose values a line that is no row is found: it was delivered in that file."""

_STAGED_ROWS = 4_000_000
_NUMBERS = 4_000_000


def bronze_files(lake: Lake, catalog: Catalog, name: str) -> list[InputFile]:
    """All files of a dataset of Bronze, each as its reader left it; lines that are no rows are nobody's reading."""
    read = name not in catalog.side
    old = catalog.old if read else {}
    return [InputFile(day, file, lake, old.get(file.path)) for day, file in catalog.all_files(name)]


def rows_of(paths: Sequence[str]) -> str:
    """SQL: the rows of some files."""
    return f"read_parquet({file_list(list(paths))}, hive_partitioning = false, union_by_name = true)"


def rows_elsewhere(
    connection: duckdb.DuckDBPyConnection, index: KeyIndex, files: Sequence[InputFile], by: str, day: str
) -> tuple[pa.Array, list[InputFile]]:
    """The numbers of the rows of the table `staged` that several days may belong to, and the files that may hold them.

    `by` is the column that is indexed, `day` the partition. Raises: `LakeFileError`.
    """
    known = index.known(files, by)
    numbers: list[int] = []
    for part in _parts(connection, by, day):
        numbers += part.several
        numbers += _elsewhere(connection, index, part, known, by)
    wanted = pa.array(sorted(set(numbers)), pa.uint64())
    return wanted, [file for file, spans in known if len(wanted) and may_hold(index, file, spans, wanted, by)]


@dataclass(frozen=True, slots=True)
class _Part:
    """Staged rows, sorted by their numbers; `changes` counts how often the day was another than the one before.

    `several` are the numbers that have several days.
    """

    rows: pa.Table
    numbers: Sequence[int]
    days: Sequence[int]
    changes: Sequence[int]
    several: Sequence[int]


def _parts(connection: duckdb.DuckDBPyConnection, by: str, day: str) -> Iterator[_Part]:
    """The staged rows in parts that memory holds; those of one number are in one part."""
    ((rows,),) = connection.execute("select count(*) from staged").fetchall()
    n = -(-rows // _STAGED_ROWS)
    for part in range(n):
        yield _part(connection, by, day, f"{number_of(by)} % {n} = {part}" if n > 1 else "true")


def _part(connection: duckdb.DuckDBPyConnection, by: str, day: str, where: str) -> _Part:
    table = connection.sql(
        f"select {number_of(by)} as k, (\"{day}\" - date '1970-01-01')::integer as d "
        f'from staged where "{by}" is not null and {where} order by k, d'
    ).to_arrow_table()
    numbers, days = table.column("k").combine_chunks(), table.column("d").combine_chunks()
    is_other = pc.not_equal(days[1:], days[:-1])
    changes = pc.cumulative_sum(pa.concat_arrays([pa.array([0], pa.int32()), is_other.cast(pa.int32())]))
    several = numbers[1:].filter(pc.and_(is_other, pc.equal(numbers[1:], numbers[:-1])))
    return _Part(table, _view(numbers, "Q"), _view(days, "i"), _view(changes, "i"), several.unique().to_pylist())


def _view(values: pa.Array, kind: Literal["Q", "i"]) -> Sequence[int]:
    view = memoryview(values.buffers()[1]).cast(kind)[values.offset : values.offset + len(values)]
    return cast(Sequence[int], view)


def _elsewhere(
    connection: duckdb.DuckDBPyConnection,
    index: KeyIndex,
    part: _Part,
    known: Sequence[tuple[InputFile, Spans]],
    by: str,
) -> list[int]:
    """The numbers of staged rows that a file of another day may hold."""
    found: list[int] = []
    near = [file for file, spans in known if _is_near(part, spans, file)]
    connection.register("asked", part.rows)
    for table in _tables(index, near, by):
        connection.register("there", table)
        found += [
            number
            for (number,) in connection.execute(
                "select distinct k from there join asked using (k) where there.d <> asked.d"
            ).fetchall()
        ]
        connection.unregister("there")
    connection.unregister("asked")
    return found


def _is_near(part: _Part, spans: Spans, file: InputFile) -> bool:
    """Whether a row of another day than the file's falls into its spans. What an older reader left has any day."""
    day, n = to_epoch(file.day), len(part.numbers)
    for low, high in spans:
        first = bisect_left(part.numbers, low)
        if first == n or part.numbers[first] > high:
            continue
        last = bisect_right(part.numbers, high) - 1
        if file.again is not None or part.days[first] != day or part.changes[first] != part.changes[last]:
            return True
    return False


def _tables(index: KeyIndex, files: Sequence[InputFile], by: str) -> Iterator[pa.Table]:
    """The numbers of files with their days, as many at a time as memory holds."""
    numbers: list[pa.Array] = []
    days: list[pa.Array] = []
    for file in files:
        numbers.append(numbers_in(index.numbers(file, by)))
        # A day that no row has: what an older reader left may be of another day than its file.
        day = to_epoch(FIRST) - 1 if file.again is not None else to_epoch(file.day)
        days.append(pa.repeat(pa.scalar(day, pa.int32()), len(numbers[-1])))
        if sum(map(len, numbers)) >= _NUMBERS:
            yield pa.table({"k": pa.chunked_array(numbers), "d": pa.chunked_array(days)})
            numbers, days = [], []
    if numbers:
        yield pa.table({"k": pa.chunked_array(numbers), "d": pa.chunked_array(days)})


def may_hold(index: KeyIndex, file: InputFile, spans: Spans, wanted: pa.Array, by: str) -> bool:
    """Whether one of these numbers is among the keys of a file."""
    if not _falls_into(spans, wanted):
        return False
    return bool(pc.any(pc.is_in(numbers_in(index.numbers(file, by)), value_set=wanted)).as_py())


def _falls_into(spans: Spans, wanted: pa.Array) -> bool:
    view = _view(wanted, "Q")
    return any((i := bisect_left(view, low)) < len(view) and view[i] <= high for low, high in spans)


def lines_elsewhere(
    lake: Lake, index: KeyIndex, catalog: Catalog, intake: Intake, definition: Definition, staged: Sequence[str]
) -> Mapping[Day, tuple[InputFile, ...]]:
    """The files of Bronze that may hold staged lines that are no rows, by the day (ordinal) that these have now."""
    if not staged:
        return {}
    files = [file for d in intake.sides for file in bronze_files(lake, catalog, d.name)]
    with shared() as connection:
        asked = connection.execute(
            f'select distinct "{definition.partition}", {number_of(FILE)} from {rows_of(staged)}'
        ).fetchall()
    days: dict[int, set[Day]] = {}
    for day, number in asked:
        days.setdefault(number, set()).add(day_of(day))
    found: dict[Day, list[InputFile]] = {}
    wanted = pa.array(sorted(days), pa.uint64())
    for file, spans in index.known(files, FILE):
        if not _falls_into(spans, wanted):
            continue
        hits = wanted.filter(pc.is_in(wanted, value_set=numbers_in(index.numbers(file, FILE))))
        for day in {day for number in hits.to_pylist() for day in days[number]}:
            found.setdefault(day, []).append(file)
    return {day: tuple(files) for day, files in found.items()}
