"""A window as a pure task: (definition, input files, output folder) → files. It needs no ledger.

Each day of a window is shown the rows of the days that the definition's `reads` allow for it, and no others, in one
statement for them all (`feed.py`): what it did not declare it cannot see, on no day. That alone would let a join with
undeclared days find nothing in silence; so of the widest window of each drive some days are also built with all of the
window's rows in sight and compared: a definition that looks where it did not declare is refused.

The day of that window with most input is then built again with the rows of its inputs in other orders, and compared: a
definition that takes the first or the last of equals (ties in an order, `arg_max`, `mode`) is refused. Rows are
compared by key, doubles to 1e-9: sums of doubles are allowed. A window has the same bits each time, because it runs on
one thread over files in a fixed order; in a window of other days the last bits of a sum of doubles may be others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from tradex_ledger.datasets.definition import DefinitionError
from tradex_ledger.datasets.sandbox import check_within
from tradex_ledger.datasets.statement import NotOneSelectError
from tradex_ledger.domain.day import Day, iso
from tradex_ledger.driving import again, feed
from tradex_ledger.driving.same_rows import first_difference
from tradex_ledger.driving.sight import Input, Shown, Sight, WindowTask, opened
from tradex_ledger.driving.window_errors import (
    NotFedError,
    OrderDependentError,
    OtherDaysError,
    ReadsOutsideWindowError,
    RepeatedKeyError,
)
from tradex_ledger.lake.inputs import checked
from tradex_ledger.lake.storage import StagedFile, translate
from tradex_ledger.lake.writer import (
    PartitionValueError,
    RepeatedRowError,
    write_days,
)

__all__ = ["Input", "OrderDependentError", "ReadsOutsideWindowError", "RepeatedKeyError", "WindowTask", "build_window"]


def build_window(task: WindowTask) -> list[StagedFile]:
    """Build a window; returns a staged file for each day that has rows.

    Raises: `DefinitionError` and its kinds, `LakeFileError` for an input that is not as it was written,
    `EnvironmentFault`.
    """
    with checked(file for given in task.inputs for file in given.files):
        return _build_window(task)


def _build_window(task: WindowTask) -> list[StagedFile]:
    try:
        if len(task.days) == 1:
            return _build_one(task)
        staged = _build_fed(task)
        return staged if staged is not None else _build_each(task)
    except NotOneSelectError as error:
        raise DefinitionError(task.dataset, f"is not one SELECT statement: {error}") from None
    except (OSError, duckdb.Error) as error:
        if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException | duckdb.InvalidInputException):
            span = f"{iso(task.days[0])}..{iso(task.days[-1])}"
            raise DefinitionError(task.dataset, f"fails on {span}: {str(error).splitlines()[0]}") from None
        raise translate(error, f"rebuilding {task}") from error


def _build_one(task: WindowTask) -> list[StagedFile]:
    (day,) = task.days
    with opened(task, [(task.days, task.folder)]) as sight:
        staged = sight.build(lambda connection: _run(connection, task, task.days, task.folder))
        if task.check_reads:
            sight.build(lambda connection: _compare_orders(connection, task, day, staged))
    return staged


def _sights(task: WindowTask) -> list[Shown]:
    """All days of a window, and the one that is built once more."""
    days: list[Shown] = [(task.days, task.folder)]
    if task.check_reads:
        fullest = task.fullest()
        days.append(((fullest,), task.folder / f"again-{fullest}"))
    return days


def _build_fed(task: WindowTask) -> list[StagedFile] | None:
    """All days in one statement, each with the rows that it declared; None: the engine has no such plan."""
    spans = [(g.read.dataset, g.column or task.column, g.read.first, g.read.last) for g in task.inputs]

    def build(connection: duckdb.DuckDBPyConnection) -> list[StagedFile]:
        return _run(connection, task, task.days, task.folder, feed.fed(task.sql, task.column, spans), feed.FED)

    with opened(task, _sights(task)) as sight:
        try:
            staged = sight.build(build)
        except feed.REFUSALS:  # where it is the statement's own fault, a day alone says so, too
            return None
        _check(task, sight, staged)
    return staged


def _build_each(task: WindowTask) -> list[StagedFile]:
    """The days of a window one by one."""
    staged = [file for day in task.days for file in _build_alone(task, day, keep=True)]
    if task.check_reads:
        with opened(task, _sights(task)) as sight:  # the one that refused may answer nothing more
            _check(task, sight, staged)
    return staged


def _check(task: WindowTask, sight: Sight, staged: list[StagedFile]) -> None:
    if task.check_reads:
        _check_reads(task, sight, staged)
        (fullest,) = sight.show(1)
        sight.build(lambda connection: _compare_orders(connection, task, fullest, staged))


def _run(
    connection: duckdb.DuckDBPyConnection,
    task: WindowTask,
    days: Sequence[Day],
    folder: Path,
    around: str = "",
    way: Sequence[str] = (),
    *,
    keep: bool = True,
) -> list[StagedFile]:
    """Run the task's statement, or the one `around` it (`way` leads to it there), and write its days."""
    if around:
        check_within(connection, task.sql, around, *way)
    wanted, sql = set(days), around or task.sql
    try:
        return write_days(connection, sql, column=task.column, order=task.key, days=wanted, folder=folder, durable=keep)
    except RepeatedRowError as error:
        raise RepeatedKeyError(task.dataset, str(error)) from None
    except PartitionValueError as error:
        raise OtherDaysError(task.dataset, str(error), task.column) from None


def _build_alone(task: WindowTask, day: Day, *, keep: bool = False) -> list[StagedFile]:
    folder = task.folder / f"alone-{day}"
    with opened(task, [((day,), folder)]) as sight:
        return sight.build(lambda connection: _run(connection, task, (day,), folder, keep=keep))


def _check_reads(task: WindowTask, sight: Sight, staged: list[StagedFile]) -> None:
    """Raise `ReadsOutsideWindowError` when a day of a sample comes out otherwise with all of the window in sight."""
    seed = ",".join(file.sha256 for given in task.inputs for file in given.files)
    days, folder = feed.sample(task.days, seed), task.folder / "in-sight"
    sql = feed.only(task.sql, task.column, map(iso, days))
    try:
        in_sight = sight.build(
            lambda connection: _run(connection, task, days, folder, sql, feed.ONLY, keep=False),
        )
    except RepeatedKeyError:
        raise ReadsOutsideWindowError(task.dataset, days[0], task.column) from None
    for day in days:
        if _differ(task, staged, in_sight, day) is not None:
            alone = _build_alone(task, day)
            _check_alone(task, day, alone)  # a tie may fall otherwise in another window, too
            if _differ(task, staged, alone, day) is not None:
                raise NotFedError(task.dataset, day)
            raise ReadsOutsideWindowError(task.dataset, day, task.column)


def _check_alone(task: WindowTask, day: Day, built: list[StagedFile]) -> None:
    with opened(task, [((day,), task.folder / f"again-{day}")]) as sight:
        sight.build(lambda connection: _compare_orders(connection, task, day, built))


def _compare_orders(connection: duckdb.DuckDBPyConnection, task: WindowTask, day: Day, built: list[StagedFile]) -> None:
    """Build a day, which is all that the connection shows, in other orders, and compare."""
    size = task.input_bytes(day)
    for order in again.orders(connection, _inputs_with_rows(task, day), size) if size else ():
        other = _run(connection, task, (day,), task.folder / f"{order}-{day}", keep=False)
        difference = _differ(task, built, other, day)
        if difference is not None:
            raise OrderDependentError(task.dataset, day, difference)


def _differ(task: WindowTask, one: list[StagedFile], other: list[StagedFile], day: Day) -> str | None:
    """What differs first between two builds of a day, in words; None: nothing but the last bits of doubles."""
    if _digests(one, day) == _digests(other, day):
        return None
    return first_difference(_path(one, day), _path(other, day), task.key)


def _inputs_with_rows(task: WindowTask, day: Day) -> list[tuple[str, str]]:
    """What can come in another order, as (kind, name)."""
    views = [
        ("view", given.read.dataset)
        for given in task.inputs
        if any(day + given.read.first <= file.day <= day + given.read.last for file in given.files)
    ]
    return [*views, *(("table", table) for table, _ in task.references)]


def _path(files: list[StagedFile], day: Day) -> Path | None:
    return next((file.path for file in files if file.day == day), None)


def _digests(files: list[StagedFile], day: Day) -> list[str]:
    return [file.sha256 for file in files if file.day == day]
