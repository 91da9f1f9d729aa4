"""The events as one Arrow table and one DuckDB relation, as of a position."""

from __future__ import annotations

import duckdb
import pyarrow as pa
from sqlalchemy import Engine, bindparam, text

from tradex_ledger.ledger.store import reading

BATCH_EVENTS = 50_000
_SHAPE = (
    '{"position":"BIGINT","at":"TIMESTAMP","stream":"VARCHAR","version":"BIGINT","topic":"VARCHAR",'
    '"by":"VARCHAR","v":"INTEGER","data":{"run":"VARCHAR","dataset":"VARCHAR","layer":"VARCHAR",'
    '"partition":"DATE","logic_version":"BIGINT","rows":"BIGINT","bytes":"BIGINT","duration_ms":"BIGINT",'
    '"outcome":"VARCHAR","previous_rows":"BIGINT","base":"BIGINT","inputs":"VARCHAR",'
    '"files":[{"path":"VARCHAR","bytes":"BIGINT","rows":"BIGINT","sha256":"VARCHAR"}]}}'
)
_TYPED = """
create table ledger_events as
select
    fact.position as position, fact."at" as "at", fact.stream as stream, fact.version as version, fact.topic as topic,
    fact.by as by, fact.v as v,
    case when stream like 'bf-%' or stream like 'run-%' then stream else fact.data.run end as run_id,
    case
        when run_id like 'bf-%' then 'backfill'
        when run_id like 'run-%' then 'incremental'
    end as run_kind,
    case when stream like 'dataset-%' then stream[9:] else fact.data.dataset end as dataset,
    fact.data.layer as layer,
    fact.data.partition as partition,
    fact.data.logic_version as logic_version,
    fact.data.rows as rows,
    fact.data.bytes as bytes,
    fact.data.duration_ms as duration_ms,
    fact.data.outcome as outcome,
    fact.data.previous_rows as previous_rows,
    fact.data.base as base,
    fact.data.inputs as inputs,
    fact.data.files as files,
    entry
from (select entry, from_json(entry, ?) as fact from raw_events)
"""


def read_entries(engine: Engine, upto: int, topics: tuple[str, ...] = ()) -> pa.Table:
    """The entries (text) of the events 1…upto, of the topics given, else of all, in order.

    Only they are fetched: an entry says all that the columns beside it do, and each value costs as much to fetch as
    a whole entry.
    """
    condition = "and topic in :topics" if topics else ""
    statement = text(f"select entry from events where position <= :upto {condition} order by position")
    if topics:
        statement = statement.bindparams(bindparam("topics", list(topics), expanding=True))
    chunks = []
    with reading(engine) as connection:
        # The driver's own cursor: a row object a row would cost more than the rows do.
        cursor = connection.execute(statement, {"upto": upto}).cursor
        while rows := cursor.fetchmany(BATCH_EVENTS):
            chunks.append(pa.array([entry for (entry,) in rows], pa.string()))
    return pa.table({"entry": pa.chunked_array(chunks, pa.string())})


def create_events(
    connection: duckdb.DuckDBPyConnection, engine: Engine, upto: int, topics: tuple[str, ...] = ()
) -> None:
    """Make `events` in DuckDB: typed hot columns, the rest of the facts as JSON in `data`."""
    connection.register("raw_events", read_entries(engine, upto, topics))
    connection.execute(_TYPED, [_SHAPE])
    connection.unregister("raw_events")
    connection.execute(
        "create view events as "
        "select * exclude (entry), (entry::json -> '$.data')::json as data, entry from ledger_events"
    )
