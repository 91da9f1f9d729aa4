"""The tables of the event store, for building statements; `schema/ledger/*.sql` creates them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, MetaData, Table, Text

_metadata = MetaData()

ledger = Table(
    "ledger",
    _metadata,
    Column("singleton", Integer, primary_key=True, autoincrement=False),
    Column("id", Text),
    Column("format", Integer),
    Column("created_at", Text),
)

events = Table(
    "events",
    _metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("stream", Text),
    Column("version", BigInteger),
    Column("topic", Text),
    Column("at", Text),
    Column("leaf", LargeBinary),
    Column("entry", Text),
)

tiles = Table(
    "tiles",
    _metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("tile", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary),
)

tracking = Table(
    "tracking",
    _metadata,
    Column("application", Text, primary_key=True),
    Column("position", BigInteger),
)

holds = Table(
    "holds",
    _metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text),
    Column("host", Text),
    Column("machine", Text),
    Column("pid", BigInteger),
    Column("beat", BigInteger),
    Column("renewed", Double),
    Column("seconds", Double),
)

watches = Table(
    "watches",
    _metadata,
    Column("name", Text, primary_key=True),
    Column("machine", Text, primary_key=True),
    Column("holder", Text),
    Column("beat", BigInteger),
    Column("since", Double),
)

NAMES = frozenset(_metadata.tables)
"""What a database that holds no ledger has none of."""
