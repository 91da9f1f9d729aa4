"""Projections are worked out two at a time: the answers are the same, and so is what goes wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread, current_thread

import duckdb
import pytest

from tests import worlds
from tests.golden import record
from tests.kit.kept import asked, from_zero, make_small, told
from tradex_ledger.datasets.statement import shared
from tradex_ledger.ledger.select import Store, open_store
from tradex_ledger.views import AsOf, begin_projections, kept, open_view, projected, shared_views
from tradex_ledger.views.lane import Lane, Work

BOUND_S = 30


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch, 64)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    def load(folder: Path) -> None:
        lines = (Path(record.__file__).parent / "ledger_v3.jsonl").read_text(encoding="utf-8").splitlines()
        (folder / "ws").mkdir()
        engine, _ = record.load(lines, f"sqlite:///{folder / 'ws' / 'ledger.db'}")
        engine.dispose()

    folder = worlds.copy("golden-3", load, tmp_path)
    return open_store(f"sqlite:///{folder / 'ledger.db'}", folder)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with shared() as opened:
        yield opened


@pytest.fixture
def lane(connection: duckdb.DuckDBPyConnection) -> Iterator[Lane]:
    opened = Lane(connection)
    yield opened
    opened.close()


def make(table: str, sql: str = "select 1 as n", by: dict[str, Thread] | None = None) -> Work:
    def work(connection: duckdb.DuckDBPyConnection) -> None:
        if by is not None:
            by[table] = current_thread()
        connection.execute(f"create table {table} as {sql}")

    return work


def test_what_is_begun_beside_is_there_for_who_asks_for_it_later(store: Store):
    upto = store.position()
    right = from_zero(store, upto)
    names = sorted(right, reverse=True)
    with shared_views(store, AsOf(upto, None)) as connection:
        begin_projections(connection, names)
        assert told(connection) == right
        assert told(connection, "runs") == {"runs": right["runs"]}


def test_who_asks_for_nothing_of_what_was_begun_ends_at_once(store: Store):
    with shared_views(store, AsOf(store.position(), None)) as connection:
        begin_projections(connection, projected.names())
    with shared_views(store, AsOf(store.position(), None)) as connection:
        assert told(connection, "runs")["runs"]


def test_files_that_are_taken_away_meanwhile_change_no_answer(store: Store, monkeypatch: pytest.MonkeyPatch):
    upto = store.position()
    right = asked(store, upto)
    for gone in ("runs", "moments", "recent_history"):
        with monkeypatch.context() as patched:
            patched.setattr(kept.Generation, "file", lambda self, name, gone=gone: _without(self, name, gone))
            assert asked(store, upto) == right, gone


def _without(generation: kept.Generation, name: str, gone: str) -> Path:
    """Its file, which was there when it was looked at, and is not when it is read."""
    return generation.files[name] if name != gone else Path("/nowhere/to/be/found.parquet")


def test_of_a_view_that_is_not_shared_nothing_is_left_to_be_closed(store: Store):
    view = open_view(store, store.position(), None)
    with view.connection:
        view.add_all(["runs", "signs", "moments", "logic_versions"])
        assert view._lane is None


def test_a_second_thread_does_what_is_left_and_who_needs_what_nobody_has_begun_does_it(
    lane: Lane, connection: duckdb.DuckDBPyConnection
):
    by: dict[str, Thread] = {}
    lane.leave("long", (), make("long", "select sum(range) as n from range(200_000_000)", by))
    lane.leave("first", (), make("first", by=by))
    lane.leave("second", ("first",), make("second", "from first", by))
    lane.wait("second")
    assert connection.execute("from second").fetchall() == [(1,)]
    assert by["first"] is by["second"] is current_thread()
    lane.wait("long")
    assert by["long"] is not current_thread()
    lane.leave("behind", (), make("behind"))  # the second thread had ended meanwhile, or not
    lane.wait("behind")
    assert connection.execute("from behind").fetchall() == [(1,)]


def test_what_goes_wrong_is_told_to_who_waits_for_it_or_for_what_needs_it_and_to_nobody_else(lane: Lane):
    lane.leave("wrong", (), make("wrong", "select no_such_column"))
    lane.leave("right", (), make("right_one"))
    lane.leave("over it", ("wrong",), make("over_it"))
    lane.wait("right")
    for name in ("wrong", "over it"):
        with pytest.raises(duckdb.BinderException, match="no_such_column"):
            lane.wait(name)
    assert lane.close() == {"wrong", "over it"}


def test_a_fault_of_ours_in_the_second_thread_is_no_silence(lane: Lane, monkeypatch: pytest.MonkeyPatch):
    def work(_: duckdb.DuckDBPyConnection) -> None:
        raise LookupError("a fault")

    heard: list[object] = []
    monkeypatch.setattr("threading.excepthook", heard.append)
    lane.leave("long", (), make("long", "select sum(range) as n from range(50_000_000)"))
    lane.leave("fault", (), work)
    lane.wait("long")
    while not heard:
        time.sleep(0.01)
    with pytest.raises(RuntimeError, match="not done"):
        lane.wait("fault")


def test_what_is_under_way_ends_when_nobody_waits_for_it_any_more(lane: Lane):
    begun: dict[str, Thread] = {}
    lane.leave(
        "endless", (), make("endless", "select count(*) as n from range(1_000_000_000_000) where range % 7 = 3", begun)
    )
    lane.leave("behind it", (), make("behind_it"))
    while not begun:
        time.sleep(0.01)
    time.sleep(0.2)
    since = time.monotonic()
    assert lane.close() == {"endless", "behind it"}
    assert time.monotonic() - since < BOUND_S


def test_it_ends_in_the_second_thread_too_where_garbage_may_be_collected(lane: Lane):
    ended: list[set[str]] = []

    def work(_: duckdb.DuckDBPyConnection) -> None:
        ended.append(lane.close())

    lane.leave("end", (), work)
    while not ended:
        time.sleep(0.01)
    assert ended == [{"end"}]
