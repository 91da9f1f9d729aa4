"""The guards of the database, against what `schema/ledger` says: tables, triggers, and who may do what.

Guards stop accidents. One that is gone, or is another, says that somebody was there who wanted to get past them.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import cache

from tradex_ledger import resources
from tradex_ledger.ledger.select import Store
from tradex_ledger.verifying.finding import GUARDS_CHANGED, INDEX_CHANGED, PLANTED, Finding

_OURS = ("ledger", "events", "tiles")
_PARTS = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")|(?:--[^\n]*|\s)+|([^\s'"-]+|.)""", re.DOTALL)
"""Of a statement: what stands in quotes, what stands between words, and anything else."""
_OBJECTS = "select type, name, tbl_name, sql from sqlite_master"


def sqlite_guards(store: Store) -> Iterator[Finding]:
    """What is other in a SQLite file than the schema makes it: of the tables that hold the ledger, their indexes,
    and of triggers."""
    found = {(kind, name): (table, sql) for kind, name, table, sql in store.select(_OBJECTS)}
    wanted = _wanted()
    for (kind, name), sql in wanted.items():
        _, there = found.get((kind, name), ("", None))
        what = INDEX_CHANGED if kind == "index" else GUARDS_CHANGED
        if (kind, name) not in found:
            yield Finding(what, f"the {kind} {name} is gone; the next command that writes makes it again")
        elif _words(there) != _words(sql):
            yield Finding(what, f"the {kind} {name} is another than the schema's: {_short(there)}")
    for (kind, name), (table, sql) in found.items():
        # Of another index nobody adds up what it holds, and SQLite may read through it; one that is unique refuses.
        is_index = kind == "index" and table in _OURS and sql is not None
        if (kind in ("trigger", "view") or is_index) and (kind, name) not in wanted:
            what = INDEX_CHANGED if is_index else GUARDS_CHANGED
            yield Finding(what, f"the {kind} {name} on {table} is no work of tradex-ledger: {_short(sql)}")


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
        (kind, name): sql
        for kind, name, table, sql in found
        if kind == "trigger" or (kind in ("table", "index") and table in _OURS and sql is not None)
    }


def _words(sql: str | None) -> list[str]:
    """A statement word by word: how it is laid out does not matter, nor what stands in a comment. A text within it is
    what it is: two dashes there begin no comment."""
    words = [""]
    for quoted, plain in _PARTS.findall(sql or ""):
        words[-1] += quoted or plain
        if not quoted and not plain and words[-1]:
            words.append("")
    return words if words[-1] else words[:-1]


def _short(sql: str | None) -> str:
    text = " ".join(_words(sql))
    return text if len(text) <= 120 else f"{text[:119]}…"
