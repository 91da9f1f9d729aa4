"""A window sees what it declared and no more, on each of its days."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.kit.windows import Content, digests, reading, task, write_base
from tradex_ledger.datasets.definition import DefinitionError
from tradex_ledger.domain.day import span
from tradex_ledger.driving import feed, window
from tradex_ledger.driving.window import ReadsOutsideWindowError, build_window
from tradex_ledger.driving.window_errors import NotFedError
from tradex_ledger.lake.writer import write_days

DAYS = range(1, 14)
# Nearly every day the same, so that what looks elsewhere has an effect on one day, far from both ends.
EVEN: Content = {day: [(1, 5), (2, 7)] for day in DAYS}
ODD_DAY = 5


def base_with_one_odd_day(folder: Path, odd: int = ODD_DAY) -> Any:
    return write_base(folder, {**EVEN, odd: [(1, 5), (2, 7), (3, 9)]})


UNDECLARED = {
    "the day before": "select p.day, 1::integer as id, count(b.id) as n from partitions p "
    "left join base b on b.day = p.day - 1 and b.id = 3 group by p.day",
    "the day after": "select p.day, 1::integer as id, count(b.id) as n from partitions p "
    "left join base b on b.day = p.day + 1 and b.id = 3 group by p.day",
    "a week ago": "select p.day, 1::integer as id, count(b.id) as n from partitions p "
    "left join base b on b.day = p.day - 7 and b.id = 3 group by p.day",
    "any day": "select p.day, 1::integer as id, (select count(*) from base where id = 3 and day <> p.day) as n "
    "from partitions p where day = '2024-01-04'",
    "a running count": "select day, id, count(*) over (partition by id order by day) as n from base where id = 1",
    "the last of a key": "select p.day, 1::integer as id, max(b.day)::varchar as n "
    "from partitions p join base b on b.id = 3 and b.day <= p.day group by p.day",
    "an asof join": "select p.day, 1::integer as id, b.n from partitions p "
    "asof join (select day, n from base where id = 3) b on b.day <= p.day",
    "neighbours of its own": "select day, id, coalesce(lag(id) over (order by day, id), 0)::bigint as n from base "
    "where id <> 2",
    "a name of its own for the input": "with base as (select * from base where id = 3), others as (from base) "
    "select p.day, 1::integer as id, count(o.id) as n from partitions p left join others o on o.day < p.day group by 1",
    "steps of its own": "with recursive steps as (select day, id, n from base where id = 3 union all "
    "select b.day, s.id + 10, b.n from steps s join base b on b.day = s.day + 1 and s.id < 30 and b.id = 1) "
    "select day, id, n from steps",
    "how many days there are": "select p.day, 1::integer as id, (select count(*) from partitions) as n "
    "from partitions p",
}


@pytest.mark.parametrize("way", UNDECLARED)
def test_what_was_not_declared_cannot_be_reached_on_any_day(tmp_path: Path, way: str):
    files, sql = base_with_one_odd_day(tmp_path / "base"), UNDECLARED[way]
    window = digests(build_window(task(tmp_path / "window", files, sql, DAYS, check_reads=False)))
    alone = [build_window(task(tmp_path / f"{d}", files, sql, range(d, d + 1), check_reads=False)) for d in DAYS]
    assert window == {d: file for one in alone for d, file in digests(one).items()}


@pytest.mark.parametrize("way", ["how many days there are", "the day before", "a week ago", "neighbours of its own"])
def test_who_looks_there_is_told_wherever_the_sample_meets_it(tmp_path: Path, way: str):
    files = write_base(tmp_path / "base", {day: [(3, day), (1, 5)] for day in DAYS})
    with pytest.raises(ReadsOutsideWindowError, match="when others are in sight, too"):
        build_window(task(tmp_path / "out", files, UNDECLARED[way], DAYS))


@pytest.mark.parametrize("odd", [2, 3, 4])
def test_of_a_short_window_every_day_is_compared(tmp_path: Path, odd: int):
    files = base_with_one_odd_day(tmp_path / "base", odd)
    with pytest.raises(ReadsOutsideWindowError):
        build_window(task(tmp_path / "out", files, UNDECLARED["the day before"], range(1, feed.SAMPLE_DAYS + 1)))


def test_the_sample_is_drawn_by_the_content_of_the_inputs():
    days = span(1, 90)
    samples = [feed.sample(days, f"{n}") for n in range(400)]
    assert samples == [feed.sample(days, f"{n}") for n in range(400)]
    assert all(len(days) == feed.SAMPLE_DAYS and days[0] == 1 and days[-1] == 90 for days in samples)
    assert {day for days in samples for day in days} == set(days)


DECLARED = {
    "counts": ("select day, id, sum(n)::bigint as n from base group by all", 0, 0),
    "the day before": ("select p.day, b.id, b.n from partitions p join base b on b.day = p.day - 1", -1, -1),
    "four weeks": (
        "select p.day, b.id, sum(b.n)::bigint as n from partitions p join base b "
        "on b.day between p.day - 28 and p.day - 1 group by all",
        -28,
        -1,
    ),
    "a running count within reach": (
        "select day, id, n from (select day, id, sum(n) over (partition by id order by day "
        "range between interval 3 days preceding and current row)::bigint as n from base) "
        "semi join partitions using (day)",
        -3,
        0,
    ),
    "a limit a day": (
        "select p.day, b.id, b.n from partitions p, "
        "lateral (select id, n from base where base.day = p.day order by n desc, id limit 1) b",
        0,
        0,
    ),
    "levels of groups": (
        "select p.day, coalesce(id, -1)::integer as id, sum(n)::bigint as n from base join partitions p using (day) "
        "group by grouping sets ((p.day, id), (p.day))",
        0,
        0,
    ),
}


@pytest.mark.parametrize("name", DECLARED)
def test_what_was_declared_is_built_as_it_is_alone(tmp_path: Path, name: str):
    sql, first, last = DECLARED[name]
    files = base_with_one_odd_day(tmp_path / "base")
    reads = reading(first, last, files)
    window = digests(build_window(task(tmp_path / "window", files, sql, DAYS, **reads)))
    alone = [build_window(task(tmp_path / f"{d}", files, sql, range(d, d + 1), **reads)) for d in (1, 5, 6, 13)]
    assert window
    assert {d: window[d] for one in alone for d in digests(one)} == {
        d: file for one in alone for d, file in digests(one).items()
    }


NO_PLAN = {
    "a limit of some per cent": "select day, id, n from base order by id limit 67%",
    "a positional join": "select p.day, b.id, b.n from partitions p positional join "
    "(select id, n from base order by id, day limit 1) b",
}


@pytest.mark.parametrize("way", NO_PLAN)
def test_what_the_engine_has_no_plan_for_is_built_day_by_day(tmp_path: Path, way: str):
    files = base_with_one_odd_day(tmp_path / "base")
    made = task(tmp_path / "out", files, NO_PLAN[way], DAYS, check_reads=False)
    built = build_window(made)
    assert [file.rows for file in built] == [2 if day == ODD_DAY and "%" in NO_PLAN[way] else 1 for day in DAYS]
    assert all(file.path.exists() for file in built)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from base) as a, (select * from main.base",
        "select * from base)) as __fed, lateral (select 1 from (select * from main.base",
        'select 1; drop view "base"',
    ],
)
def test_no_statement_ends_the_brackets_that_it_is_put_in(tmp_path: Path, sql: str):
    files = base_with_one_odd_day(tmp_path / "base")
    with pytest.raises(DefinitionError, match="is not one SELECT statement"):
        build_window(task(tmp_path / "out", files, sql, DAYS))


def test_an_engine_that_gives_other_rows_for_many_days_than_for_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def bent(connection: Any, sql: str, **more: Any) -> Any:
        """A plan for many days that counts one too many on each."""
        return write_days(connection, f"select * replace (n + 1 as n) from ({sql})" if "__fed" in sql else sql, **more)

    files, sql = base_with_one_odd_day(tmp_path / "base"), "select day, id, sum(n)::bigint as n from base group by all"
    monkeypatch.setattr(window, "write_days", bent)
    with pytest.raises(NotFedError, match=f"alone than in one statement .* DuckDB {duckdb.__version__} is") as told:
        build_window(task(tmp_path / "out", files, sql, DAYS))
    assert (told.value.code, "window_partitions = 1" in told.value.mend) == ("not-fed", True)
    assert build_window(task(tmp_path / "alone", files, sql, range(1, 2)))  # as its mend says
