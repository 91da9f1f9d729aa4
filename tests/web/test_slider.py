"""A slider is drawn from the moments that it has room for, and looks as if it had been given all of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tradex_ledger.views import AsOf
from tradex_ledger.web.at import At
from tradex_ledger.web.draw.slider import MOST, slider
from tradex_ledger.web.moments import Moment


@pytest.mark.parametrize("count", [0, 1, MOST, MOST + 1, 2 * MOST, 3 * MOST])
def test_moments_near_the_handle_are_all_that_a_slider_draws(count: int):
    moments = [Moment(2 * n, datetime(2024, 1, 1 + n % 28, tzinfo=UTC), "decided", f"moment {n}") for n in range(count)]
    for position in (0, 1, MOST // 2, count, 2 * count - MOST // 3, 2 * count):
        at = At(AsOf(max(position, 0), None), "00000000", is_pinned=False)
        before = [one for one in moments if one.position <= position][-MOST:]
        near = [*before, *[one for one in moments if one.position > position][:MOST]]
        assert slider(near, at, "/") == slider(moments, at, "/")
