"""The calendar as a document: of each day of each dataset what readers get, and what is going on with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from tradex_ledger.audit.documents.form import HIDDEN
from tradex_ledger.audit.reader import Reader
from tradex_ledger.errors import UsageError
from tradex_ledger.relations.data import LOGIC_VERSIONS
from tradex_ledger.relations.days import FILLS, SIGNS, CalendarCell
from tradex_ledger.views import AsOf, add_calendar

DAYS = 60
"""So many are told where nobody says how many."""
AHEAD = 7
"""Days that nobody has processed, and that are told all the same."""
STANDINGS = ("read", "next", "older")
"""Rows of one dataset in this order: what readers get comes first."""
MOST = 4_000
"""A question is about so many days at most: eleven years."""
# The last day that something is on record of, and the last one that is over.
_ENDS = """
    select
        (
            select max(day) from (
                select max(partition) as day
                from partitions
                where dataset not in (select dataset from datasets where is_side)
                union all
                select max(partition) from signs
                union all
                select max(cursor)[:10]::date - 1 from pipeline_state
            )
        ),
        (select max(day) - 1 from event_days)
"""
_OVER = ("partitions", "datasets", "signs", "pipeline_state", "event_days")


class _Ends(NamedTuple):
    told: date | None
    over: date | None


@dataclass(frozen=True, slots=True)
class Row:
    """The days of a dataset, or of one of its versions: the cells in order of their days, without a gap but of older
    versions, which have those days that they have."""

    dataset: str
    layer: str
    version: int | None
    standing: str
    cells: list[CalendarCell]


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days from `first` to `last`, both included; no `rows`: nothing is on record of any day.

    `fills`, `signs` and `protected` count the cells. `unprocessed` is how many days behind the last one are over by the
    time of the position, and processed by nobody.
    """

    as_of: AsOf
    first: date | None
    last: date | None
    rows: list[Row]
    fills: dict[str, int]
    signs: dict[str, int]
    protected: int
    unprocessed: int = 0
    cells: list[CalendarCell] = field(default_factory=list, metadata=HIDDEN)


def calendar(
    reader: Reader,
    names: Sequence[str] = (),
    *,
    first: date | None = None,
    last: date | None = None,
    days: int = DAYS,
    from_monday: bool = False,
    older: bool = False,
) -> Calendar:
    """The calendar of some datasets (none named: of all), upstream first.

    Without a `last` day it ends where the record does; without a `first`, it begins so many `days` before its end;
    `from_monday`: with the Monday before that.
    `older`: with the rows of versions that are neither read nor the newest.
    Raises: `UnknownDatasetError`, `UsageError`.
    """
    order = _order(reader, names)
    ends = next(iter(reader.ask(_Ends, _ENDS, over=_OVER)))
    end = last or _end(ends)
    if end is None:
        return _of(reader, None, None, [], order, 0)
    begin = first or end - min(timedelta(days=days - 1), end - date.min)
    if first is None and from_monday:
        begin -= timedelta(days=begin.weekday())
    _check(begin, end)
    table = add_calendar(reader.connection, begin, end)
    where = "list_contains($1, dataset) and (standing <> 'older' or $2)"
    found = reader.connection.execute(f"from {table} where {where} order by day", [list(order), older]).fetchall()
    behind = max((ends.over - end).days, 0) if ends.over is not None and last is None else 0
    cells = [CalendarCell._make(one) for one in found]
    if cells and first is None and not from_monday:
        begin = cells[0].day  # before the first day on record there is nothing to tell
    return _of(reader, begin, end, cells, order, behind)


def _order(reader: Reader, names: Sequence[str]) -> dict[str, int]:
    """Where each dataset that is wanted stands."""
    known = [version.dataset for version in reader.read(LOGIC_VERSIONS, "is_read order by position")]
    for name in names:
        if name not in known:
            from tradex_ledger.datasets.definition import UnknownDatasetError  # loads slowly

            raise UnknownDatasetError(name, known)
    return {name: place for place, name in enumerate(known) if not names or name in names}


def _end(ends: _Ends) -> date | None:
    if ends.told is None or ends.over is None:
        return ends.told
    return max(ends.told, min(ends.over, ends.told + timedelta(days=AHEAD)))


def _check(first: date, last: date) -> None:
    if first > last:
        raise UsageError(
            f"{first} is later than {last}", mend="say the first day and the last: --from 2014-02-01 --to -1d"
        )
    if (last - first).days >= MOST:
        raise UsageError(
            f"{(last - first).days + 1} days are too many to be told at once",
            mend=f"ask for {MOST} at most: --from, --to",
        )


def _of(
    reader: Reader, first: date | None, last: date | None, cells: list[CalendarCell], order: dict[str, int], behind: int
) -> Calendar:
    rows: dict[tuple[int, int, int], Row] = {}
    for cell in cells:
        key = (order[cell.dataset], STANDINGS.index(cell.standing), cell.version or 0)
        row = rows.get(key)
        if row is None:
            row = rows[key] = Row(cell.dataset, cell.layer, cell.version, cell.standing, [])
        row.cells.append(cell)
    fills, signs = Counter(cell.fill for cell in cells), Counter(cell.sign for cell in cells)
    return Calendar(
        as_of=reader.as_of,
        first=first,
        last=last,
        rows=[rows[key] for key in sorted(rows)],
        fills={name: fills[name] for name in FILLS if fills[name]},
        signs={name: signs[name] for name in SIGNS if signs[name]},
        protected=sum(cell.is_protected for cell in cells),
        unprocessed=behind,
        cells=[cell for key in sorted(rows) for cell in rows[key].cells],
    )
