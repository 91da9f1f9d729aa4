"""The guards of the database, against what `schema/ledger` says: tables, triggers, and who may do what.

Guards stop accidents. One that is gone, or is another, says that somebody was there who wanted to get past them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import cache

from tradex_ledger import resources
from tradex_ledger.ledger.select import Store
from tradex_ledger.verifying.finding import GUARDS_CHANGED, PLANTED, Finding

_OURS = ("ledger", "events", "tiles")
_OBJECTS = "select type, name, tbl_name, sql from sqlite_master"


def sqlite_guards(store: Store) -> Iterator[Finding]:
    """What is other in a SQLite file than the schema makes it: of the tables that hold the ledger, and of triggers."""
    found = {(kind, name): (table, sql) for kind, name, table, sql in store.select(_OBJECTS)}
    wanted = _wanted()
    for (kind, name), sql in wanted.items():
        _, there = found.get((kind, name), ("", None))
        if (kind, name) not in found:
            yield Finding(GUARDS_CHANGED, f"the {kind} {name} is gone; the next command that writes makes it again")
        elif _words(there) != _words(sql):
            yield Finding(GUARDS_CHANGED, f"the {kind} {name} is another than the schema's: {_short(there)}")
    for (kind, name), (table, sql) in found.items():
        if kind in ("trigger", "view") and (kind, name) not in wanted:
            yield Finding(GUARDS_CHANGED, f"the {kind} {name} on {table} is no work of tradex-ledger: {_short(sql)}")


def sqlite_planted(store: Store) -> Iterator[Finding]:
    """Rows where no release of today writes any."""
    if store.has_table("snapshots"):
        for stream, version in store.select("select stream, version from snapshots order by stream, version limit 101"):
            yield Finding(PLANTED, f"a snapshot of {stream} at version {version}: nobody wrote it, and nobody reads it")


@cache
def _wanted() -> Mapping[tuple[str, str], str]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(resources.read_text("schema", "ledger", "sqlite.sql"))
        found = list(connection.execute(_OBJECTS))
    return {
        (kind, name): sql for kind, name, _, sql in found if kind == "trigger" or (kind == "table" and name in _OURS)
    }


def _words(sql: str | None) -> list[str]:
    """A statement word by word: how it is laid out does not matter, nor what stands in a comment."""
    lines = (line.partition("--")[0] for line in (sql or "").splitlines())
    return " ".join(lines).split()


def _short(sql: str | None) -> str:
    text = " ".join(_words(sql))
    return text if len(text) <= 120 else f"{text[:119]}…"
