"""Things that stand in Bronze on several days: earlier releases took one anew when it came with another day again.

Bronze is append-only: they stay, and count on each of their days. Somebody has to know. They are found by the numbers
of their keys (`keys.py`): where each day has ids of its own, as the platform's are, nothing but the index is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from tradex_ledger.datasets.intake import Intake
from tradex_ledger.datasets.statement import connect
from tradex_ledger.domain.advice import Advice
from tradex_ledger.domain.day import Day, day_of, iso
from tradex_ledger.domain.words import ROW
from tradex_ledger.driving.elsewhere import bronze_files, may_hold, rows_of
from tradex_ledger.driving.execution import Execution
from tradex_ledger.driving.homes import EVER
from tradex_ledger.driving.keys import KeyIndex, Spans, number_of, numbers_in
from tradex_ledger.lake.inputs import InputFile, checked, paths_today
from tradex_ledger.lake.storage import translate
from tradex_ledger.lake.writer import limit_resources
from tradex_ledger.offered import Late
from tradex_ledger.planning.catalog import Catalog

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = Late("pyarrow")

Known = tuple[InputFile, Spans]
_NAMED = 5


@dataclass(frozen=True, slots=True)
class TwoDays:
    """How many things of a dataset stand on several days, and those days (ordinals).

    `one` are the columns by which they are known, `day` is the partition, `row` what one is called.
    """

    dataset: str = ""
    things: int = 0
    days: tuple[Day, ...] = ()
    one: tuple[str, ...] = ()
    day: str = ""
    row: str = ROW


def find_two_days(ex: Execution, index: KeyIndex, catalog: Catalog, intake: Intake, folder: Path) -> TwoDays:
    """What of a source stands on several days, as today's reader reads it. Raises: `LakeFileError`."""
    definition, by = intake.rows, intake.indexed
    if by is None:
        return TwoDays()
    near = near_other_days(index.known(bronze_files(ex.lake, catalog, definition.name), by))
    if not near:
        return TwoDays()
    connection = connect()
    try:
        limit_resources(connection, folder / "spill", ex.task_memory_mb)
        wanted = _of_several_days(connection, index, [file for file, _ in near], by)
        if not len(wanted):
            return TwoDays()
        files = [file for file, spans in near if may_hold(index, file, spans, wanted, by)]
        return _counted(connection, intake, by, wanted, files, folder)
    except (OSError, duckdb.Error) as error:
        raise translate(
            error, f"looking for {intake.reader.noun}s of {definition.name} that stand on several days"
        ) from error
    finally:
        connection.close()


def near_other_days(known: Sequence[Known]) -> list[Known]:
    """The files with a span that one of another day's files shares numbers with."""
    spans = sorted((low, high, file.day, n) for n, (file, all_of) in enumerate(known) for low, high in all_of)
    found: set[int] = set()
    # The farthest that a span before reaches, and the farthest of any other day than that one's.
    far, far_day, other = -1, 0, -1
    for low, high, day, n in spans:
        if low <= (other if day == far_day else far):
            found.add(n)
        if day == far_day:
            far = max(far, high)
        elif high > far:
            far, far_day, other = high, day, far
        else:
            other = max(other, high)
    # The nearest that a span after begins, and the nearest of any other day than that one's.
    none = 2**64
    near, near_day, next_other = none, 0, none
    for low, high, day, n in reversed(spans):
        if high >= (next_other if day == near_day else near):
            found.add(n)
        if day != near_day:
            near_day, next_other = day, near
        near = low
    return [known[n] for n in sorted(found)]


def _of_several_days(
    connection: duckdb.DuckDBPyConnection, index: KeyIndex, files: Sequence[InputFile], by: str
) -> pa.Array:
    """The numbers of keys that files of several days have."""
    connection.execute("create temp table seen (k ubigint, d integer)")
    for file in files:
        connection.register("there", pa.table({"k": numbers_in(index.numbers(file, by))}))
        connection.execute("insert into seen select k, ? from there", [file.day])
        connection.unregister("there")
    found = connection.sql("select k from seen group by k having min(d) <> max(d) order by k")
    return found.to_arrow_table().column("k").combine_chunks()


def _counted(
    connection: duckdb.DuckDBPyConnection,
    intake: Intake,
    by: str,
    wanted: pa.Array,
    files: Sequence[InputFile],
    folder: Path,
) -> TwoDays:
    one, day = ", ".join(f'"{name}"' for name in intake.one), intake.rows.partition
    connection.register("wanted", pa.table({"k": wanted}))
    with checked(files):
        paths = paths_today(files, *EVER, folder / "again-two-days.parquet")
        if not paths:
            return TwoDays()
        connection.execute(
            f'create temp table twice as from (select distinct {one}, "{day}" as __day from {rows_of(paths)} '
            f"where {number_of(by)} in (select k from wanted)) "
            f"qualify count(*) over (partition by {one}) > 1"
        )
    ((things,),) = connection.execute(f"select count(*) from (select distinct {one} from twice)").fetchall()
    days = connection.execute("select distinct __day from twice order by all").fetchall()
    return TwoDays(
        intake.rows.name, things, tuple(day_of(found) for (found,) in days), intake.one, day, intake.reader.noun
    )


def as_advice(found: TwoDays) -> list[Advice]:
    """What is said of them where somebody asks what to do: no run mends it, a definition can."""
    if not found.things:
        return []
    days = ", ".join(map(iso, found.days[:_NAMED])) + (" …" if len(found.days) > _NAMED else "")
    who = f"1 {found.row} stands" if found.things == 1 else f"{found.things} {found.row}s stand"
    listed = f"select {', '.join(found.one)}, list(distinct {found.day}) as days from {found.dataset} group by all"
    return [
        Advice(
            kind="two days",
            dataset=found.dataset,
            posts=found.things,
            days=found.days,
            reason=f"{who} in {found.dataset} on several days each ({days}), from before a {found.row} had one "
            "day; Bronze is append-only, so they count on each, until a definition of your own leaves them out "
            "(docs/upgrading.md); they are listed by:",
            command=f'tradex query "{listed} having count(distinct {found.day}) > 1"',
        )
    ]
