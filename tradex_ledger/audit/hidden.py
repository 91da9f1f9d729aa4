"""What readers would lose by a backfill that waits, as of a position: no definition of today is asked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from tradex_ledger.audit.reader import Reader
from tradex_ledger.domain.day import Day, day_of, span
from tradex_ledger.domain.plan import Window

# The days of datasets whose versions stand side by side that are there under an older version than the newest.
_OUTDATED = """
    select l.dataset, l.logic_version, p.partition as day
    from logic_versions l
    join partitions p using (dataset)
    where l.is_current and l.component is not null
    group by l.dataset, l.logic_version, p.partition
    having max(p.logic_version) < l.logic_version
    order by l.dataset, p.partition
"""


class _Outdated(NamedTuple):
    dataset: str
    logic_version: int
    day: date


def hidden_days(reader: Reader, windows: Iterable[Window]) -> list[str]:
    """A sentence for each dataset of which readers would get a version that lacks days that they get as yet."""
    from tradex_ledger.planning.plan import hides  # loads slowly

    planned: dict[str, set[Day]] = {}
    for window in windows:
        planned.setdefault(window.dataset, set()).update(span(window.first, window.last))
    left: dict[tuple[str, int], list[Day]] = {}
    for one in reader.ask(_Outdated, _OUTDATED, over=("logic_versions", "partitions")):
        day = day_of(one.day)
        if day not in planned.get(one.dataset, {day}):
            left.setdefault((one.dataset, one.logic_version), []).append(day)
    return [hides(dataset, version, days) for (dataset, version), days in left.items()]
