"""PostgreSQL refuses to forget, lets a writer only add, and is waited for when it is lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from threading import Thread, Timer

import orjson
import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent
from sqlalchemy import Engine

from tests.kit import postgres
from tests.kit.stores import POSTGRES, Kind
from tradex_ledger import slow
from tradex_ledger.domain.lake_events import MOVED
from tradex_ledger.ledger import log, postgresql
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.ledger.faults import LOST, StoreFault
from tradex_ledger.ledger.moved import LedgerMovedError
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.select import Ask, open_store
from tradex_ledger.ledger.store import complete_store, create_store, open_engine, writing

LEAF = r"decode(repeat('00', 32), 'hex')"
TILE = r"decode(repeat('00', 8192), 'hex')"


def entry(position: int, stream: str = "new", version: int = 1, ledger: str = "ld-test") -> str:
    return (
        f'{{"at":"a","by":"","data":{{}},"ledger":"{ledger}","position":{position},"stream":"{stream}",'
        f'"topic":"t","v":1,"version":{version}}}'
    )


def row(position: int, text: str, stream: str = "new", version: int = 1, topic: str = "t") -> str:
    return f"INSERT INTO events VALUES ({position}, '{stream}', {version}, '{topic}', 'a', {LEAF}, '{text}')"


ATTEMPTS = {
    "update an event": "UPDATE events SET topic = 'other' WHERE position = 2",
    "update no event": "UPDATE events SET topic = 'other' WHERE false",
    "delete an event": "DELETE FROM events WHERE position = 300",
    "truncate the events": "TRUNCATE events",
    "truncate all": "TRUNCATE ledger, events, tiles CASCADE",
    "upsert an event": f"{row(2, entry(2))} ON CONFLICT (position) DO UPDATE SET topic = 'other'",
    "merge an event": (
        "MERGE INTO events USING (SELECT 2) AS x (p) ON position = p WHEN MATCHED THEN UPDATE SET topic = 'other'"
    ),
    "take a position that is taken": row(300, entry(300)),
    "take a version that is taken": row(301, entry(301, "bf-1", 7), "bf-1", 7),
    "leave a gap": row(302, entry(302)),
    "leave a gap within a statement": row(301, entry(301))
    + row(303, entry(303, version=2), version=2).replace("INSERT INTO events VALUES", ","),
    "insert at position 0": row(0, entry(0)),
    "store another position in the entry": row(301, entry(302)),
    "store another stream": row(301, entry(301, "other")),
    "store another version": row(301, entry(301, version=2)),
    "store another topic": row(301, entry(301), topic="other"),
    "store an event of another ledger": row(301, entry(301, ledger="other")),
    "store an entry that only ends like one": row(301, '{"at":"a","by":' + entry(301)),
    "store what is no entry": row(301, "{}"),
    "store a leaf of another length": row(301, entry(301)).replace(LEAF, r"'\x00'"),
    "update a tile": f"UPDATE tiles SET hashes = {TILE}",
    "delete a tile": "DELETE FROM tiles",
    "truncate the tiles": "TRUNCATE tiles",
    "leave a gap in the tiles": f"INSERT INTO tiles VALUES (0, 2, {TILE})",
    "lay a tile ahead of its events": f"INSERT INTO tiles VALUES (0, 1, {TILE})",
    "lay a tile of a level that there is not": f"INSERT INTO tiles VALUES (-1, 0, {TILE})",
    "store a tile of another length": r"INSERT INTO tiles VALUES (0, 1, '\x00')",
    "update the ledger": "UPDATE ledger SET id = 'other'",
    "delete the ledger": "DELETE FROM ledger",
    "truncate the ledger": "TRUNCATE ledger",
    "add a second ledger": "INSERT INTO ledger VALUES (2, 'other', 1, 'a')",
    "put a second first ledger": "INSERT INTO ledger VALUES (1, 'other', 1, 'a')",
}


@pytest.fixture(scope="module", params=POSTGRES, ids=lambda kind: kind.name)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A ledger of 300 events."""
    kind: Kind = request.param
    with kind.fresh(tmp_path_factory.mktemp("postgresql")) as made:
        engine = open_engine(made, create=True)
        create_store(engine, ledger_id="ld-test", created_at=datetime.now(UTC))
        recorder(engine).insert_events([StoredEvent("bf-1", version, "topic", b"state") for version in range(1, 301)])
        engine.dispose()
        yield made


@pytest.fixture
def connection(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True) as made:
        yield made


def recorder(engine: Engine) -> Recorder:
    return Recorder(engine, lambda: datetime.now(UTC))


def everything(connection: psycopg.Connection) -> list[list[tuple[object, ...]]]:
    return [
        connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in ("events", "tiles", "ledger")
    ]


@pytest.mark.norm("N2")
@pytest.mark.norm("N3")
@pytest.mark.norm("N40")
@pytest.mark.parametrize("as_replica", [False, True], ids=["", "as a replica"])
@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_the_ledger_refuses_to(connection: psycopg.Connection, attempt: str, as_replica: bool) -> None:
    before = everything(connection)
    if as_replica:
        connection.execute("set session_replication_role = replica")
    with pytest.raises(psycopg.IntegrityError):
        connection.execute(attempt)
    assert everything(connection) == before
    assert [len(rows) for rows in before] == [300, 1, 1]


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        ("update an event", "an event is never changed"),
        ("truncate the tiles", "a tile is never removed"),
        ("delete the ledger", "its identity is never removed"),
    ],
)
def test_a_refusal_says_that_the_ledger_is_append_only(connection: psycopg.Connection, attempt: str, said: str) -> None:
    with pytest.raises(psycopg.IntegrityError, match=f"the ledger is append-only: {said}"):
        connection.execute(ATTEMPTS[attempt])


def test_a_temporary_table_does_not_stand_in_for_the_ledger(connection: psycopg.Connection) -> None:
    connection.execute("create temp table ledger as select 1 as singleton, 'other' as id")
    connection.execute("create temp table events as select 999::bigint as position")
    with pytest.raises(psycopg.IntegrityError):
        connection.execute(row(1000, entry(1000, ledger="other")).replace("events", "public.events"))


def test_what_does_nothing_on_conflict_adds_nothing(connection: psycopg.Connection) -> None:
    before = everything(connection)
    connection.execute(f"{row(300, entry(300))} ON CONFLICT DO NOTHING")
    assert everything(connection) == before


@pytest.mark.parametrize(
    "harm",
    [
        "drop trigger events_no_change on events",
        "alter table events disable trigger events_dense_insert",
        "drop index events_by_topic",
    ],
)
def test_what_is_missing_is_put_back_when_the_ledger_is_opened_to_write(url: str, harm: str) -> None:
    engine = open_engine(url)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(harm)
        with engine.connect() as found:
            assert not postgresql.DIALECT.is_complete(found)
        complete_store(engine)
        with engine.connect() as found:
            assert postgresql.DIALECT.is_complete(found)
    finally:
        engine.dispose()


def test_a_database_whose_locks_do_not_lock_is_not_written_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create schema stub")
        connection.execute(
            "create function stub.pg_advisory_xact_lock(bigint) returns void language sql as ''; "
            "create function stub.pg_try_advisory_xact_lock(bigint) returns boolean language sql as 'select true'"
        )
    engine = open_engine(f"{url}&options=-csearch_path%3Dpublic,stub,pg_catalog")
    try:
        with pytest.raises(postgresql.UnsafeDatabaseError, match="do not lock"):
            complete_store(engine)
    finally:
        engine.dispose()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("drop schema stub cascade")


def test_two_ledgers_live_in_two_schemas(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create schema second")
    engine = open_engine(f"{url}&options=-csearch_path%3Dsecond")
    try:
        create_store(engine, ledger_id="ld-second", created_at=datetime.now(UTC))
        complete_store(engine)
        assert recorder(engine).insert_events([StoredEvent("bf-1", 1, "topic", b"state")]) == [1]
    finally:
        engine.dispose()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("drop schema second cascade")


class Cut(Exception):
    """What a test raises in place of what a lost connection would."""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Engine]:
    with POSTGRES[0].fresh(tmp_path) as url:
        engine = open_engine(url, create=True)
        create_store(engine, ledger_id="ld-test", created_at=datetime.now(UTC))
        yield engine
        engine.dispose()


def libpq(engine: Engine) -> str:
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def kill_others(engine: Engine) -> None:
    with psycopg.connect(libpq(engine), autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )


def test_a_save_that_lost_its_connection_before_the_end_is_saved_once(own: Engine) -> None:
    saves, dialect = recorder(own), postgresql.DIALECT
    assert saves.insert_events([StoredEvent("bf-1", 1, "topic", b"a")]) == [1]
    before, cuts = dialect.insert_events, [1]

    def cut(connection, rows):
        before(connection, rows)
        if cuts:
            cuts.pop()
            kill_others(own)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(dialect), "insert_events", staticmethod(cut))
        assert saves.insert_events([StoredEvent("bf-1", 2, "topic", b"b"), StoredEvent("bf-1", 3, "topic", b"c")]) == [
            2,
            3,
        ]
    assert not cuts
    assert saves.max_notification_id() == 3


@pytest.mark.parametrize("theirs", [b"b", b"of another"], ids=["its own", "of another writer"])
def test_a_save_whose_answer_was_lost_is_read_back(own: Engine, theirs: bytes) -> None:
    saves = recorder(own)
    saves.insert_events([StoredEvent("bf-1", 1, "topic", b"a")])
    whole, cuts = saves._insert, [1]

    def cut(*arguments):
        if cuts:
            cuts.pop()
            recorder(own).insert_events([StoredEvent("bf-1", 2, "topic", theirs)])  # as if it were this very save
            raise StoreFault(own.url, LOST, "cut")
        return whole(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saves, "_insert", cut)
        if theirs == b"b":
            assert saves.insert_events([StoredEvent("bf-1", 2, "topic", b"b")]) == [2]
        else:
            with pytest.raises(IntegrityError):
                saves.insert_events([StoredEvent("bf-1", 2, "topic", b"b")])
    assert saves.max_notification_id() == 2


def test_a_save_whose_answer_was_lost_is_read_back_where_the_ledger_was_moved_since(own: Engine) -> None:
    saves = recorder(own)
    whole, cuts = saves._insert, [1]

    def cut(*arguments):
        found = whole(*arguments)
        if cuts:
            cuts.pop()
            told = canonical({"by": "ben", "data": {"to": "sqlite:////there.db"}, "v": 1})
            recorder(own).insert_events([StoredEvent("lake", 1, MOVED, told)])
            raise StoreFault(own.url, LOST, "cut")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saves, "_insert", cut)
        assert saves.insert_events([StoredEvent("bf-1", 1, "topic", b"a")]) == [1]
    with pytest.raises(LedgerMovedError):
        saves.insert_events([StoredEvent("bf-1", 2, "topic", b"a")])


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_who_waits_for_its_turn_sees_what_was_saved_meanwhile_whatever_the_servers_settings(
    own: Engine, level: str
) -> None:
    with psycopg.connect(libpq(own), autocommit=True) as connection:
        connection.execute(f"alter database {own.url.database} set default_transaction_isolation = '{level}'")
    own.dispose()

    def save(stream: str) -> int:
        saves = recorder(own)
        return sum(len(saves.insert_events([StoredEvent(stream, n, "topic", b"a")])) for n in range(1, 21))

    with ThreadPoolExecutor(3) as writers:
        assert list(writers.map(save, ("bf-1", "bf-2", "bf-3"))) == [20, 20, 20]


def test_a_database_that_never_answered_is_not_waited_for(tmp_path: Path) -> None:
    engine = open_engine(f"postgresql://nobody@/nowhere?host={tmp_path}")
    with pytest.raises(StoreFault) as raised:
        recorder(engine)
    assert (raised.value.code, raised.value.transient) == ("store-lost", True)
    engine.dispose()


@pytest.mark.parametrize(
    ("state", "code"),
    [("08006", "store-lost"), ("57P01", "store-lost"), ("40001", "store-busy"), ("40P01", "store-busy"),
     ("55P03", "store-busy"), ("53100", "store-disk"), ("42501", "store-not-writable"), ("28P01", "store-refused"),
     ("3D000", "no-database"), ("25006", "store-lost")],
)  # fmt: skip
def test_what_the_database_says_is_told_by_its_state(state: str, code: str) -> None:
    error = psycopg.errors.lookup(state)("in whichever language")
    found = postgresql.DIALECT.fault_of(error, reading=False)
    assert found is not None
    assert found.code == code


def test_faults_are_told_in_words_that_name_the_values() -> None:
    for fault in {one for _, one in (*postgresql._BY_STATE, *postgresql._BY_WORDS)}:
        assert "{said}" in fault.reason
        assert all(dataclasses.astuple(fault)[:3])


@pytest.mark.parametrize(
    ("v", "is_taken"), [("1", True), ("12", True), ("123", True), ("1234", False), ("", False), ("1x", False)]
)
def test_the_version_of_an_event_is_a_number_of_some_digits(
    connection: psycopg.Connection, v: str, is_taken: bool
) -> None:
    statement = row(301, entry(301, "ä").replace('"v":1', f'"v":{v}'), "ä")
    with connection.transaction(force_rollback=True):
        if is_taken:
            connection.execute(statement)
        else:
            with pytest.raises(psycopg.IntegrityError):
                connection.execute(statement)


@pytest.mark.parametrize("text", ["it's", 'a "quoted" \\ text', "\x00\x01\b\t\n\x1f", "ä 日本 🚀", "\u2028\x7f"])
def test_any_text_has_a_place(own: Engine, text: str) -> None:
    saves = recorder(own)
    state = canonical({"by": text, "data": {"text": text}, "v": 1})
    assert saves.insert_events([StoredEvent("bf-1", 1, "topic", state)]) == [1]
    assert orjson.loads(saves.select_events("bf-1")[0].state)["data"] == {"text": text}


def test_events_are_written_down_while_the_server_takes_in_those_before_and_all_are_one_statement(
    own: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, under_way = log.rows_of, []
    with psycopg.connect(libpq(own), autocommit=True) as beside:
        beside.execute("listen tradex_ledger")

        def looked(*arguments):
            under_way.append(beside.execute("select relid::regclass::text from pg_stat_progress_copy").fetchall())
            return whole(*arguments)

        monkeypatch.setattr(log, "rows_of", looked)
        recorder(own).insert_events([StoredEvent("bf-1", n, "topic", b"state") for n in range(1, 701)])
        told = [notice.payload for notice in beside.notifies(timeout=1, stop_after=2)]
    assert under_way == [[("events",)]] * 6  # 128 at a time
    assert told == ["700"]


def test_one_statement_is_asked_without_a_transaction_around_it_and_some_see_one_state(own: Engine) -> None:
    saves, store = recorder(own), open_store(libpq(own))
    saves.insert_events([StoredEvent("bf-1", 1, "topic", b"state")])
    said = "select count(*) from events"
    assert store.select(said) == [(1,)]
    with psycopg.connect(libpq(own), autocommit=True) as beside:
        last = "select state, query from pg_stat_activity where application_name = 'tradex' and query like %s"
        assert ("idle", said) in beside.execute(last, [f"%{said}%"]).fetchall()

    def twice(ask: Ask) -> list[object]:
        before = ask(said)
        saves.insert_events([StoredEvent("bf-1", 2, "topic", b"state")])
        return [*before, *ask(said)]

    assert store.ask(twice) == [(1,), (1,)]
    assert store.select(said) == [(2,)]


def test_who_waits_hears_of_an_event_when_it_is_saved(own: Engine) -> None:
    saves, heard = recorder(own), Queue[float]()
    subscription = Recorder(own, lambda: datetime.now(UTC), poll_seconds=60).subscribe()

    def follow() -> None:
        for notification in subscription:
            heard.put(notification.id)

    thread = Thread(target=follow)
    thread.start()
    try:
        for version in range(1, 4):
            saves.insert_events([StoredEvent("bf-1", version, "topic", b"state")])
            assert heard.get(timeout=20) == version
    finally:
        subscription.stop()
        thread.join(20)
    assert not thread.is_alive()


def test_a_reader_waits_for_a_server_that_it_has_lost_and_says_so() -> None:
    told: list[str] = []
    with slow.listen(told.append), postgres.server() as server, postgres.fresh(server.url()) as url:
        engine = open_engine(url, create=True)
        create_store(engine, ledger_id="ld-test", created_at=datetime.now(UTC))
        engine.dispose()
        store = open_store(url)
        assert store.position() == 0
        server.stop()
        thread = Timer(0.5, server.start)
        thread.start()
        try:
            assert store.position() == 0
        finally:
            thread.join()
    assert [text for text in told if "does not answer" in text and "60 seconds" in text] == told != []


@pytest.mark.parametrize(
    "harm", ["synchronous_commit = off", "lock_timeout = 0", "idle_in_transaction_session_timeout = 0"]
)
def test_who_writes_is_durable_and_waits_and_holds_up_nobody_for_ever_whatever_the_server_says(
    own: Engine, harm: str
) -> None:
    name = harm.partition(" ")[0]
    with psycopg.connect(libpq(own), autocommit=True) as connection:
        connection.execute(f"alter database {own.url.database} set {harm}")
    own.dispose()
    with own.connect() as found:
        assert found.exec_driver_sql(f"show {name}").scalar_one() in ("off", "0")
    with writing(own) as found:
        assert found.exec_driver_sql(f"show {name}").scalar_one() in ("on", "30s", "1min")
