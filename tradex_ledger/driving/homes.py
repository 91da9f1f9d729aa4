"""Where staged rows belong: a post has one day, that of its first row in Bronze, whatever day comes later.

Rows whose post is in Bronze on another day than theirs, or in the same delivery, are written anew under the post's own
day; the others are left where they are. So dedup finds at the days it touches all that there is. Rows that are no posts
have no day to keep: they are known wherever they were read before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from tradex_ledger.datasets.definition import Definition
from tradex_ledger.datasets.statement import connect
from tradex_ledger.domain.day import FIRST, LAST, Day, day_of, iso
from tradex_ledger.domain.protection import Protection
from tradex_ledger.driving.elsewhere import POST, bronze_files, posts_elsewhere, rows_of
from tradex_ledger.driving.keys import KeyIndex, number_of
from tradex_ledger.lake.inputs import InputFile, checked, paths_today
from tradex_ledger.lake.storage import translate
from tradex_ledger.lake.writer import limit_resources
from tradex_ledger.planning.catalog import Catalog
from tradex_ledger.planning.context import Execution

EVER = (FIRST, LAST)
"""The days that there are."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The staged rows of posts that have another day: their file, the days (ordinals) that they go to.

    `posts` counts those that Bronze lacks and that were not delivered with that day as well; `withheld` the rows whose
    post has a protected day, by delivered file: they stay out until it is unprotected.
    """

    path: str | None = None
    days: frozenset[Day] = frozenset()
    posts: int = 0
    withheld: tuple[tuple[str, int], ...] = ()


NOTHING_MOVED = Moved()


def find_moved(
    ex: Execution,
    index: KeyIndex,
    catalog: Catalog,
    definition: Definition,
    staged: Sequence[str],
    folder: Path,
    *,
    protected: Sequence[Protection],
) -> Moved:
    """The staged rows of posts that belong to another day than theirs. Raises: `LakeFileError`."""
    if not staged or POST not in definition.key:
        return NOTHING_MOVED
    connection = connect()
    try:
        limit_resources(connection, folder / "spill", ex.task_memory_mb)
        connection.execute(f"create temp view staged as from {rows_of(staged)}")
        files = bronze_files(ex, catalog, definition.name)
        wanted, consulted = posts_elsewhere(connection, index, files)
        if not len(wanted):
            return NOTHING_MOVED
        return _moved(connection, definition.key, wanted, consulted, folder, protected=protected)
    except (OSError, duckdb.Error) as error:
        raise translate(error, f"looking where the posts of {definition.name} belong") from error
    finally:
        connection.close()


def _moved(
    connection: duckdb.DuckDBPyConnection,
    key: Sequence[str],
    wanted: pa.Array,
    consulted: Sequence[InputFile],
    folder: Path,
    *,
    protected: Sequence[Protection],
) -> Moved:
    connection.register("wanted", pa.table({"k": wanted}))
    with checked(consulted):
        paths = paths_today(consulted, *EVER, folder / "again-homes.parquet")
        names = ", ".join(f'"{name}"' for name in key)
        # Without a file there is none of its rows: the columns are those of what is staged.
        none = "(select *, null::timestamp as ingested_at from staged limit 0)"
        source = rows_of(paths) if paths else none
        connection.execute(
            f"create temp table there as select {names}, event_date, ingested_at from {source} "
            f"where {number_of(POST)} in (select k from wanted)"
        )
    connection.execute(_HOMES.replace("<key>", names))
    path = folder / "moved.parquet"
    within = [f"home between date '{iso(one.first)}' and date '{iso(one.last)}'" for one in protected]
    held = " or ".join(within) or "false"
    home = f"case when not is_known and ({held}) then null else home end"
    connection.execute(
        f"copy (select s.* replace ({home} as event_date), s.event_date as __delivered, is_known "
        f"from staged s join homes h using ({names}) where s.event_date = h.delivered order by source, line, item) "
        f"to '{str(path).replace(chr(39), chr(39) * 2)}' (format parquet, compression zstd, compression_level 1)"
    )
    rows = rows_of([str(path)])
    days = connection.execute(f"select distinct event_date from {rows} where event_date is not null").fetchall()
    new = (
        f"select count(*) from (select distinct {names}, event_date from {rows} "
        f"where not is_known and event_date is not null) m anti join staged using ({names}, event_date)"
    )
    withheld = connection.execute(
        f"select source, count(*) from {rows} where event_date is null group by all order by all"
    ).fetchall()
    if not days and not withheld:
        return NOTHING_MOVED
    return Moved(
        str(path),
        frozenset(day_of(day) for (day,) in days),
        connection.execute(new).fetchall()[0][0],
        tuple((source.removeprefix("files:"), count) for source, count in withheld),
    )


# The very row that Bronze has keeps its day; else the first row of its post there says it, else the first delivered.
_HOMES = f"""
    create temp table homes as
    with asked as (
        select <key>, event_date, source, line, item from staged
        where {number_of(POST)} in (select k from wanted)
    ),
    rows as (select <key>, arg_min(event_date, (ingested_at, event_date)) as home from there group by <key>),
    posts as (select post_id, arg_min(event_date, (ingested_at, event_date)) as home from there group by post_id),
    delivered as (select post_id, first(event_date order by source, line, item) as home from asked group by post_id),
    known as (
        select <key>, a.event_date as delivered, r.home is not null as is_known,
            coalesce(r.home, p.home, d.home) as home
        from asked a
        left join rows r using (<key>)
        left join posts p using (post_id)
        left join delivered d using (post_id)
    )
    select distinct * from known where home <> delivered
"""
