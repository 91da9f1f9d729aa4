"""DuckDB as everything here opens it, and a statement as it parses it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import duckdb
import orjson

_CHANGING = frozenset(f"{verb}_QUERY_NODE" for verb in ("INSERT", "UPDATE", "DELETE", "MERGE_INTO", "MERGE"))
CONFIG = {
    "threads": "1",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def connect() -> duckdb.DuckDBPyConnection:
    """A private in-memory DuckDB: one thread (more would make files differ), no extension from outside, UTC."""
    connection = duckdb.connect(config=CONFIG)  # type: ignore[arg-type]
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    # Made when something is spilled, and gone with the connection; DuckDB's own choice is the current folder.
    connection.execute("set temp_directory = $1", [str(Path(gettempdir(), f"tradex-{os.urandom(8).hex()}"))])
    return connection


def parsed_form(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """The statement as DuckDB parsed it, positions stripped. Raises `ValueError` with DuckDB's own words."""
    tree = _parsed(connection, sql)
    if len(tree["statements"]) != 1:
        raise ValueError(f"it holds {len(tree['statements'])} statements, not one")
    # `with x as (delete from … returning *) select …` is a SELECT to DuckDB, and changes data.
    other = next((str(n["type"]) for n in nodes(tree) if str(n.get("type")) in _CHANGING), None)
    if other is not None:
        raise ValueError(f"it changes data ({other.partition('_')[0]})")
    return _strip(tree)


def parsed_forms(connection: duckdb.DuckDBPyConnection, statements: Iterable[str]) -> list[Any]:
    """Several statements, parsed at once. Raises `ValueError` with DuckDB's own words."""
    return list(_strip(_parsed(connection, ";\n".join(statements)))["statements"])


def _parsed(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()[0]
    tree = orjson.loads(row[0])
    if tree.get("error"):
        raise ValueError(tree.get("error_message", "it cannot be parsed"))
    return tree


def _strip(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: _strip(v) for k, v in node.items() if not k.startswith("query_location")}
    if isinstance(node, list):
        return [_strip(item) for item in node]
    return node


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects of a parsed form, parents first."""
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from nodes(value)
    elif isinstance(tree, list):
        for item in tree:
            yield from nodes(item)
