"""What is open of some positions, and when it is closed."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import duckdb
import pytest

from tests import worlds
from tests.kit import small
from tradex_ledger.audit.reader import Reader
from tradex_ledger.ledger.select import Store
from tradex_ledger.views import AsOf
from tradex_ledger.web.lenses import Lenses


@pytest.fixture
def store(tmp_path: Path) -> Store:
    with small.reopen(worlds.copied(tmp_path, days=2, until=None)) as workspace:
        return workspace.ledger.store


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The positions of the readers that were closed."""
    found: list[int] = []
    close = Reader.close

    def counted(self: Reader) -> None:
        found.append(self.as_of.position)
        close(self)

    monkeypatch.setattr(Reader, "close", counted)
    return found


def events(reader: Reader) -> int:
    ((count,),) = reader.connection.execute("select count(*) from events").fetchall()
    return int(count)


def test_one_that_is_let_go_is_closed_at_once_where_nobody_asks_it(store: Store, closed: list[int]):
    lenses = Lenses(2)
    for position in (1, 2, 1, 3, 4):
        assert lenses.read(store, AsOf(position, None), events) == position
    assert closed == [2, 1]


def test_one_that_is_asked_is_closed_by_who_asks_it_last(store: Store, closed: list[int]):
    lenses, begun, goes_on, answers = Lenses(1), Event(), Event(), []

    def slowly(reader: Reader) -> int:
        begun.set()
        assert goes_on.wait(60)
        return events(reader)

    asking = Thread(target=lambda: answers.append(lenses.read(store, AsOf(1, None), slowly)))
    asking.start()
    assert begun.wait(60)
    assert lenses.read(store, AsOf(2, None), events) == 2
    assert closed == []
    goes_on.set()
    asking.join(60)
    assert (answers, closed) == ([1], [1])


def test_one_that_is_asked_within_what_is_asked_of_another_closes_neither(store: Store, closed: list[int]):
    lenses = Lenses(1)

    def within(reader: Reader) -> int:
        return lenses.read(store, AsOf(2, None), events) + events(reader)

    assert lenses.read(store, AsOf(1, None), within) == 3
    assert closed == [1]


def test_one_whose_files_are_gone_is_closed_and_opened_anew(store: Store, closed: list[int]):
    lenses, asked = Lenses(), []

    def failing(reader: Reader) -> int:
        asked.append(reader)
        if len(asked) == 2:
            raise duckdb.IOException("gone")
        return events(reader)

    assert [lenses.read(store, AsOf(3, None), failing) for _ in range(2)] == [3, 3]
    assert asked[0] is asked[1] is not asked[2]
    assert closed == [3]
