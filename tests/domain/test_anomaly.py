"""When a volume is strange."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from tradex_ledger.domain.anomaly import Anomaly, judge, median
from tradex_ledger.domain.policy import Policy

DROP, RISE = "own previous version: drop", "own previous version: rise"
SERIES, BELOW = "series: median and MAD", "series: drop below the median"
QUIET = Policy(anomaly_drop_percent=0, anomaly_mads=0)
COUNTS = st.integers(min_value=0, max_value=10**12)


@pytest.mark.parametrize(("values", "middle"), [([5], 5), ([1, 4], 2), ([9, 1, 5], 5), ([4, 1, 3, 2], 2)])
def test_the_median_is_a_whole_number(values: list[int], middle: int):
    assert median(values) == middle


@pytest.mark.norm("N35")
@pytest.mark.parametrize(
    ("rows", "previous", "series", "policy", "rules"),
    [
        # against its own previous version
        (100, None, [], Policy(), []),
        (100, 100, [], Policy(), []),
        (51, 100, [], Policy(), []),
        (50, 100, [], Policy(), [DROP]),
        (0, 100, [], Policy(), [DROP]),
        (0, 20, [], Policy(), [DROP]),
        (0, 19, [], Policy(), []),
        (1000, 100, [], Policy(), []),
        (150, 100, [], Policy(anomaly_rise_percent=50), [RISE]),
        (149, 100, [], Policy(anomaly_rise_percent=50), []),
        (0, 100, [], QUIET, []),
        # against the series: at least four, a tenth of the middle is always allowed
        (0, None, [100, 100, 100], Policy(), []),
        (0, None, [100] * 4, Policy(), [SERIES]),
        (160, None, [100] * 4, Policy(), []),
        (161, None, [100] * 4, Policy(), [SERIES]),
        (50, None, [100] * 4, Policy(), [BELOW]),
        (51, None, [100] * 4, Policy(), []),
        (50, None, [100] * 4, Policy(anomaly_drop_percent=0), []),
        (0, None, [19] * 4, Policy(), []),
        (0, None, [100] * 4, QUIET, []),
        # one outlier in the series changes nothing
        (100, None, [100, 100, 100, 100, 10**9], Policy(), []),
        (400, None, [60, 80, 100, 120, 140], Policy(anomaly_mads=6), [SERIES]),
        (220, None, [60, 80, 100, 120, 140], Policy(anomaly_mads=6), []),
        # both
        (0, 100, [100] * 4, Policy(), [DROP, SERIES]),
    ],
)
def test_a_volume_is_strange_beyond_its_bounds(
    rows: int, previous: int | None, series: Sequence[int], policy: Policy, rules: list[str]
):
    assert [anomaly.rule for anomaly in judge(rows, previous, series, policy)] == rules


@pytest.mark.norm("N35")
def test_an_anomaly_says_what_was_expected_observed_and_allowed():
    assert judge(40, 101, [], Policy()) == [Anomaly(DROP, 101, 40, 50)]


@for_all(COUNTS, st.none() | COUNTS, st.lists(COUNTS, max_size=9))
def test_everything_about_it_is_a_whole_number(rows: int, previous: int | None, series: list[int]):
    for found in judge(rows, previous, series, Policy(anomaly_rise_percent=1)):
        assert all(type(value) is int for value in (found.expected, found.observed, found.allowed))
        assert found.observed == rows != found.expected
