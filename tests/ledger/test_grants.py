"""The roles of a ledger in PostgreSQL: who appends changes nothing and keeps nobody out, who reads only reads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from sqlalchemy import make_url

from tests.kit.stores import POSTGRES, Kind
from tradex_ledger.errors import TradexError
from tradex_ledger.ledger.faults import StoreFault
from tradex_ledger.ledger.grants import RoleNameError, Roles, grant, schema_of, statements
from tradex_ledger.ledger.leases import Leases
from tradex_ledger.ledger.recorder import Recorder
from tradex_ledger.ledger.select import open_store
from tradex_ledger.ledger.store import complete_store, create_store, open_engine

GUARD = "FUNCTION tradex_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"
KEPT_OUT = ("SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE")
REFUSED = {
    **{f"{verb} {table}": f"{verb} {table}" for verb in ("DELETE FROM", "TRUNCATE", "DROP TABLE")
       for table in ("events", "tiles", "ledger")},
    **{f"lock {table} in {mode}": f"LOCK TABLE {table} IN {mode} MODE" for mode in KEPT_OUT
       for table in ("events", "tiles", "ledger")},
    "update an event": "UPDATE events SET topic = 'other'",
    "update no event": "UPDATE events SET topic = 'other' WHERE false",
    "lock a row": "SELECT * FROM events FOR UPDATE",
    "share a row": "SELECT * FROM ledger FOR KEY SHARE",
    "upsert": "INSERT INTO events SELECT * FROM events ON CONFLICT (position) DO UPDATE SET topic = 'other'",
    "merge": "MERGE INTO events USING (SELECT 2) AS x (p) ON position = p WHEN MATCHED THEN DELETE",
    "another ledger": "INSERT INTO ledger VALUES (2, 'other', 1, 'a')",
    "disable a trigger": "ALTER TABLE events DISABLE TRIGGER events_no_change",
    "disable all triggers": "ALTER TABLE events DISABLE TRIGGER ALL",
    "play a replica": "SET session_replication_role = replica",
    "drop a trigger": "DROP TRIGGER events_no_change ON events",
    "add a trigger": "CREATE TRIGGER own BEFORE INSERT ON events EXECUTE FUNCTION tradex_refuse()",
    "add a rule": "CREATE RULE own AS ON INSERT TO events DO INSTEAD NOTHING",
    "replace a guard": f"CREATE OR REPLACE {GUARD}",
    "alter a guard": "ALTER FUNCTION tradex_events_dense() RESET ALL",
    "drop a guard": "DROP FUNCTION tradex_events_true() CASCADE",
    "create a table": "CREATE TABLE own (n int)",
    "create a function": f"CREATE {GUARD.replace('tradex_refuse', 'own')}",
    "create an index": "CREATE INDEX own ON events (at)",
    "take the tables": "ALTER TABLE events OWNER TO CURRENT_USER",
    "drop the schema": "DROP SCHEMA public CASCADE",
    "be the owner": "SET ROLE {owner}",
}  # fmt: skip
WRITES = {
    "append": "INSERT INTO events SELECT position + 1, stream, version, topic, at, leaf, entry FROM events LIMIT 1",
    "lay a tile": "INSERT INTO tiles VALUES (0, 0, '')",
    "follow": "INSERT INTO tracking VALUES ('own', 1)",
    "take a lease": "DELETE FROM holds",
    "watch": "UPDATE watches SET since = 0",
}


@dataclass(frozen=True, slots=True)
class Granted:
    """A ledger of 300 events whose roles were made, with odd names, and somebody who is a member of each."""

    url: str
    roles: Roles

    def as_(self, who: str) -> str:
        """The URL for a member of a role."""
        return make_url(self.url).set(username=member(who)).render_as_string()


@pytest.fixture(scope="module", params=POSTGRES, ids=lambda kind: kind.name)
def granted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Granted]:
    kind: Kind = request.param
    roles = Roles(*(f'Tradex "{who}"\'s {os.getpid()}' for who in ("owner", "writer", "reader")))
    names = [roles.owner, roles.writer, roles.reader]
    with kind.fresh(tmp_path_factory.mktemp("granted")) as url:
        engine = open_engine(url, create=True)
        create_store(engine, ledger_id="ld-test", created_at=datetime.now(UTC))
        with recording(url) as recorder:
            recorder.insert_events([StoredEvent("bf-1", version, "topic", b"state") for version in range(1, 301)])
        for _ in range(2):  # once more does no harm
            grant(engine, statements(schema_of(engine), roles))
        engine.dispose()
        with psycopg.connect(url, autocommit=True) as connection:
            for who in ("writer", "reader"):
                connection.execute(f"CREATE ROLE {member(who)} LOGIN IN ROLE {quoted(getattr(roles, who))}")
        yield Granted(url, roles)
    server_url = make_url(url).set(database="postgres").render_as_string()
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f"DROP ROLE {member('writer')}, {member('reader')}")
        for name in names:
            server.execute(f"DROP ROLE {quoted(name)}")


def member(who: str) -> str:
    """Somebody who logs in, and is a member of a role."""
    return f"{who}_{os.getpid()}"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def recording(url: str) -> Iterator[Recorder]:
    engine = open_engine(url)
    try:
        complete_store(engine)
        yield Recorder(engine, lambda: datetime.now(UTC))
    finally:
        engine.dispose()


def attempt(granted: Granted, who: str, statement: str) -> None:
    """Within a transaction: outside of one, LOCK TABLE is refused to everybody."""
    with psycopg.connect(granted.as_(who)) as connection, connection.transaction(force_rollback=True):
        connection.execute(statement.format(owner=quoted(granted.roles.owner)) if "{owner}" in statement else statement)


@pytest.mark.norm("N3")
@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_who_appends_may_not(granted: Granted, statement: str) -> None:
    for who in ("writer", "reader"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            attempt(granted, who, statement)


@pytest.mark.parametrize("statement", WRITES.values(), ids=WRITES.keys())
def test_who_reads_may_not(granted: Granted, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        attempt(granted, "reader", statement)


def test_the_lock_of_one_who_appends_keeps_nobody_out(granted: Granted) -> None:
    with psycopg.connect(granted.as_("writer")) as one, psycopg.connect(granted.as_("writer")) as other:
        for connection in (one, other):
            connection.execute("LOCK TABLE events, tiles IN ROW EXCLUSIVE MODE NOWAIT")
            assert connection.execute("SELECT count(*) FROM events").fetchone() is not None


def test_who_appends_opens_a_ledger_appends_and_holds_leases(granted: Granted) -> None:
    with recording(granted.as_("writer")) as recorder:
        last = recorder.max_notification_id() or 0
        more = [StoredEvent(f"bf-{last}", version, "topic", b"state") for version in range(1, 301)]
        assert recorder.insert_events(more)[-1] == last + 300
    engine = open_engine(granted.as_("writer"))
    leases = Leases(engine)
    assert leases.acquire("bf-1", "me", 60)
    leases.release("bf-1", "me")
    engine.dispose()


def test_who_reads_opens_a_ledger_to_read(granted: Granted) -> None:
    store = open_store(granted.as_("reader"))
    assert store.position() >= 300
    with pytest.raises(StoreFault) as refused, recording(granted.as_("reader")) as recorder:
        recorder.insert_events([StoredEvent("bf-9", 1, "topic", b"state")])
    assert refused.value.code == "store-not-writable"


@pytest.mark.parametrize(
    "harm", ["GRANT {owner} TO {writer}", "ALTER ROLE {writer} SUPERUSER", "GRANT pg_write_all_data TO {reader}"]
)
def test_a_role_that_may_more_by_another_is_named_and_nothing_is_changed(granted: Granted, harm: str) -> None:
    check_refused(granted, harm)


def test_a_role_that_may_lock_a_table_by_another_is_named(granted: Granted) -> None:
    with psycopg.connect(granted.url) as connection:
        if connection.info.server_version < 170000:
            pytest.skip("before 17 nobody may lock what he may not write")
    check_refused(granted, "GRANT pg_maintain TO {writer}")


def check_refused(granted: Granted, harm: str) -> None:
    """Roles of which one may more than it should are not given theirs."""
    names = {name: quoted(getattr(granted.roles, name)) for name in ("owner", "writer", "reader")}
    undo = harm.replace("GRANT", "REVOKE").replace(" TO ", " FROM ").replace("SUPERUSER", "NOSUPERUSER")
    engine = open_engine(granted.url)
    with psycopg.connect(granted.url, autocommit=True) as connection:
        connection.execute(harm.format(**names))
        try:
            with pytest.raises(StoreFault) as refused:
                grant(engine, statements("public", granted.roles))
        finally:
            connection.execute(undo.format(**names))
    engine.dispose()
    assert refused.value.code == "grants"
    assert " may " in refused.value.message


def test_who_is_no_superuser_gives_his_own_ledger_roles(granted: Granted) -> None:
    name = f"Plain_{os.getpid()}"
    made = Roles(*(f"{name} {who}" for who in ("owner", "writer", "reader")))
    with psycopg.connect(granted.url, autocommit=True) as connection:
        connection.execute(f'CREATE ROLE "{name}" LOGIN CREATEROLE')
        connection.execute(f'CREATE SCHEMA "{name}" AUTHORIZATION "{name}"')
        url = make_url(granted.url).set(username=name).update_query_dict({"options": f'-csearch_path="{name}"'})
        engine = open_engine(url.render_as_string())
        try:
            create_store(engine, ledger_id="ld-test", created_at=datetime.now(UTC))
            for _ in range(2):
                grant(engine, statements(schema_of(engine), made))
            with recording(url.render_as_string()) as recorder:
                assert recorder.insert_events([StoredEvent("bf-1", 1, "topic", b"state")]) == [1]
        finally:
            engine.dispose()
            connection.execute(f'DROP SCHEMA "{name}" CASCADE')
            for one in (name, made.owner, made.writer, made.reader):
                connection.execute(f'DROP OWNED BY "{one}"; DROP ROLE "{one}"')


@pytest.mark.parametrize("name", ["", "a$b", "a\nb", "public", "none", "pg_own", "x" * 64, "ü" * 32, "tradex_reader"])
def test_a_name_that_no_role_can_have_is_refused(name: str) -> None:
    with pytest.raises(RoleNameError) as refused:
        Roles("tradex_owner", name, "tradex_reader")
    assert isinstance(refused.value, TradexError)
    assert refused.value.mend


def test_names_are_quoted_wherever_they_stand() -> None:
    said = statements('Own "schema"', Roles("o'", "w", "r"))
    assert 'ALTER TABLE "Own ""schema""".events OWNER TO "o\'";' in said
    assert "rolname = 'o''')" in said
    assert not re.search(r":'?(owner|writer|reader|schema)", said)
