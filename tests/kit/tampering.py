"""What somebody who owns the database does to a ledger: the tamper table, for any database, and what must be said.

An attack is a function of a `Raw`, the ledger's tables in the hands of an attacker, whom no guard stops any more. It
returns what `verify` has to name: the kind of the finding, and the position.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson
import psycopg

from tests.kit import planted, small
from tests.kit.planted import composed
from tradex_ledger import resources
from tradex_ledger.audit.documents.verify import VerifyDocument
from tradex_ledger.audit.look import Look
from tradex_ledger.ledger import merkle
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.ledger.rows import Row

EARLY, LATE = 100, 270
"""A position in a full tile, and one in none yet."""


class Raw(Protocol):
    """The tables of a ledger, past every guard."""

    def run(self, statement: str, *values: object) -> None: ...

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True)
class Said:
    """What must be found: a kind, at a position, or in a range that holds it."""

    kind: str
    position: int | None = None


@dataclass
class _SQLite:
    connection: sqlite3.Connection

    def run(self, statement: str, *values: object) -> None:
        self.connection.execute(statement, values)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(statement, values).fetchall()


@dataclass
class _PostgreSQL:
    connection: psycopg.Connection[Any]

    def run(self, statement: str, *values: object) -> None:
        self.connection.execute(statement.replace("?", "%s").encode(), values)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        found = self.connection.execute(statement.replace("?", "%s").encode(), values).fetchall()
        return [tuple(bytes(one) if isinstance(one, memoryview) else one for one in row) for row in found]


@contextmanager
def sqlite(folder: Path, *, guarded: bool = True) -> Iterator[Raw]:
    """A SQLite ledger without its triggers; they are there again afterwards, unless not `guarded`."""
    connection = sqlite3.connect(folder / "ledger.db", isolation_level=None)
    try:
        for (name,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            connection.execute(f"drop trigger {name}")
        yield _SQLite(connection)
        if guarded:
            connection.executescript(resources.read_text("schema", "ledger", "sqlite.sql"))
    finally:
        connection.close()


@contextmanager
def postgresql(url: str) -> Iterator[Raw]:
    """A ledger in PostgreSQL in the hands of who may alter its tables; its triggers are on again afterwards."""
    with psycopg.connect(url, autocommit=True) as connection:
        for table in ("events", "tiles", "ledger"):
            connection.execute(f"alter table {table} disable trigger user".encode())
        yield _PostgreSQL(connection)
        for table, name in connection.execute(
            "select c.relname, t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid where not t.tgisinternal"
        ).fetchall():
            connection.execute(f"alter table {table} enable always trigger {name}".encode())


def row_at(raw: Raw, position: int) -> Row:
    """The row of an event."""
    (found,) = raw.rows(
        "select position, stream, version, topic, at, leaf, entry from events where position = ?", position
    )
    return found[0], found[1], found[2], found[3], found[4], found[5], found[6]


def said_otherwise(entry: str, **changes: object) -> str:
    """An entry that says something else, in the form that entries are written in."""
    return canonical({**orjson.loads(entry), **changes}).decode()


def put(raw: Raw, row: Row) -> None:
    """A row in the place of the one that was there."""
    raw.run("delete from events where position = ?", row[0])
    raw.run("insert into events values (?, ?, ?, ?, ?, ?, ?)", *row)


def chained(raw: Raw) -> None:
    """Work out each leaf and each tile anew, so that all fits."""
    leaves = []
    for position, entry in raw.rows("select position, entry from events order by position"):
        leaves.append(merkle.leaf_hash(entry.encode()))
        raw.run("update events set leaf = ? where position = ?", leaves[-1], position)
    raw.run("delete from tiles")
    for level, tile, hashes in merkle.new_tiles(0, leaves, _no_tile, lambda _first, _end: []):
        raw.run("insert into tiles values (?, ?, ?)", level, tile, hashes)


def _no_tile(level: int, first: int, end: int) -> Sequence[bytes]:
    raise AssertionError((level, first, end))


def make(folder: Path, create: Callable[[Path], Path]) -> None:
    """A week, reprocessed some times, with a forced backfill that waits for its approval."""
    small.deliver(folder / "posts", days=7)
    with small.reopen(create(folder)) as workspace:
        workspace.incremental.run(last=small.day(7))
        while workspace.ledger.position() < LATE + 20:
            small.backfill(workspace, 1, 7)
        small.request(workspace, 1, 2, **small.FORCED)


def verify(ws: Path, *, kept: bool = True) -> VerifyDocument:
    """The verdict on a workspace, by the heads that the auditor has kept beside it, unless not `kept`."""
    heads = sorted((ws.parent / "kept").iterdir()) if kept else []
    return Look.open(ws).verify(heads=heads)


def last_planned(ws: Path) -> str:
    """The backfill that was planned last."""
    with planted.database(ws) as connection:
        statement = "select stream from events where topic = 'backfill.planned' order by position desc limit 1"
        return str(connection.execute(statement).fetchone()[0])


def names(found: VerifyDocument, said: Said) -> bool:
    """Whether a verdict has what must be said."""
    return any(
        one.kind == said.kind
        and (said.position is None or (one.position or 0) <= said.position <= (one.last or one.position or 0))
        for one in found.findings
    )


# -- the table


def edit(raw: Raw) -> Said:
    """Somebody else did it."""
    raw.run("update events set entry = ? where position = ?", said_otherwise(row_at(raw, EARLY)[-1], by="eve"), EARLY)
    return Said("altered", EARLY)


def edit_late(raw: Raw) -> Said:
    """The same where no tile is full yet."""
    raw.run("update events set entry = ? where position = ?", said_otherwise(row_at(raw, LATE)[-1], by="eve"), LATE)
    return Said("altered", LATE)


def edit_with_leaf(raw: Raw) -> Said:
    """The leaf beside it is made to fit."""
    entry = said_otherwise(row_at(raw, EARLY)[-1], by="eve")
    leaf = merkle.leaf_hash(entry.encode())
    raw.run("update events set entry = ?, leaf = ? where position = ?", entry, leaf, EARLY)
    return Said("altered", EARLY)


def edit_a_column(raw: Raw) -> Said:
    """The index says another topic than the entry."""
    raw.run("update events set topic = 'backfill.cancelled' where position = ?", EARLY)
    return Said("altered", EARLY)


def not_canonical(raw: Raw) -> Said:
    """The same facts, written in another way."""
    raw.run("update events set entry = ? where position = ?", row_at(raw, EARLY)[-1].replace(":", ": ", 1), EARLY)
    return Said("altered", EARLY)


def delete(raw: Raw) -> Said:
    """An event is gone."""
    raw.run("delete from events where position = ?", EARLY)
    return Said("missing", EARLY)


def delete_and_close_up(raw: Raw) -> Said:
    """An event is gone, and those behind it moved up, with entries and tree made to fit."""
    rows = [row_at(raw, position) for position in range(EARLY, last(raw) + 1)]
    raw.run("delete from events where position >= ?", EARLY)
    for row in rows[1:]:
        entry = said_otherwise(row[-1], position=row[0] - 1)
        raw.run("insert into events values (?, ?, ?, ?, ?, ?, ?)", row[0] - 1, *row[1:6], entry)
    chained(raw)
    return Said("split view", EARLY)


def insert_in_front(raw: Raw) -> Said:
    """An event where none can be."""
    row = row_at(raw, EARLY)
    raw.run("insert into events values (?, ?, ?, ?, ?, ?, ?)", 0, "bf-0", *row[2:])
    return Said("inserted", 0)


def insert_far_behind(raw: Raw) -> Said:
    """An event where nobody will come for years: whoever walks there walks for ever."""
    row = row_at(raw, EARLY)
    raw.run("insert into events values (?, ?, ?, ?, ?, ?, ?)", 2**52, "bf-0", *row[2:])
    return Said("inserted", 2**52)


def other_kinds(raw: Raw) -> Said:
    """An entry that is canonical, and says nothing of the kinds that entries say."""
    entry = canonical({name: [] for name in orjson.loads(row_at(raw, EARLY)[-1])}).decode()
    raw.run("update events set entry = ? where position = ?", entry, EARLY)
    return Said("altered", EARLY)


def insert_at_the_end(raw: Raw) -> Said:
    """A publication that nobody made: right in every way, but without a cause."""
    ledger, at = raw.rows("select id, (select max(at) from events) from ledger")[0]
    stream = "dataset-gold_signals"
    version = raw.rows("select max(version) + 1 from events where stream = ?", stream)[0][0]
    data = {"logic_version": 1, "partitions": 1, "rows": 1, "run": "bf-0000000000000"}
    row = composed(ledger, last(raw) + 1, at, stream, version, "dataset.published", "eve", data)
    raw.run("insert into events values (?, ?, ?, ?, ?, ?, ?)", *row)
    return Said("broken invariant", row.position)


def swap(raw: Raw) -> Said:
    """Two events stand in each other's place."""
    one, other = row_at(raw, EARLY), row_at(raw, EARLY + 1)
    raw.run("delete from events where position in (?, ?)", one[0], other[0])
    raw.run("insert into events values (?, ?, ?, ?, ?, ?, ?)", one[0], *other[1:])
    raw.run("insert into events values (?, ?, ?, ?, ?, ?, ?)", other[0], *one[1:])
    return Said("reordered", EARLY)


def chain_again(raw: Raw) -> Said:
    """An event is changed, and all that follows from it."""
    put(raw, (*row_at(raw, EARLY)[:-1], said_otherwise(row_at(raw, EARLY)[-1], by="eve")))
    chained(raw)
    return Said("split view", EARLY)


def cut(raw: Raw) -> Said:
    """The end is gone."""
    raw.run("delete from events where position > ?", LATE)
    return Said("truncated", LATE + 1)


def cut_below_a_tile(raw: Raw) -> Said:
    """More of it is gone, and the tile with it."""
    raw.run("delete from events where position > ?", EARLY)
    raw.run("delete from tiles")
    return Said("truncated", EARLY + 1)


def edit_a_tile(raw: Raw) -> Said:
    """A hash in a tile is another; the events are as they were."""
    (hashes,) = raw.rows("select hashes from tiles where level = 0 and tile = 0")[0]
    begin = (EARLY - 1) * merkle.HASH_SIZE
    other = hashes[:begin] + b"\1" * merkle.HASH_SIZE + hashes[begin + merkle.HASH_SIZE :]
    raw.run("update tiles set hashes = ? where level = 0 and tile = 0", other)
    return Said("tile changed", EARLY)


def drop_a_tile(raw: Raw) -> Said:
    """A tile is gone."""
    raw.run("delete from tiles where level = 0 and tile = 0")
    return Said("tile changed")


def another_tile(raw: Raw) -> Said:
    """A tile over events that there are not."""
    raw.run("insert into tiles select level, 7, hashes from tiles where level = 0 and tile = 0")
    return Said("tile changed")


def another_ledger(raw: Raw) -> Said:
    """The ledger is called otherwise."""
    raw.run("update ledger set id = 'feedfeedfeedfeed'")
    return Said("inserted", 1)


def another_kind(raw: Raw) -> Said:
    """What was done is another thing: the entry has a topic that nobody knows."""
    row = row_at(raw, EARLY)
    put(raw, (*row[:3], "backfill.waved_through", *row[4:6], said_otherwise(row[-1], topic="backfill.waved_through")))
    return Said("altered", EARLY)


def against_its_contract(raw: Raw) -> Said:
    """An event says more than such an event can say, and all that follows is made to fit."""
    row = row_at(raw, EARLY)
    put(raw, (*row[:-1], said_otherwise(row[-1], data={**orjson.loads(row[-1])["data"], "more": 1})))
    chained(raw)
    return Said("against its contract", EARLY)


def back_in_time(raw: Raw) -> Said:
    """An event happened before the one in front of it, and all that follows is made to fit."""
    row, at = row_at(raw, EARLY), "2001-01-01T00:00:00.000000Z"
    put(raw, (*row[:4], at, row[5], said_otherwise(row[-1], at=at)))
    chained(raw)
    return Said("broken invariant", EARLY)


def move_the_state(raw: Raw) -> Said:
    """The cursor moves, and no run succeeded."""
    ledger, at = raw.rows("select id, (select max(at) from events) from ledger")[0]
    topic = "pipeline_state.advanced"
    stream, version, entry = raw.rows(
        "select stream, version, entry from events where topic = ? order by position desc limit 1", topic
    )[0]
    before = orjson.loads(entry)["data"]
    data = {"run": before["run"], "cursor_before": before["cursor"], "cursor": "2030-01-01T00:00:00.000000Z"}
    row = composed(ledger, last(raw) + 1, at, stream, version + 1, topic, "eve", data)
    raw.run("insert into events values (?, ?, ?, ?, ?, ?, ?)", *row)
    return Said("broken invariant", row.position)


def last(raw: Raw) -> int:
    """The last position."""
    return int(raw.rows("select max(position) from events")[0][0])


def approve(raw: Raw, run: str, by: str, **changes: object) -> Said:
    """An approval that the program would have refused, as an event that is right in every way."""
    ledger, at, version = raw.rows(
        "select id, (select max(at) from events), (select max(version) + 1 from events where stream = ?) from ledger",
        run,
    )[0]
    (planned,) = raw.rows("select entry from events where stream = ? and topic = 'backfill.planned'", run)[0]
    said = orjson.loads(planned)["data"]
    data = {
        "plan_digest": said["digest"],
        "policy_digest": said["policy_digest"],
        "rule": None,
        "judged": None,
        "signature": None,
        "checkpoint": None,
        **changes,
    }
    row = composed(ledger, last(raw) + 1, at, run, version, "backfill.approved", by, data)
    entry = said_otherwise(row.entry, v=2)
    raw.run("insert into events values (?, ?, ?, ?, ?, ?, ?)", *row[:5], merkle.leaf_hash(entry.encode()), entry)
    return Said("bad approval", row.position)


TABLE: Sequence[Callable[[Raw], Said]] = (
    edit, edit_late, edit_with_leaf, edit_a_column, not_canonical, delete, delete_and_close_up, insert_in_front,
    insert_far_behind, insert_at_the_end, move_the_state, against_its_contract, back_in_time, other_kinds, another_kind,
    swap, chain_again, cut, cut_below_a_tile, edit_a_tile, drop_a_tile, another_tile, another_ledger,
)  # fmt: skip
