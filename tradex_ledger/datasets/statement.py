"""DuckDB as everything here opens it, and a statement as it parses it."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import gettempdir
from typing import TypeAlias

import duckdb
import orjson

from tradex_ledger.outside import Json

# What a query can be made of; other nodes change data.
_READING = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": "1",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}

Node: TypeAlias = dict[str, Json]
"""An object of a parsed form: an expression, a table, a query and what belongs to it."""

_THREADS = 4
LASTING = "memory.main"
"""Where what outlasts one question lies, in the DuckDB of this process."""
_numbers = count(1)


class NotOneSelectError(ValueError):
    """A text is not one SELECT to the engine at hand; the message says what it is, in DuckDB's words or ours."""


def connect() -> duckdb.DuckDBPyConnection:
    """A private in-memory DuckDB: one thread (more would make files differ), no extension from outside, UTC."""
    connection = duckdb.connect(config=CONFIG)
    _set_session(connection)
    # Made when something is spilled, and gone with the connection; DuckDB's own choice is the current folder.
    connection.execute("set temp_directory = $1", [str(Path(gettempdir(), f"tradex-{os.urandom(8).hex()}"))])
    return connection


def on_all_cores(connection: duckdb.DuckDBPyConnection) -> None:
    """Let a private DuckDB have more threads than one: for tables that have an order of their own."""
    connection.execute(f"set threads = {min(_THREADS, os.cpu_count() or 1)}")


@contextmanager
def opened_beside(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Another connection to the database that a connection uses, for another thread."""
    ((database,),) = connection.execute("select current_database()").fetchall()
    cursor = connection.cursor()
    try:
        _set_session(cursor)
        cursor.execute(f"use {quoted(database)}")
        yield cursor
    finally:
        cursor.close()


@contextmanager
def connect_beside(connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory by a name, in the DuckDB of a connection: what is there can be asked through that one."""
    cursor = connection.cursor()
    try:
        _set_session(cursor)
        cursor.execute(f"attach ':memory:' as {name}")
        cursor.execute(f"use {name}")
        yield cursor
    finally:
        cursor.close()


@contextmanager
def shared() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory of the caller's own, in the one DuckDB of this process, for as long as it is asked.

    To open a DuckDB takes 15 ms of CPU, this takes one. It is for questions of ours alone: settings and memory are
    those of all who share, so that nothing can be confined; whoever runs what somebody wrote calls `connect`.
    """
    name = f"own_{next(_numbers)}"
    connection = engine().cursor()
    try:
        _set_session(connection)
        connection.execute(f"attach ':memory:' as {name}")
        connection.execute(f"use {name}")
        yield connection
    except duckdb.FatalException:
        engine.cache_clear()  # DuckDB answers nothing after that
        raise
    finally:
        with suppress(duckdb.Error):  # that was the fatal one
            connection.execute("use memory")
            connection.execute(f"detach {name}")
        connection.close()


@cache
def engine() -> duckdb.DuckDBPyConnection:
    """The one DuckDB of this process; after a fatal error it is another."""
    connection = connect()
    atexit.register(connection.close)  # so that what was spilled goes with the process
    return connection


def _set_session(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("set TimeZone = 'UTC'")
    # In a notebook without ipywidgets it is off, and to say so is refused.
    if connection.execute("select current_setting('enable_progress_bar')").fetchone() != (False,):
        connection.execute("set enable_progress_bar = false")


_PARSED: dict[str, duckdb.Statement] = {}
_MOST_PARSED = 32


def parsed(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """One statement of ours, parsed, to be run as often as wanted, by any connection: who asks again for the same
    projections need not wait for it once more (a long one takes 3 ms)."""
    found = _PARSED.get(sql)
    if found is None:
        (found,) = connection.extract_statements(sql)
        if len(_PARSED) >= _MOST_PARSED:
            _PARSED.clear()
        _PARSED[sql] = found
    return found


def parsed_form(connection: duckdb.DuckDBPyConnection, sql: str) -> Node:
    """The statement as DuckDB parsed it, positions stripped. Raises `NotOneSelectError`."""
    statements = _parsed(connection, sql)
    if len(statements) != 1:
        raise NotOneSelectError(f"it holds {len(statements)} statements, not one")
    (tree,) = statements
    # `with x as (delete from … returning *) select …` is a SELECT to DuckDB, and changes data.
    kinds = (str(node.get("type")) for node in nodes(tree))
    other = next((kind for kind in kinds if kind.endswith("_NODE") and kind not in _READING), None)
    if other is not None:
        raise NotOneSelectError(f"it changes data ({other.partition('_')[0]})")
    return _strip(tree)


def parsed_forms(connection: duckdb.DuckDBPyConnection, statements: Iterable[str]) -> list[Node]:
    """Several statements, parsed at once. Raises `NotOneSelectError`."""
    return [_strip(tree) for tree in _parsed(connection, ";\n".join(statements))]


def _parsed(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Node]:
    row = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()[0]
    try:
        tree: Node = orjson.loads(row[0])
    except orjson.JSONDecodeError:  # DuckDB writes what this reads, but for 1,024 levels
        raise NotOneSelectError(
            "it is nested too deeply: put less in brackets, or join fewer terms in one row"
        ) from None
    if "Allocation failure" in str(tree.get("error_message")):
        raise MemoryError  # told in the words for a statement that is wrong
    if tree.get("error"):
        raise NotOneSelectError(tree.get("error_message", "it cannot be parsed"))
    return below(tree, "statements")


def _strip(tree: Node) -> Node:
    for node in list(nodes(tree)):
        for key in [key for key in node if key.startswith("query_location")]:
            del node[key]
    return tree


def quoted(name: str) -> str:
    """A name as a statement can hold it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def inner(node: Node, name: str) -> Node:
    """The object that a node has under a name; an empty one where it has none."""
    found = node.get(name)
    return found if isinstance(found, dict) else {}


def below(node: Node, name: str) -> list[Node]:
    """The objects of the list that a node has under a name; none where it has none."""
    found = node.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def nodes(tree: Json) -> Iterator[Node]:
    """All objects of a parsed form, parents first. A sum of 300 terms is 300 deep: nothing here calls itself."""
    waiting: list[Json] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(reversed(node.values()))
        elif isinstance(node, list):
            waiting.extend(reversed(node))


def is_same_form(one: Json, other: Json) -> bool:
    """Whether two parsed forms are equal, however deep they are."""
    waiting: list[tuple[Json, Json]] = [(one, other)]
    while waiting:
        left, right = waiting.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            if left.keys() != right.keys():
                return False
            waiting.extend((left[key], right[key]) for key in left)
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            waiting.extend(zip(left, right, strict=True))
        elif type(left) is not type(right) or left != right:
            return False
    return True
