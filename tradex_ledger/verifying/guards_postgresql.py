"""The guards of a ledger in PostgreSQL, against what `schema/ledger/postgresql.sql` makes, and who was given what.

The owner of the tables, and a superuser, can take them away for a while and put them back: what they did meanwhile is
seen in the events, and by the heads that others keep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from tradex_ledger import resources
from tradex_ledger.ledger.select import Store
from tradex_ledger.verifying.finding import GUARDS_CHANGED, Finding

_SCHEMA = r'(?:(?:"(?:[^"]|"")+"|[^\s."(]+)\.)?'
_TRIGGER = re.compile(
    rf"TRIGGER (\w+) (BEFORE|AFTER) ([A-Z ]+?) ON {_SCHEMA}(\w+)\s+"
    rf"(?:REFERENCING (NEW TABLE AS \w+) )?FOR EACH (\w+) EXECUTE FUNCTION {_SCHEMA}(\w+)\((.*?)\)",
)
_FUNCTION = re.compile(
    r"CREATE OR REPLACE FUNCTION (\w+)\(\) RETURNS trigger LANGUAGE plpgsql(.*?) AS \$\$(.*?)\$\$", re.S
)
_OURS = ("events", "ledger", "tiles")
_CONSTRAINTS = {
    "events": ["CHECK ((octet_length(leaf) = 32))", "PRIMARY KEY (position)", "UNIQUE (stream, version)"],
    "ledger": ["CHECK ((singleton = 1))", "PRIMARY KEY (singleton)"],
    "tiles": ["CHECK ((octet_length(hashes) = 8192))", "PRIMARY KEY (level, tile)"],
}
"""The keys and checks of each table, as PostgreSQL says them, in order."""
_SETTING = re.compile(r"SET (\w+)(?: = (\w+))?")
_CHANGING = ("DELETE", "MAINTAIN", "REFERENCES", "TRIGGER", "TRUNCATE", "UPDATE")
_HERE = "n.nspname = current_schema() and c.relname in :ours"
_OF = "from pg_class c join pg_namespace n on n.oid = c.relnamespace"


class Trigger(NamedTuple):
    """What a trigger is, in whatever words it was made."""

    name: str
    when: str
    events: frozenset[str]
    table: str
    sees: str
    each: str
    function: str
    arguments: str


def postgresql_guards(store: Store) -> Iterator[Finding]:
    """What is other in a PostgreSQL database than the schema makes it, and who may change what nobody may."""
    yield from _triggers(store)
    yield from _functions(store)
    yield from _tables(store)
    yield from _grants(store)


def _triggers(store: Store) -> Iterator[Finding]:
    rows = store.select(
        "select t.tgname, pg_get_triggerdef(t.oid), t.tgenabled, p.pronamespace = c.relnamespace "
        f"{_OF} join pg_trigger t on t.tgrelid = c.oid join pg_proc p on p.oid = t.tgfoid "
        f"where not t.tgisinternal and {_HERE}",
        ours=_OURS,
    )
    found = {
        str(name): (_parsed(str(text)) if calls_ours else None, str(text), _text(enabled))
        for name, text, enabled, calls_ours in rows
    }
    wanted = {one.name: one for one in map(_made, _TRIGGER.finditer(_script()))}
    for name, trigger in wanted.items():
        there, text, enabled = found.get(name, (None, "", ""))
        if name not in found:
            yield Finding(GUARDS_CHANGED, f"the trigger {name} is gone; the next command that writes makes it again")
        elif there != trigger:
            yield Finding(GUARDS_CHANGED, f"the trigger {name} is another than the schema's: {text}")
        elif enabled != "A":
            yield Finding(GUARDS_CHANGED, f"the trigger {name} is switched off, or not always on")
    for name in found.keys() - wanted.keys():
        yield Finding(GUARDS_CHANGED, f"the trigger {name} is no work of tradex-ledger: {found[name][1]}")


def _functions(store: Store) -> Iterator[Finding]:
    rows = store.select(
        # Only what a trigger can call: one with arguments has the same name, and is another.
        "select p.proname, p.prosrc, coalesce(array_to_string(p.proconfig, '; '), ''), l.lanname, "
        "'search_path=' || quote_ident(current_schema()) || ', pg_temp' from pg_proc p "
        "join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang "
        "where n.nspname = current_schema() and p.pronargs = 0 and p.proname in :names",
        names=tuple(_bodies()),
    )
    found = {str(name): tuple(map(str, rest)) for name, *rest in rows}
    for name, (body, settings) in _bodies().items():
        there, is_set, language, path = found.get(name, ("", "", "", ""))
        wanted = [one.replace("search_path", path) for one in settings]
        if name not in found:
            yield Finding(GUARDS_CHANGED, f"the function {name} is gone")
        elif there != body or language != "plpgsql" or sorted(is_set.split("; ")) != sorted(wanted or [""]):
            yield Finding(GUARDS_CHANGED, f"the function {name} is another than the schema's")


def _tables(store: Store) -> Iterator[Finding]:
    rows = store.select(
        "select c.relname, c.relkind, c.relrowsecurity, "
        "(select count(*) from pg_rewrite r where r.ev_class = c.oid), "
        "(select count(*) from pg_inherits i where i.inhparent = c.oid), "
        "(select string_agg(pg_get_constraintdef(k.oid), '; ') from pg_constraint k "
        "where k.conrelid = c.oid and k.contype in ('c', 'p', 'u')) "
        f"{_OF} where {_HERE}",
        ours=_OURS,
    )
    for name, kind, has_rows_hidden, rules, children, constraints in rows:
        if _text(kind) != "r" or has_rows_hidden or rules or children:
            what = "is no plain table, hides rows, has rules, or has tables below it"
            yield Finding(GUARDS_CHANGED, f"the table {name} {what}: no work of tradex-ledger")
        if sorted(str(constraints).replace('"', "").split("; ")) != _CONSTRAINTS[str(name)]:
            yield Finding(GUARDS_CHANGED, f"the table {name} has not the keys and checks of the schema")
    rows = store.select(
        f"select c.relname, pg_get_indexdef(x.indexrelid) {_OF} join pg_index x on x.indrelid = c.oid where {_HERE} "
        "and x.indisunique and not exists (select 1 from pg_constraint k where k.conindid = x.indexrelid) order by 2",
        ours=_OURS,
    )
    for name, index in rows:
        yield Finding(GUARDS_CHANGED, f"the table {name} has a key that is no work of tradex-ledger: {index}")


def _grants(store: Store) -> Iterator[Finding]:
    given = "coalesce(r.rolname, 'everybody'), a.privilege_type"
    to = "left join pg_roles r on r.oid = a.grantee where a.grantee <> c.relowner and"
    rows = store.select(
        f"select c.relname, {given} {_OF} cross join lateral aclexplode(c.relacl) a {to} {_HERE} union "
        f"select c.relname, {given} {_OF} join pg_attribute t on t.attrelid = c.oid "
        f"cross join lateral aclexplode(t.attacl) a {to} {_HERE}",
        ours=_OURS,
    )
    for table, who, may in sorted((str(one), str(two), str(three)) for one, two, three in rows):
        if may in _CHANGING or (may == "INSERT" and table == "ledger"):
            yield Finding(GUARDS_CHANGED, f"{who} may {may} {table}")


@cache
def _bodies() -> Mapping[str, tuple[str, list[str]]]:
    """The body of each function of the schema, and the settings of its own; of the path the name alone."""
    return {
        name: (body, ["=".join(filter(None, one)) for one in _SETTING.findall(settings)])
        for name, settings, body in _FUNCTION.findall(_script())
    }


@cache
def _script() -> str:
    return resources.read_text("schema", "ledger", "postgresql.sql")


def _parsed(text: str) -> Trigger | None:
    found = _TRIGGER.search(text)
    return _made(found) if found else None


def _made(found: re.Match[str]) -> Trigger:
    name, when, events, table, sees, each, function, arguments = found.groups()
    return Trigger(name, when, frozenset(events.split(" OR ")), table, sees or "", each, function, arguments)


def _text(value: object) -> str:
    """A catalog's single character: some drivers have it as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)
