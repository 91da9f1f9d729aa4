"""Many who ask at once ask as of one position; whoever asks alone, or has decided, is told the newest."""

from __future__ import annotations

from itertools import count

from tradex_ledger.views import AsOf
from tradex_ledger.web.at import At
from tradex_ledger.web.now import Now


def newest():
    """Each time the ledger has come further."""
    numbers = count(1)
    return lambda: At(AsOf(next(numbers), None), "0" * 8, is_pinned=False)


def test_who_asks_alone_is_told_the_newest():
    now, of = Now(), newest()
    for expected in (1, 2, 3):
        with now.asking():
            assert now.at(0, of).position == expected


def test_many_at_once_are_told_the_same_but_never_less_than_streams_said_or_was_decided():
    now, of = Now(), newest()
    with now.asking(), now.asking():
        assert [now.at(0, of).position for _ in range(3)] == [1, 1, 1]
        assert now.at(2, of).position == 2  # the streams have said so
        assert now.at(2, of).position == 2
        now.forget()
        assert now.at(0, of).position == 3
