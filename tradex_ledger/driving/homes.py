"""Where staged rows belong: a thing has one day, that of its first row in Bronze, whatever day comes later.

A thing is what is known by the key, or by the columns of it that the reader names (all versions of one thing). Rows of
what is in Bronze on another day than theirs, or in the same delivery, are written anew under its own day; the others
are left where they are. So dedup finds at the days it touches all that there is. Lines that are no rows have no day to
keep: they are known wherever they were read before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from tradex_ledger.datasets.intake import Intake
from tradex_ledger.datasets.statement import connect
from tradex_ledger.domain.day import FIRST, LAST, Day, day_of, iso
from tradex_ledger.domain.protection import Protection
from tradex_ledger.driving.elsewhere import bronze_files, rows_elsewhere, rows_of
from tradex_ledger.driving.execution import Execution
from tradex_ledger.driving.keys import KeyIndex, number_of
from tradex_ledger.lake.inputs import InputFile, checked, paths_today
from tradex_ledger.lake.storage import translate
from tradex_ledger.lake.writer import limit_resources
from tradex_ledger.offered import Late
from tradex_ledger.planning.catalog import Catalog

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = Late("pyarrow")

EVER = (FIRST, LAST)
"""The days that there are."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The staged rows of things that have another day: their file, the days (ordinals) that they go to.

    `rows` counts those that Bronze lacks and that were not delivered with that day as well; `withheld` the rows of
    things with a protected day, by delivered file: they stay out until it is unprotected.
    """

    path: str | None = None
    days: frozenset[Day] = frozenset()
    rows: int = 0
    withheld: tuple[tuple[str, int], ...] = ()


NOTHING_MOVED = Moved()


def find_moved(
    ex: Execution,
    index: KeyIndex,
    catalog: Catalog,
    intake: Intake,
    staged: Sequence[str],
    folder: Path,
    *,
    protected: Sequence[Protection],
) -> Moved:
    """The staged rows of things that belong to another day than theirs. Raises: `LakeFileError`."""
    by = intake.indexed
    if not staged or by is None:
        return NOTHING_MOVED
    connection = connect()
    try:
        limit_resources(connection, folder / "spill", ex.task_memory_mb)
        connection.execute(f"create temp view staged as from {rows_of(staged)}")
        files = bronze_files(ex.lake, catalog, intake.rows.name)
        wanted, consulted = rows_elsewhere(connection, index, files, by, intake.rows.partition)
        if not len(wanted):
            return NOTHING_MOVED
        return _moved(connection, intake, number_of(by), wanted, consulted, folder, protected=protected)
    except (OSError, duckdb.Error) as error:
        raise translate(error, f"looking where the {intake.reader.noun}s of {intake.rows.name} belong") from error
    finally:
        connection.close()


def _moved(
    connection: duckdb.DuckDBPyConnection,
    intake: Intake,
    number: str,
    wanted: pa.Array,
    consulted: Sequence[InputFile],
    folder: Path,
    *,
    protected: Sequence[Protection],
) -> Moved:
    connection.register("wanted", pa.table({"k": wanted}))
    names, day = _quoted(intake.rows.key), f'"{intake.rows.partition}"'
    with checked(consulted):
        paths = paths_today(consulted, *EVER, folder / "again-homes.parquet")
        # Without a file there is none of its rows: the columns are those of what is staged.
        none = "(select *, null::timestamp as ingested_at from staged limit 0)"
        source = rows_of(paths) if paths else none
        connection.execute(
            f"create temp table there as select {names}, {day} as __day, ingested_at from {source} "
            f"where {number} in (select k from wanted)"
        )
    said = (("<key>", names), ("<one>", _quoted(intake.one)), ("<day>", day), ("<number>", number))
    connection.execute(reduce(lambda sql, one: sql.replace(*one), said, _HOMES))
    path = folder / "moved.parquet"
    within = [f"__home between date '{iso(one.first)}' and date '{iso(one.last)}'" for one in protected]
    held = " or ".join(within) or "false"
    home = f"case when not __known and ({held}) then null else __home end"
    connection.execute(
        f"copy (select s.* replace ({home} as {day}), s.{day} as __delivered, __known "
        f"from staged s join homes h using ({names}) where s.{day} = h.__delivered_on "
        f"order by __source, __line, __item) "
        f"to '{str(path).replace(chr(39), chr(39) * 2)}' (format parquet, compression zstd, compression_level 1)"
    )
    return _told(connection, path, names, day)


def _told(connection: duckdb.DuckDBPyConnection, path: Path, names: str, day: str) -> Moved:
    """What the written file comes to."""
    rows = rows_of([str(path)])
    days = connection.execute(f"select distinct {day} from {rows} where {day} is not null").fetchall()
    new = (
        f"select count(*) from (select distinct {names}, {day} from {rows} "
        f"where not __known and {day} is not null) m anti join staged using ({names}, {day})"
    )
    withheld = connection.execute(
        f"select __source, count(*) from {rows} where {day} is null group by all order by all"
    ).fetchall()
    if not days and not withheld:
        return NOTHING_MOVED
    return Moved(
        str(path),
        frozenset(day_of(found) for (found,) in days),
        connection.execute(new).fetchall()[0][0],
        tuple((source.removeprefix("files:"), count) for source, count in withheld),
    )


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


# The very row that Bronze has keeps its day; else the first row of its thing there says it, else the first delivered.
_HOMES = """
    create temp table homes as
    with asked as (
        select <key>, <day> as __delivered_on, __source, __line, __item from staged
        where <number> in (select k from wanted)
    ),
    rows as (select <key>, arg_min(__day, (ingested_at, __day)) as __home from there group by <key>),
    things as (select <one>, arg_min(__day, (ingested_at, __day)) as __home from there group by <one>),
    delivered as (
        select <one>, first(__delivered_on order by __source, __line, __item) as __home from asked group by <one>
    ),
    known as (
        select <key>, a.__delivered_on, r.__home is not null as __known,
            coalesce(r.__home, t.__home, d.__home) as __home
        from asked a
        left join rows r using (<key>)
        left join things t using (<one>)
        left join delivered d using (<one>)
    )
    select distinct * from known where __home <> __delivered_on
"""
