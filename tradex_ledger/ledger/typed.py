"""Events in typed columns: as they come out of the ledger's entries, and from the files of segments."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress

import duckdb

from tradex_ledger import resources
from tradex_ledger.ledger.entry import NotCanonicalError, parse
from tradex_ledger.ledger.rows import BrokenRowError, Row, check_range, check_some, position_in
from tradex_ledger.ledger.segments import Segment, Segments
from tradex_ledger.ledger.select import Store, read
from tradex_ledger.paths import file_list, sql_text

FILES = '[{"path":"VARCHAR","bytes":"BIGINT","rows":"BIGINT","sha256":"VARCHAR"}]'
"""The shape of the files that an event names, for `from_json`."""
_SHAPE = (
    '{"position":"BIGINT","at":"TIMESTAMP","stream":"VARCHAR","version":"BIGINT","topic":"VARCHAR",'
    '"by":"VARCHAR","v":"INTEGER","data":{"run":"VARCHAR","dataset":"VARCHAR","layer":"VARCHAR",'
    '"partition":"DATE","logic_version":"BIGINT","rows":"BIGINT","bytes":"BIGINT","duration_ms":"BIGINT",'
    '"outcome":"VARCHAR","previous_rows":"BIGINT","base":"BIGINT","inputs":"VARCHAR",'
    '"began_at":"TIMESTAMP","worker":"VARCHAR",'
    f'"files":{FILES}}}}}'
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
    fact.data.began_at as began_at,
    fact.data.worker as worker,
    fact.data.inputs as inputs,
    fact.data.files as files,
    entry
from (select entry, from_json(entry, '{_SHAPE}') as fact from (select unnest(?::varchar[]) as entry))
"""
# Not the engine's version: texts, whole numbers and days come out of JSON the same, and two hosts with two engines
# share what either made.
RECIPE = f"{_TYPED}by topic"


def among(column: str, values: Iterable[str]) -> str:
    """The condition that a column has one of some values."""
    return f"{column} in ({', '.join(sql_text(value) for value in values) or 'null'})"


def scan(files: Iterable[str]) -> str:
    """The rows of some Parquet files of ours, in SQL."""
    return f"read_parquet({file_list(files)}, hive_partitioning = false)"


def typed(connection: duckdb.DuckDBPyConnection, into: str, entries: list[str], condition: str = "true") -> None:
    """Put those entries of which a condition (SQL of ours) holds into typed columns. Raises `BrokenRowError`."""
    try:
        connection.execute(f"{into} select * from ({_TYPED}) where {condition}", [entries])
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


def put_pieces(
    connection: duckdb.DuckDBPyConnection,
    found: Segments,
    table: str,
    first: int,
    last: int,
    topics: Collection[str] = (),
) -> int:
    """Make a table of the events of a range, of some topics (none: of all), that are kept as parts of a segment.

    Returns the position behind them; `first`, and no table, where there are none, or the ledger's index by topic finds
    the few that are asked for with less to read.
    """
    files, behind = [], first
    for piece in found.pieces(first, last) if not topics or _are_many(found.store, first, last, topics) else ():
        path = file_of(connection, found, piece)
        if path is None:
            break
        files.append(path)
        behind = piece.last + 1
    with suppress(duckdb.IOException, duckdb.InvalidInputException):  # one was taken away meanwhile, or was cut short
        if files:
            condition = among("topic", topics) if topics else "true"
            connection.execute(f"create table {table} as from {scan(files)} where {condition}")
            return behind
    return first


def _are_many(store: Store, first: int, last: int, topics: Collection[str]) -> bool:
    """Whether every eighth event of a range, or more, is of the topics."""
    ((count,),) = store.select(read("range_counted"), topics=tuple(topics), first=first, last=last)
    return int(count) * 8 > last - first


def file_of(connection: duckdb.DuckDBPyConnection, found: Segments, segment: Segment) -> str | None:
    """The file of a segment, made if need be; None where it cannot be."""
    path = segment.path(found.there(segment))
    if path is None:
        entries = entries_of(found.store, segment.first, segment.last)
        segment.check(entries)
        typed(connection, "create or replace temp table fresh as", entries)
        path = segment.write(connection, "fresh")
        connection.execute("drop table fresh")
        found.clean()
    return str(path) if path is not None else None


def entries_of(store: Store, first: int, last: int, topics: tuple[str, ...] = ()) -> list[str]:
    """The entries (text) of the events first…last, as `rows_of` has them. Raises: `BrokenLedgerError`."""
    return [row[-1] for row in rows_of(store, first, last, topics)]


def rows_of(store: Store, first: int, last: int, topics: tuple[str, ...] = ()) -> Iterator[Row]:
    """The events first…last, of the topics given, else of all, in order; each is held against its row.

    Raises: `BrokenLedgerError`.
    """
    if not topics:
        yield from check_range(store.ledger, store.select(read("range"), first=first, last=last), first, last)
        return
    ((known,),) = store.select(read("range_counted"), topics=resources.event_topics(), first=first, last=last)
    if known != last - first + 1:
        # There are events that no release knows, or the index by topic has lost some: each event is asked itself.
        yield from (row for row in rows_of(store, first, last) if row[3] in topics)
        return
    yield from check_some(store.ledger, store.select(read("range_of_topics"), first=first, last=last, topics=topics))
