"""The rows behind a row: itself, and of each dataset behind it those that share its key, down to Bronze.

From a dataset to one that it reads lead the columns of that one's key that it has, too (else those of its own key that
the other has), the days left out: which days were read is known. Where there is no such column, nothing leads there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import duckdb

from tradex_ledger.audit.documents.why import Behind, WhyDocument
from tradex_ledger.audit.query import pruned_or
from tradex_ledger.audit.reader import Reader
from tradex_ledger.audit.shown_no_more import Table, shown_no_more
from tradex_ledger.audit.values import values_of
from tradex_ledger.datasets.statement import connect, quoted
from tradex_ledger.domain.facts import Facts, facts_of
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.errors import NotFoundError, UsageError
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import LakeFileError, translate
from tradex_ledger.lake.verified import Reading
from tradex_ledger.ledger.ask import events_of
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.paths import file_list
from tradex_ledger.relations.data import LOGIC_VERSIONS
from tradex_ledger.relations.reads import reads_of

SHOWN = 20
"""Rows of a dataset that are shown; all are counted."""


class KeyColumnsError(UsageError):
    """What is given as the key of a row is none of the dataset."""

    code = "key-columns"

    def __init__(self, dataset: str, why: str, key: Sequence[str], columns: Sequence[str]) -> None:
        beside = ", ".join(key) or "nothing"
        super().__init__(
            f"{why}: the key of {dataset} is, beside the day, {beside}",
            mend=f"give values of {beside} in that order, or COLUMN=VALUE of: {', '.join(columns)}",
        )


class NoSuchRowError(NotFoundError):
    """A day of a dataset has no row with that key."""

    code = "no-such-row"

    def __init__(self, dataset: str, day: str, asked: dict[str, str], rows: int) -> None:
        said = ", ".join(f"{name} {value}" for name, value in asked.items())
        super().__init__(
            f"{dataset} of {day} has no row with {said}",
            mend=f"see its {rows} rows: tradex query \"select * from {dataset} where … = '{day}'\"",
        )


class _Logic(NamedTuple):
    logic_version: int
    key: list[str]
    columns: list[Facts]


class _Column(NamedTuple):
    name: str


@dataclass(frozen=True, slots=True)
class _Table:
    """A dataset behind the row: its files, its columns, those of its key without the day, and what it reads."""

    dataset: str
    layer: str
    partition: str
    files: list[LakeFile] = field(default_factory=list)
    key: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    read_by: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Rows:
    """The rows behind a row, dataset by dataset, and what to know about them."""

    found: list[Behind]
    warnings: list[str]


def rows_behind(reader: Reader, lake: Lake, document: WhyDocument, key: Sequence[str], *, trusting: bool) -> Rows:
    """The rows behind the row with a key (values, or COLUMN=VALUE) of a day that is known whole.

    Raises: `KeyColumnsError`, `NoSuchRowError`, `LakeFileError`, `PrunedFileError` for the day itself; for what is
    behind it that is a warning.
    """
    tables = _tables(reader, document)
    own, *others = tables
    asked = _asked(own, key)
    reading = Reading(lake, trusting=trusting)
    rows = Rows([], [])
    with connect() as connection:
        where = " and ".join(f"{quoted(name)}::varchar = ${n}" for n, name in enumerate(asked, 1))
        _make(connection, reader, reading, own, where, list(asked.values()))
        rows.found.append(_shown(connection, own, list(asked)))
        if not rows.found[0].total:
            raise NoSuchRowError(document.dataset, str(document.partition), asked, document.rows)
        made = {own.dataset: own}
        for table in others:
            ways = [(made[name], by) for name in table.read_by if name in made and (by := _way(made[name], table))]
            if not ways:
                continue
            try:
                _make(connection, reader, reading, table, " or ".join(_same(of, by) for of, by in ways), [])
            except (LakeFileError, duckdb.Error) as error:
                said = error if isinstance(error, LakeFileError) else translate(error, f"reading {table.dataset}")
                rows.warnings.append(f"the rows of {table.dataset} cannot be shown: {said}")
                continue
            made[table.dataset] = table
            rows.found.append(_shown(connection, table, list(dict.fromkeys(name for _, by in ways for name in by))))
        bronze = [
            Table(quoted(table.dataset), table.dataset, quoted(table.key[0]), quoted(table.partition))
            for table in made.values()
            if table.layer == LAYERS[0] and table.key
        ]
        rows.warnings += [*shown_no_more(reader, connection, bronze), *reading.warnings]
    reading.close()
    return rows


def _tables(reader: Reader, document: WhyDocument) -> list[_Table]:
    """The datasets behind a day, itself first, each behind those that read it."""
    versions = reader.read(LOGIC_VERSIONS, "true order by position")
    told = events_of(reader.store, ["dataset.logic_versioned"], upto=reader.as_of.position)
    entries = [entry_of(reader.store.ledger, row) for row in told]
    logic = {
        (one.stream.removeprefix("dataset-"), said.logic_version): said
        for one in entries
        for said in [facts_of(_Logic, one.data)]
    }
    tables: dict[str, _Table] = {}
    made = [*((b.dataset, b.logic_version, b.files) for b in reversed(document.inputs))]
    made += [(b.dataset, b.logic_version, b.files) for b in document.batches]
    used = {(dataset, number) for dataset, number, _ in made}
    for version in versions:
        if (version.dataset, version.logic_version) in used:
            said = logic[version.dataset, version.logic_version]
            tables[version.dataset] = _Table(
                version.dataset,
                version.layer,
                version.partition_column,
                key=[name for name in said.key if name != version.partition_column],
                columns=[facts_of(_Column, one).name for one in said.columns],
            )
    for version in versions:
        for read in reads_of(version.reads):
            if (version.dataset, version.logic_version) in used and read.dataset in tables:
                tables[read.dataset].read_by.append(version.dataset)
    for dataset, _, files in made:
        tables[dataset].files.extend(files)
    for table in tables.values():
        table.files[:] = dict.fromkeys(table.files)
    return _in_order(tables, document)


def _in_order(tables: dict[str, _Table], document: WhyDocument) -> list[_Table]:
    own = tables.pop(document.dataset)
    files = document.version.files if document.version else own.files
    found = [_Table(own.dataset, own.layer, own.partition, list(files), own.key, own.columns)]
    while tables:
        names = {table.dataset for table in found}
        ready = [t for t in tables.values() if not set(t.read_by) & (tables.keys() - {t.dataset})]
        for table in ready or list(tables.values()):
            if set(table.read_by) & names:
                found.append(table)
            tables.pop(table.dataset)
    return found


def _asked(own: _Table, key: Sequence[str]) -> dict[str, str]:
    """What is asked of each column."""
    asked: dict[str, str] = {}
    beside = iter(own.key)
    for given in key:
        name, is_named, value = given.partition("=")
        if is_named and name in own.columns:
            asked[name] = value
            continue
        column = next(beside, None)
        if column is None:
            raise KeyColumnsError(own.dataset, f"{given!r} is one value too many", own.key, own.columns)
        asked[column] = given
    return asked


def _way(of: _Table, to: _Table) -> list[str]:
    """The columns that lead from the rows of one dataset to those of another that it reads."""
    days = {of.partition, to.partition}
    forward = [name for name in to.key if name in of.columns and name not in days]
    return forward or [name for name in of.key if name in to.columns and name not in days]


def _same(of: _Table, by: Sequence[str]) -> str:
    columns = ", ".join(quoted(name) for name in by)
    return f"({columns}) in (select ({columns}) from {quoted(of.dataset)})"


def _make(
    connection: duckdb.DuckDBPyConnection,
    reader: Reader,
    reading: Reading,
    table: _Table,
    where: str,
    values: list[str],
) -> None:
    try:
        reading.check(table.files)
    except LakeFileError as error:
        raise pruned_or(reader.store, error.of_layer(table.layer)) from None
    paths = file_list(str(reading.lake.near(file)) for file in table.files)
    source = f"read_parquet({paths}, hive_partitioning = false, union_by_name = true)"
    connection.execute(f"create table {quoted(table.dataset)} as from {source} where {where}", values)


def _shown(connection: duckdb.DuckDBPyConnection, table: _Table, by: list[str]) -> Behind:
    name = quoted(table.dataset)
    ((total,),) = connection.execute(f"select count(*) from {name}").fetchall()
    order = ", ".join([f"{quoted(table.partition)} desc", *(quoted(column) for column in table.key)])
    columns, _, rows = values_of(connection, f"select * from {name} order by {order} limit {SHOWN}")
    found: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in rows]
    return Behind(table.dataset, by, int(total), found)
