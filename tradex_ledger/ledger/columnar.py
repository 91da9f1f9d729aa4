"""The events as one DuckDB relation, as of a position."""

from __future__ import annotations

import duckdb
import orjson

from tradex_ledger import resources
from tradex_ledger.ledger.entry import NotCanonicalError, parse
from tradex_ledger.ledger.rows import BrokenRowError, check_range, check_some, position_in
from tradex_ledger.ledger.segments import SEGMENT_EVENTS, segment_at
from tradex_ledger.ledger.select import Store, read
from tradex_ledger.paths import literal

_SHAPE = (
    '{"position":"BIGINT","at":"TIMESTAMP","stream":"VARCHAR","version":"BIGINT","topic":"VARCHAR",'
    '"by":"VARCHAR","v":"INTEGER","data":{"run":"VARCHAR","dataset":"VARCHAR","layer":"VARCHAR",'
    '"partition":"DATE","logic_version":"BIGINT","rows":"BIGINT","bytes":"BIGINT","duration_ms":"BIGINT",'
    '"outcome":"VARCHAR","previous_rows":"BIGINT","base":"BIGINT","inputs":"VARCHAR",'
    '"files":[{"path":"VARCHAR","bytes":"BIGINT","rows":"BIGINT","sha256":"VARCHAR"}]}}'
)
_TYPED = f"""
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
from (select entry, from_json(entry, '{_SHAPE}') as fact from (select unnest(?::varchar[]) as entry))
"""
# Not the engine's version: texts, whole numbers and days come out of JSON the same, and two hosts with two engines
# share what either made.
_RECIPE = _TYPED


def create_events(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    upto: int,
    topics: tuple[str, ...] = (),
    *,
    segment_events: int = SEGMENT_EVENTS,
) -> None:
    """Make `events` in DuckDB: typed hot columns, the rest of the facts as JSON in `data`.

    Full segments come from their files, the tail from the ledger, as do segments without a file. Either way the same
    rows are added in the same order, so that nothing that is asked of them can tell.
    """
    files = _segment_files(connection, store, upto, segment_events)
    into = "create table ledger_events as"  # with the first of the tail where there is no more: to plan it costs most
    if files or not upto:
        _typed(connection, into, [])
        into = "insert into ledger_events"
    known = len(files) * segment_events if _add_files(connection, files, upto, topics) else 0
    for first in range(known + 1, upto + 1, segment_events):
        _typed(connection, into, _entries(store, first, min(first + segment_events - 1, upto), topics))
        into = "insert into ledger_events"
    connection.execute(
        "create view events as "
        "select * exclude (entry), (entry::json -> '$.data')::json as data, entry from ledger_events"
    )


def holds_topic(connection: duckdb.DuckDBPyConnection, topic: str) -> bool:
    """Whether an event of the topic is among those of `create_events`."""
    return bool(connection.execute("select 1 from ledger_events where topic = $1 limit 1", [topic]).fetchall())


def _segment_files(connection: duckdb.DuckDBPyConnection, store: Store, upto: int, events: int) -> list[str]:
    """The files of the segments from the first event on, as far as there are any or they can be made."""
    files: list[str] = []
    for first in range(1, upto + 1, events):
        segment = segment_at(store, first, events, _RECIPE)
        path = segment and segment.path()
        if segment is not None and path is None:
            entries = _entries(store, first, first + events - 1)
            segment.check(entries)
            _typed(connection, "create or replace temp table fresh as", entries)
            path = segment.write(connection, "fresh")
        if path is None:
            break
        files.append(str(path))
    connection.execute("drop table if exists fresh")
    return files


def _typed(connection: duckdb.DuckDBPyConnection, into: str, entries: list[str]) -> None:
    """Put entries into typed columns. Raises `BrokenRowError`."""
    try:
        connection.execute(f"{into} {_TYPED}", [entries])
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise BrokenRowError(_unreadable(entries), "what its entry says is not what such an event says") from error


def _unreadable(entries: list[str]) -> str:
    """Where the first entry lies that is not JSON of the shape that entries have."""
    for entry in entries:
        try:
            parse(entry.encode())
        except NotCanonicalError:
            return position_in(entry)
    return f"one of {len(entries)}"


def _add_files(connection: duckdb.DuckDBPyConnection, files: list[str], upto: int, topics: tuple[str, ...]) -> bool:
    """Add the events of segments; False, with nothing added, when there are none or they have just been taken away."""
    if not files:
        return False
    condition = f"and topic in ({', '.join('?' for _ in topics)})" if topics else ""
    try:
        connection.execute(
            "insert into ledger_events from read_parquet(?, hive_partitioning = false) "
            f"where position <= ? {condition}",
            [[literal(file) for file in files], upto, *topics],
        )
    except duckdb.Error:
        return False
    return True


def _entries(store: Store, first: int, last: int, topics: tuple[str, ...] = ()) -> list[str]:
    """The entries (text) of the events first…last, of the topics given, else of all, in order; each is held against
    its row.

    Raises: `BrokenLedgerError`.
    """
    if not topics:
        return [
            row[-1]
            for row in check_range(store.ledger, store.select(read("range"), first=first, last=last), first, last)
        ]
    ((known,),) = store.select(read("range_counted"), topics=resources.event_topics(), first=first, last=last)
    if known != last - first + 1:
        # There are events that no release knows, or the index by topic has lost some: each event is asked itself.
        return [entry for entry in _entries(store, first, last) if orjson.loads(entry)["topic"] in topics]
    rows = store.select(read("range_of_topics"), first=first, last=last, topics=topics)
    return [row[-1] for row in check_some(store.ledger, rows)]
