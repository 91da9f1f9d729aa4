"""What a process holds of the newest events grows by what was appended, and is never believed of another past."""

from __future__ import annotations

import gc
import json
import shutil
import sqlite3
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.golden import record
from tests.kit.kept import Harm, cut, delete, empty, flip, link, pipe
from tradex_ledger import views
from tradex_ledger.audit.reader import Reader
from tradex_ledger.datasets import statement
from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.keyed import Caches
from tradex_ledger.ledger import columnar, segments, tail
from tradex_ledger.ledger import typed as columns
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.ledger.merkle import leaf_hash
from tradex_ledger.ledger.select import Store, open_store
from tradex_ledger.views import AsOf, kept, open_views, shared_views

LINES = (Path(record.__file__).parent / "ledger_v3.jsonl").read_text(encoding="utf-8").splitlines()
_ALL = "select position, stream, topic, entry, data::varchar from events order by position"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(segments, "EVENTS", 64)
    monkeypatch.setattr(kept, "STEP", 2)
    monkeypatch.setattr(tail, "_held", tail._Held())
    monkeypatch.setattr(sys.modules[__name__], "_BEFORE", {name for name, _ in _all_tables()})
    yield
    with statement.shared() as tables:  # of this test: nobody finds them again
        for name in {name for name, _ in _all_tables()} - _BEFORE:
            tables.execute(f"drop table {statement.LASTING}.{name}")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events were put into what is held, at a time."""
    counts: list[int] = []
    put = columns.typed

    def count(connection: duckdb.DuckDBPyConnection, into: str, entries: list[str], condition: str = "true") -> None:
        counts.append(len(entries))
        put(connection, into, entries, condition)

    monkeypatch.setattr(tail, "typed", count)
    monkeypatch.setattr(segments, "PIECES", 1)  # none is full before the segment is
    return counts


class Made:
    """Ledgers cut from one with every kind of event."""

    def __init__(self, folder: Path, whole: Path) -> None:
        self.folder, self.whole = folder, whole

    def __call__(self, name: str, events: int, *, other: int = 0) -> Store:
        """A ledger of its first events, the one at `other` told by somebody else."""
        (self.folder / name).mkdir()
        file = self.folder / name / "ledger.db"
        shutil.copyfile(self.whole, file)
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("delete from events where position > ?", [events])
            if other:
                text = canonical(json.loads(LINES[other - 1]) | {"by": "mallory"})
                change = "update events set entry = ?, leaf = ? where position = ?"
                connection.execute(change, [text.decode(), leaf_hash(text), other])
        return open_store(f"sqlite:///{file}", file.parent)

    def put(self, name: str, to: str) -> None:
        """Lay one ledger where another is."""
        shutil.copyfile(self.folder / name / "ledger.db", self.folder / to / "ledger.db")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with every kind of event, which nothing guards."""
    file = tmp_path_factory.mktemp("whole") / "ledger.db"
    engine, _ = record.load(LINES, f"sqlite:///{file}")
    engine.dispose()
    with closing(sqlite3.connect(file)) as connection, connection:
        for (name,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            connection.execute(f"drop trigger {name}")
        connection.execute("pragma journal_mode = delete")
    return file


@pytest.fixture
def made(tmp_path: Path, whole: Path) -> Made:
    return Made(tmp_path, whole)


def held(store: Store, upto: int | None = None, *only: str) -> list[Any]:
    with shared_views(store, AsOf(upto or store.position(), None), *only) as connection:
        return connection.execute(_ALL).fetchall()


def alone(store: Store, upto: int | None = None, *only: str) -> list[Any]:
    with open_views(store, AsOf(upto or store.position(), None), *only) as connection:
        return connection.execute(_ALL).fetchall()


def test_an_append_is_all_that_is_read_again(made: Made, typed: list[int]):
    store, _ = made("ws", 200), made("longer", 207)
    assert held(store) == alone(store)
    made.put("longer", "ws")
    assert held(store) == alone(store) and len(held(store)) == 207 - 192
    assert typed == [8, 7]  # the generation is of 192


def test_who_asks_as_of_before_sees_no_further_and_what_is_held_stays(made: Made, typed: list[int]):
    store = made("ws", 216)
    for upto in (216, 200, 130, 50, 216):
        assert held(store, upto) == alone(store, upto)
    assert typed == [24]


def test_events_of_some_topics_are_added_when_others_are_asked_for(made: Made, typed: list[int]):
    store = made("ws", 191)
    for only in (("run_datasets",), ("run_datasets", "publications"), ("runs",), ("publications",)):
        assert held(store, None, *only) == alone(store, None, *only)
    assert len(typed) == 3 and sum(typed) == 191 - 128


@pytest.mark.parametrize("position", [130, 150, 191])
def test_a_ledger_with_another_past_that_was_put_in_its_place_is_read_from_the_beginning(made: Made, position: int):
    store, _ = made("ws", 191), made("other", 191, other=position)
    before = held(store)
    made.put("other", "ws")
    assert held(store) == alone(store) != before


def test_an_older_copy_that_was_put_back_has_not_what_came_after_it(made: Made):
    """And what is appended to it then is another history."""
    store, _, _ = made("ws", 191), made("older", 140), made("other", 216, other=150)
    held(store)
    made.put("older", "ws")
    assert held(store) == alone(store) and len(held(store)) == 140 - 128
    made.put("other", "ws")
    assert held(store) == alone(store)


def test_an_event_whose_leaf_is_another_is_told_to_who_held_it(made: Made):
    store = made("ws", 191)
    held(store)
    with closing(sqlite3.connect(made.folder / "ws" / "ledger.db")) as connection, connection:
        connection.execute("update events set leaf = ? where position = 149", [leaf_hash(b"another")])
    with pytest.raises(BrokenLedgerError):
        held(store)


def test_what_is_not_finished_is_not_held(made: Made, monkeypatch: pytest.MonkeyPatch):
    gc.collect()  # what other tests of this process asked, and let go in a circle
    store, _ = made("ws", 135), made("longer", 150)
    held(store)
    made.put("longer", "ws")
    with monkeypatch.context() as broken:
        broken.setattr(tail, "_digest", lambda _: hash(1 / 0))
        with pytest.raises(ZeroDivisionError):
            held(store)
    assert held(store) == alone(store)
    assert len(_tables()) == 1


def test_one_table_is_held_of_fewer_events_than_a_segment_has_and_nothing_of_who_asked(made: Made):
    before = len(views._OPEN)
    stores = [made("a", 140), made("b", 150), made("c", 191), made("a2", 140, other=135), made("b2", 150, other=135)]
    gc.collect()
    for store in (*stores, *stores):
        assert held(store) == alone(store)
    _two_at_once(stores[0], stores[4])
    (rows,) = _tables()
    gc.collect()
    assert rows < 64 and len(views._OPEN) <= before


def test_who_is_collected_as_garbage_while_another_is_looked_up_waits_for_nobody(
    made: Made, monkeypatch: pytest.MonkeyPatch
):
    """Garbage is collected wherever something is allocated: also where what is held is locked."""
    store, answers = made("ws", 200), list[list[Any]]()
    wanted, leaves = held(store), Store.leaves

    def collecting(self: Store, first: int, last: int) -> bytes | None:
        if tail._lock.locked():
            gc.collect()
        return leaves(self, first, last)

    def ask() -> None:
        gc.disable()  # until it is in the way
        left: list[object] = [Reader(store)]  # never closed, and in a circle, as of what has failed
        left.append(left)
        del left
        with monkeypatch.context() as patch:
            patch.setattr(Store, "leaves", collecting)
            answers.append(held(store))

    try:
        asking = threading.Thread(target=ask, daemon=True)  # one that waits for itself cannot be ended
        asking.start()
        asking.join(60)
    finally:
        gc.enable()
    assert answers == [wanted]
    assert held(store) == wanted
    assert not tail._done


_BEFORE: set[str] = set()
"""The tables that were held when a test began: those of tests of other files."""


def _tables() -> list[int]:
    """The sizes of the tables that are held."""
    return [size for name, size in _all_tables() if name not in _BEFORE]


def _all_tables() -> list[tuple[str, int]]:
    with statement.shared() as connection:
        found = "select table_name, estimated_size from duckdb_tables where database_name = 'memory'"
        return connection.execute(found).fetchall()


def _two_at_once(one: Store, two: Store) -> None:
    with shared_views(one, AsOf(140, None)) as first, shared_views(two, AsOf(150, None)) as second:
        assert first.execute(_ALL).fetchall() == alone(one) and second.execute(_ALL).fetchall() == alone(two)


def test_a_duckdb_that_is_lost_takes_what_it_held_with_it(made: Made):
    store = made("ws", 191)
    held(store)
    statement.engine.cache_clear()
    assert held(store) == alone(store)


def test_without_caches_a_long_ledger_is_not_held(made: Made, typed: list[int]):
    store = replace(made("ws", 216), caches=Caches())
    assert held(store) == alone(store) and typed == []


def _again(store: Store, upto: int | None = None) -> list[Any]:
    """What a process is told that holds nothing yet."""
    tail._held.table = None
    return held(store, upto)


def _pieces(store: Store) -> list[Path]:
    folder = store.caches.path("pieces")
    assert folder is not None
    return sorted(folder.glob("*"))


def test_whoever_comes_next_types_only_what_no_piece_has(made: Made, monkeypatch: pytest.MonkeyPatch):
    store, typed = made("ws", 191), list[int]()
    wanted = held(store)
    firsts = [int(path.name[:12]) for path in _pieces(store)]
    assert firsts == [129, 137, 145, 153, 161, 169, 177]
    put = columns.typed

    def count(connection: duckdb.DuckDBPyConnection, into: str, entries: list[str], condition: str = "true") -> None:
        typed.append(len(entries))
        put(connection, into, entries, condition)

    for module in (columns, columnar, tail):
        monkeypatch.setattr(module, "typed", count)
    assert _again(store) == alone(store) == wanted
    assert sum(typed) == 2 * (191 - 184), "once in the table that is held, once in that of a connection of its own"


def _swap(path: Path, others: list[Path]) -> None:
    path.write_bytes(next(other for other in others if other != path).read_bytes())


def _folder(path: Path, _: list[Path]) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [delete, empty, cut, flip, link, pipe, _swap, _folder])
def test_a_piece_that_is_not_as_it_was_written_is_not_believed(made: Made, harm: Harm):
    store = made("ws", 191)
    wanted = held(store)
    harm(_pieces(store)[3], _pieces(store))
    assert _again(store) == alone(store) == wanted


@pytest.mark.parametrize("harm", [delete, cut, empty, _folder])
def test_a_piece_that_goes_while_it_is_read_is_done_without(made: Made, monkeypatch: pytest.MonkeyPatch, harm: Harm):
    store, scan = made("ws", 191), columns.scan
    wanted = held(store)

    def too_late(files: Iterable[str]) -> str:
        files = list(files)
        if "pieces" in files[0]:
            harm(Path(files[0]), [])
        return scan(files)

    monkeypatch.setattr(columns, "scan", too_late)
    assert _again(store) == wanted
    assert alone(store) == wanted


@pytest.mark.parametrize("first", ["run_datasets", "partition_history"])
def test_of_pieces_only_the_topics_that_are_asked_for_are_taken(made: Made, first: str):
    """And whoever asks for all of them then has each event once."""
    store = made("ws", 191)
    with pytest.MonkeyPatch.context() as none:
        none.setattr(segments, "PIECES", 1)
        some, everything = alone(store, None, first), alone(store)
    assert len(some) < len(everything)
    assert held(store, None, first) == alone(store, None, first) == some
    assert held(store) == alone(store) == everything


def test_pieces_are_those_of_this_past(made: Made):
    store, _ = made("ws", 191), made("other", 191, other=150)
    before = held(store)
    made.put("other", "ws")
    assert _again(store) == alone(store) != before


def test_pieces_go_when_the_segment_is_full_and_none_are_made_of_before(made: Made):
    store, _ = made("ws", 191), made("longer", 216)
    held(store)
    made.put("longer", "ws")
    assert _again(store) == alone(store)
    assert [int(path.name[:12]) for path in _pieces(store)] == [193, 201, 209]
    assert _again(store, 150) == alone(store, 150)
    assert [int(path.name[:12]) for path in _pieces(store)] == [193, 201, 209]
