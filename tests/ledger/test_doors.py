"""Whoever reads a ledger asks any database the same, and is answered the same."""

from __future__ import annotations

import re
import sys
from types import ModuleType

import pytest
from eventsourcing.persistence import StoredEvent
from sqlalchemy import URL, Engine, create_engine

from tests.kit.stores import LEDGER, START
from tradex_ledger import resources
from tradex_ledger.clock import Seat
from tradex_ledger.ledger import dialects, faults, select, sqlite
from tradex_ledger.ledger.ask import at_positions, events_of, last_position
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.ledger.faults import StoreFault
from tradex_ledger.ledger.leases import Leases
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.select import Value, hinted, open_store, read, spread, unhinted
from tradex_ledger.ledger.store import database, translated

STATE = canonical({"by": "marta", "data": {"rows": 3}, "v": 1})
TOPICS = ("run.published", "dataset.published")
VALUES: dict[str, Value] = {
    "application": "feed lineage",
    "at": "2026-01-10T12:00:00.000000Z",
    "first": 2,
    "last": 300,
    "begin": 0,
    "upto": 2,
    "stream": "bf-1",
    "streams": ["bf-1", "bf-2"],
    "topics": TOPICS,
    "versions": [1, 3],
    "level": 0,
    "tile": 0,
    "machine": "here",
    "size": 300,
    "low": 1,
}
STATEMENTS = select._statements()


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """Three hundred events of two streams, the tile that they fill, and a lease that another machine has seen."""
    recorder = Recorder(engine, lambda: START)
    for n in range(150):
        recorder.insert_events([StoredEvent(f"bf-{s + 1}", n + 1, TOPICS[s], STATE) for s in range(2)])
    there, here = (Leases(engine, Seat("host", machine, 7, lambda: 5.0)) for machine in ("there", "here"))
    assert there.acquire("bf-1", "one", 30)
    assert not here.acquire("bf-1", "two", 30)
    return engine


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_every_door_answers_a_statement_alike(filled: Engine, url: str, name: str) -> None:
    if name == "by_stream_topic_index" and not url.startswith("sqlite"):
        pytest.skip("SQLite's own indexes are what it asks about")
    asked = {value: VALUES[value] for value in re.findall(r":(\w+)", STATEMENTS[name])}
    wide, narrow = database(filled), open_store(url)
    assert wide.ledger == narrow.ledger == LEDGER
    statement = read(name) + (" group by at" if name == "first_positions" else "")
    found = wide.select(statement, **asked)
    assert (found == []) if name in {"strange_positions", "tracked"} else (found and found[0] != (None,))
    assert narrow.select(statement, **asked) == found
    assert narrow.ask(lambda ask: ask(statement, **asked)) == found


def test_every_door_tells_which_tables_there_are(filled: Engine, url: str) -> None:
    for store in (database(filled), open_store(url)):
        assert store.has_table("holds")
        assert not store.has_table("handles")


def test_a_position_and_tiles_are_told_by_every_door(filled: Engine, url: str) -> None:
    for store in (database(filled), open_store(url)):
        assert (store.position(), last_position(store, at="2026-01-10"), last_position(store, at="2026-01-11")) == (
            300,
            0,
            300,
        )
        whole, begun, rest, past = store.leaves(1, 256), store.leaves(1, 200), store.leaves(201, 256), store.past(300)
        assert whole and begun and rest and past and whole == begun + rest
        assert (len(whole), past) == (256 * 32, database(filled).past(300))
        assert len({store.past(position) for position in range(1, 301)}) == 300
        assert (store.leaves(257, 301), store.past(301)) == (None, None), "what is not whole is not known by anything"


def test_a_look_up_is_answered_alike_by_every_door(filled: Engine, url: str) -> None:
    wide, narrow = database(filled), open_store(url)
    found = events_of(wide, TOPICS[:1], after=7, upto=20, saying='"rows":3')
    assert [told.position for told in found] == [9, 11, 13, 15, 17, 19]
    assert events_of(narrow, TOPICS[:1], after=7, upto=20, saying='"rows":3') == found
    assert at_positions(narrow, [3, 999, 1]) == at_positions(wide, [1, 3])


def test_an_index_is_named_to_sqlite_only() -> None:
    names = [name for name, text in STATEMENTS.items() if "/*+" in text]
    assert names == ["ends", "stream_counted", "by_stream_index", "by_topic_index", "by_stream_topic_index"]
    for name in names:
        assert " indexed by " in hinted(read(name))
        assert " indexed by " not in unhinted(read(name))
        assert "*/" not in hinted(read(name)) + unhinted(read(name))


@pytest.mark.parametrize(("values", "text"), [(["a"], "(:x_0)"), (["a", "b"], "(:x_0, :x_1)"), ([], "(null)")])
def test_a_list_is_so_many_values(values: list[str], text: str) -> None:
    statement, single = spread("select :x1 where y in :x", {"x": values, "x1": 7})
    assert statement == f"select :x1 where y in {text}"
    assert single == {"x1": 7, **{f"x_{n}": value for n, value in enumerate(values)}}


def test_the_statements_of_a_ledger_stand_in_one_file() -> None:
    text = resources.read_text("schema", "ledger", "reads.sql")
    assert len(STATEMENTS) == text.count("-- name: ")


class Other(sqlite.SQLite):
    """Another database, which has words of its own."""

    def fault_of(self, error: Exception, *, reading: bool) -> faults.Fault | None:
        return faults.BUSY if "55P03" in str(error) else None


def test_another_database_is_one_module_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(dialects.UnknownDatabaseError):
        dialects.dialect_of(URL.create("other"))
    module = ModuleType("ledger_on_another_database")
    vars(module)["DIALECT"] = Other()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(dialects.MODULES, "sqlite", module.__name__)
    dialects._dialect.cache_clear()
    try:
        for said, code in (("55P03", "store-busy"), ("database is locked", "store")):
            with pytest.raises(StoreFault) as raised, translated(create_engine("sqlite://")):
                raise Other.errors[0](said)
            assert raised.value.code == code
    finally:
        dialects._dialect.cache_clear()
