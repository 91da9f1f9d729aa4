"""What a DuckLake catalog says of itself, and of how far it has come."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from sqlalchemy import Connection, delete, insert, inspect, select

from tradex_ledger.mirrors import ducklake_tables as t
from tradex_ledger.mirrors.port import Held

VERSION = "1.0"
OURS = "tradex_"
LEFT_OUT = f"{OURS}left_out"


def facts(connection: Connection) -> dict[str, str]:
    """What the catalog says of itself; nothing where there is none."""
    if not inspect(connection).has_table(t.facts.name):
        return {}
    return {key: value for key, value in connection.execute(select(t.facts.c.key, t.facts.c.value))}


def facts_of(connection: Connection) -> Held | None:
    """How far the catalog has come, in its own words, however strange (one that is strange is cleared, too); None where
    there is none."""
    said = facts(connection)
    if not said:
        return None
    position = str(said.get(f"{OURS}position"))
    known = int(position) if position.isascii() and position.isdecimal() else -1
    return Held(said.get(f"{OURS}ledger") or "", known, said.get(f"{OURS}root") or "")


def is_begun(connection: Connection) -> bool:
    """Whether there are snapshots, whatever the catalog says of itself."""
    return inspect(connection).has_table(t.snapshot.name) and connection.execute(select(t.snapshot)).first() is not None


def set_facts(connection: Connection, held: Held, data_path: str, left_out: Mapping[str, str]) -> None:
    """Say how far the catalog has come, and where its files lie."""
    said = {
        "version": VERSION,
        "created_by": "tradex-ledger",
        "data_path": data_path,
        "encrypted": "false",
        **{f"{OURS}{name}": str(value) for name, value in held._asdict().items()},
        LEFT_OUT: orjson.dumps(dict(left_out), option=orjson.OPT_SORT_KEYS).decode(),
    }
    connection.execute(delete(t.facts))
    connection.execute(insert(t.facts), [{"key": key, "value": value} for key, value in said.items()])


def drop(connection: Connection) -> None:
    """Remove the tables of a catalog."""
    t.metadata.drop_all(connection)
