"""Days, windows and closure, against definitions in one line."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.kit.made import BRONZE, definition, pipeline_of
from tradex_ledger.datasets.definition import Definition, Pipeline, load_pipeline, parse_definition
from tradex_ledger.datasets.graph import affected, days_of, input_days, windows
from tradex_ledger.domain.day import Day, date_of, day_of, from_epoch, iso, later, span, start_of, to_epoch
from tradex_ledger.workspace import BUILT_IN

DAY_0 = Day(738_000)


def day(first: int, last: int) -> st.SearchStrategy[Day]:
    """A day so many days after the first of these tests."""
    return st.integers(first, last).map(lambda n: later(DAY_0, n))


REACH = st.tuples(st.integers(-5, 3), st.integers(0, 4)).map(lambda pair: (pair[0], pair[0] + pair[1]))
OWN = st.tuples(st.integers(-3, -1), st.integers(0, 2)).map(lambda pair: (pair[0], min(-1, pair[0] + pair[1])))
DAYS = st.sets(day(0, 12), max_size=5)


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """A Bronze dataset and up to four that read some of those before them, and perhaps themselves."""
    found: list[Definition] = [parse_definition("d0", BRONZE, {})]
    for number in range(1, draw(st.integers(1, 4)) + 1):
        upstream = draw(st.sets(st.integers(0, number - 1), min_size=1))
        reads = {f"d{n}": "{}d..{}d".format(*draw(REACH)) for n in sorted(upstream)}
        if draw(st.booleans()):
            reads[f"d{number}"] = "{}d..{}d".format(*draw(OWN))
        found.append(definition(reads=reads, name=f"d{number}"))
    return pipeline_of(*found)


def by_definition(pipeline: Pipeline, changed: dict[str, set[Day]], last_day: Day) -> dict[str, set[Day]]:
    """A day is affected when it reads a day that changed or is affected: said once, until nothing is new."""
    dirty = {(name, day) for name, days in changed.items() for day in days}
    all_days = span(DAY_0 - 40, last_day)
    hit: set[tuple[str, Day]] = set()
    while True:
        new = {
            (name, day)
            for name, d in pipeline.definitions.items()
            for day in all_days
            for read in d.reads
            if any((read.dataset, day + offset) in dirty for offset in range(read.first, read.last + 1))
        } - hit
        if not new:
            break
        hit |= new
        dirty |= new
    names = {name for name, _ in hit}
    return {name: {day for n, day in hit if n == name} for name in names}


@given(pipelines(), DAYS, DAYS, day(8, 16))
def test_the_closure_is_what_reads_what_changed(pipeline: Pipeline, bronze: set[Day], other: set[Day], last_day: Day):
    changed = {"d0": bronze, "d1": other}
    assert affected(pipeline, changed, last_day=last_day) == by_definition(pipeline, changed, last_day)


@pytest.mark.norm("N15")
def test_a_changed_day_of_metrics_affects_the_28_baselines_after_it_and_the_signals_of_those_days():
    found = affected(load_pipeline(BUILT_IN, "x"), {"bronze_x_posts": {DAY_0}}, last_day=later(DAY_0, 100))
    after = set(span(DAY_0 + 1, DAY_0 + 28))
    assert found == {
        "silver_social_events": {DAY_0},
        "gold_metrics": {DAY_0},
        "gold_baselines": after,
        "gold_signals": {DAY_0} | after,
    }


def test_the_closure_ends_with_the_last_day_there_is():
    found = affected(load_pipeline(BUILT_IN, "x"), {"bronze_x_posts": {DAY_0}}, last_day=later(DAY_0, 2))
    assert found["gold_baselines"] == {DAY_0 + 1, DAY_0 + 2}


@pytest.mark.norm("N32")
@pytest.mark.norm("N36")
@given(st.sets(day(0, 60)), st.integers(1, 10), st.booleans(), st.integers(1, 4))
def test_windows_hold_exactly_the_days_and_none_is_longer_than_the_limit(
    days: set[Day], limit: int, reads_itself: bool, lag: int
):
    reads = {"base": "0d", **({"made": f"-9d..-{lag}d"} if reads_itself else {})}
    cut = windows(definition(reads=reads), days, logic_version=3, window_partitions=limit)
    assert days_of(cut, "made") == days
    assert days_of(cut, "other") == set()
    assert sum(w.partitions for w in cut) == len(days)
    for w in cut:
        assert w.partitions == w.last - w.first + 1
        # A dataset that reads its own day before the last `lag` can be built `lag` days at a time.
        assert 1 <= w.partitions <= min(limit, lag if reads_itself else limit)
        assert (w.dataset, w.layer, w.logic_version) == ("made", "gold", 3)
    assert all(one.last < two.first for one, two in pairwise(cut))


@given(st.sets(day(0, 60), min_size=1), st.integers(1, 10))
def test_windows_are_as_few_as_the_limit_allows(days: set[Day], limit: int):
    cut = windows(definition(), days, logic_version=1, window_partitions=limit)
    for one, two in pairwise(cut):
        adjoin = two.first == one.last + 1
        assert not adjoin or one.partitions == limit


@given(pipelines(), st.integers(0, 5))
def test_a_window_is_shown_the_days_that_any_of_its_days_reads(pipeline: Pipeline, length: int):
    first, last = DAY_0, later(DAY_0, length)
    for d in pipeline.definitions.values():
        shown = input_days(d, first, last)
        assert shown.keys() == {read.dataset for read in d.reads}
        for read in d.reads:
            wanted = {day + n for day in range(first, last + 1) for n in (read.first, read.last)}
            assert shown[read.dataset] == (min(wanted), max(wanted))


@given(st.integers(1, 3_652_059))
def test_days_are_written_and_read_alike(day: int):
    assert day_of(iso(Day(day))) == day_of(date_of(Day(day))) == from_epoch(to_epoch(Day(day))) == day
    assume(day > 1)
    assert day_of(f"{iso(Day(day))}T23:59:59.000000Z") == day
    assert iso(Day(day - 1)) < iso(Day(day))
    assert start_of(Day(day)) == f"{iso(Day(day))}T00:00:00.000000Z"
