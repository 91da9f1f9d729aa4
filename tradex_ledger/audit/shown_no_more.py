"""Which of some rows of Bronze are to be shown no more: retracted for good, or held back as known-bad."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import duckdb

from tradex_ledger.audit.reader import Reader
from tradex_ledger.domain.facts import facts_of
from tradex_ledger.ledger.ask import at_positions, events_of
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.relations.held import QUARANTINES, Quarantined


class Table(NamedTuple):
    """Rows of Bronze in a connection: what the table is called, its dataset, and the names of its columns as SQL has
    them: the first of the key, and the day."""

    name: str
    dataset: str
    key: str
    day: str


class _Told(NamedTuple):
    rows: list[str]
    reason: str


def shown_no_more(reader: Reader, connection: duckdb.DuckDBPyConnection, tables: Iterable[Table]) -> Iterator[str]:
    """A sentence for each of the rows that was retracted, or is held back."""
    of_bronze = list(tables)
    for row in events_of(reader.store, ["retraction.told"], upto=reader.as_of.position):
        entry = entry_of(reader.store.ledger, row)
        told = facts_of(_Told, entry.data)
        for table in of_bronze:
            for value in _among(connection, table, told.rows):
                yield f"{value} was retracted by {entry.by} (position {entry.position}): {told.reason}"
    for one in reader.read(QUARANTINES, "state <> 'released' order by position"):
        for table in of_bronze:
            if table.dataset == one.dataset:
                for value in _held(reader, connection, table, one):
                    yield (
                        f"{value} is held back by {one.quarantined_by} ({one.quarantine}, position {one.position}): "
                        f"{one.reason}"
                    )


def _among(connection: duckdb.DuckDBPyConnection, table: Table, rows: list[str]) -> list[str]:
    asked = (
        f"select distinct {table.key} from {table.name} "
        f"where list_contains($1::varchar[], {table.key}::varchar) order by 1"
    )
    return [str(value) for (value,) in connection.execute(asked, [rows]).fetchall()]


def _held(reader: Reader, connection: duckdb.DuckDBPyConnection, table: Table, one: Quarantined) -> Iterator[str]:
    """The rows that a quarantine holds back: named ones, or what its batches appended."""
    free = set(one.rows_released or ())
    yield from (value for value in _among(connection, table, one.rows) if value not in free)
    for batch in at_positions(reader.store, one.batches):
        asked = f"select distinct {table.key}::varchar from {table.name} where run_id = $1 and {table.day} = $2::date"
        values = [batch.stream, batch.data["partition"]]
        yield from (str(value) for (value,) in connection.execute(asked, values).fetchall() if value not in free)
