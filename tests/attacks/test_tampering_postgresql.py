"""The tamper table on PostgreSQL, in the hands of the owner of the tables and of a superuser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from tests import worlds
from tests.kit import tampering
from tests.kit.stores import POSTGRES, created, living
from tests.kit.tampering import Raw, Said, last_planned, names, verify
from tradex_ledger import resources
from tradex_ledger.config import load_config
from tradex_ledger.ledger.grants import Roles, statements
from tradex_ledger.ledger.select import open_store
from tradex_ledger.verifying.guards_postgresql import postgresql_guards

OWNER = Roles("tampering_owner", "tampering_writer", "tampering_reader")


@pytest.fixture(scope="module")
def living_ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("tampering")
    ws = worlds.copy("tampered", partial(tampering.make, create=worlds.create), folder)
    shutil.copytree(ws / "checkpoints", folder / "kept")
    forced = last_planned(ws)
    with living(ws, POSTGRES[0], folder):
        (folder / "forced").write_text(forced, encoding="utf-8")
        yield ws


def url_of(ws: Path) -> str:
    return load_config(ws / "tradex.toml").ledger_url


def as_owner(ws: Path) -> str:
    """The tables belong to a role that is no superuser, and that somebody works as."""
    url = url_of(ws)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements("public", OWNER).encode())
        connection.execute(f"alter role {OWNER.owner} login".encode())
    return url.replace("postgres@", f"{OWNER.owner}@")


@contextmanager
def undone(url: str) -> Iterator[None]:
    """What is done to the three tables meanwhile is undone afterwards."""
    with psycopg.connect(url, autocommit=True) as connection:
        for table in ("events", "tiles", "ledger"):
            connection.execute(f"create table kept_{table} as table {table}".encode())
        try:
            yield
        finally:
            for table in ("events", "tiles", "ledger"):
                connection.execute(f"alter table {table} disable trigger user; delete from {table}".encode())
                connection.execute(f"insert into {table} table kept_{table}; drop table kept_{table}".encode())
            with tampering.postgresql(url):
                pass


def turns() -> list[Any]:
    """Each attack by each of the two; with each test run, by one of them in turn."""
    return [
        pytest.param(who, attack, id=f"{who}-{attack.__name__}", marks=[] if n % 2 == turn else [pytest.mark.soak])
        for turn, who in enumerate(("superuser", "owner"))
        for n, attack in enumerate(tampering.TABLE)
    ]


@pytest.mark.norm("N3")
@pytest.mark.parametrize(("who", "attack"), turns())
def test_what_is_done_to_a_ledger_in_postgresql_is_named(living_ws: Path, who: str, attack: Callable[[Raw], Said]):
    url = as_owner(living_ws) if who == "owner" else url_of(living_ws)
    with undone(url_of(living_ws)):
        assert verify(living_ws).findings == []
        with tampering.postgresql(url) as raw:
            said = attack(raw)
        found = verify(living_ws)
        assert names(found, said), found.findings
        assert found.exit_status == 1


def test_an_approval_through_sql_by_who_asked_is_named(living_ws: Path):
    run = (living_ws.parent / "forced").read_text(encoding="utf-8")
    with undone(url_of(living_ws)):
        with tampering.postgresql(url_of(living_ws)) as raw:
            said = tampering.approve(raw, run, "ana")
        assert names(verify(living_ws), said)


CHANGED = {
    "a trigger is gone": ("drop trigger events_no_change on events", "trigger events_no_change is gone"),
    "a trigger is off": ("alter table events disable trigger events_no_change", "events_no_change is switched off"),
    "a trigger for most": ("alter table tiles enable trigger tiles_no_change", "tiles_no_change is switched off"),
    "another trigger": (
        "create or replace trigger events_no_change before update on events "
        "for each statement execute function tradex_refuse('an event is')",
        "trigger events_no_change is another",
    ),
    "their trigger": (
        "create trigger own before insert on events for each statement execute function tradex_refuse()",
        "trigger own is no work",
    ),
    "another function": (
        "create or replace function tradex_refuse() returns trigger language plpgsql as 'begin return null; end'",
        "function tradex_refuse is another",
    ),
    "a function of another schema": (
        "create schema own; "
        "create function own.tradex_refuse() returns trigger language plpgsql as 'begin return null; end'; "
        "create or replace trigger events_no_change before update or delete or truncate on events "
        "for each statement execute function own.tradex_refuse('an event is'); "
        "alter table events enable always trigger events_no_change",
        "trigger events_no_change is another",
    ),
    "a function of the same name": (
        "set check_function_bodies = off; do $do$ begin execute (select replace(replace(pg_get_functiondef(oid), "
        "'tradex_refuse()', 'tradex_refuse(own integer)'), 'RETURNS trigger', 'RETURNS void') from pg_proc "
        "where proname = 'tradex_refuse'); end $do$; "
        "create or replace function tradex_refuse() returns trigger language plpgsql as 'begin return null; end'; "
        # The right one stands behind it in the catalog: whoever reads both believes the last.
        "alter function tradex_refuse(integer) cost 101",
        "function tradex_refuse is another",
    ),
    "another path": (
        "create schema own; create table own.events (like events); "
        "alter function tradex_events_dense() set search_path = own",
        "function tradex_events_dense is another",
    ),
    "another setting": (
        "alter function tradex_refuse() set search_path = own",
        "function tradex_refuse is another",
    ),
    "a looser check": (
        "alter table events drop constraint events_leaf_check, "
        "add constraint events_leaf_check check (octet_length(leaf) > 0)",
        "table events has not the keys",
    ),
    "a looser key": (
        "alter table events drop constraint events_by_stream, "
        "add constraint events_by_stream unique (stream, version, position)",
        "table events has not the keys",
    ),
    "another key": (
        "create unique index own_key on events (topic) where topic = 'policy.set'",
        "table events has a key that is no work",
    ),
    "a rule": ("create rule own as on update to events do instead nothing", "table events is no plain table"),
    "a child": ("create table own () inherits (events)", "table events is no plain table"),
    "a check": ("alter table events drop constraint events_leaf_check", "table events has not the keys"),
    "a right": ("grant update on events to public", "everybody may UPDATE events"),
    "a right to a column": ("grant update (topic) on events to public", "everybody may UPDATE events"),
}


UNDO = """
drop trigger if exists own on events; drop rule if exists own on events; drop table if exists own;
drop index if exists own_key;
drop trigger if exists events_no_change on events; drop schema if exists own cascade;
drop function if exists tradex_refuse(integer); alter table events drop constraint if exists events_by_stream;
alter table events add constraint events_by_stream unique (stream, version);
revoke update on events from public; revoke update (topic) on events from public;
alter table events drop constraint if exists events_leaf_check;
alter table events add constraint events_leaf_check check (octet_length(leaf) = 32)
"""


@pytest.mark.parametrize("what", CHANGED)
def test_guards_that_are_others_are_named(living_ws: Path, what: str):
    said, told = CHANGED[what]
    with psycopg.connect(url_of(living_ws), autocommit=True) as connection:
        connection.execute(said.encode())
        try:
            found = verify(living_ws)
        finally:
            connection.execute(UNDO.encode())
            connection.execute(resources.read_text("schema", "ledger", "postgresql.sql").encode())
    assert any(told in one.detail for one in found.findings), found.findings
    assert {one.kind for one in found.findings} == {"guards changed"}
    assert verify(living_ws).findings == []


@pytest.mark.parametrize("name", ["My Schema", "a.b", 'q"q', "plain"])
def test_guards_are_those_of_the_schema_that_the_ledger_lives_in_whatever_it_is_called(tmp_path: Path, name: str):
    with POSTGRES[0].fresh(tmp_path) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            quoted = sql.Identifier(name).as_string(connection)
            connection.execute(f"create schema {quoted}".encode())
        there = f"{url}&options={quote('-c search_path=' + quoted.replace(' ', chr(92) + ' '), safe='')}"
        with created(there):
            assert list(postgresql_guards(open_store(there))) == []
