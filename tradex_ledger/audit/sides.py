"""What is held against each other: a partition on two sides, some of them at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import duckdb

from tradex_ledger.audit.tables import Tables
from tradex_ledger.datasets.header import HEADER, Header, fields_of
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.errors import BrokenLedgerError
from tradex_ledger.relations.data import DEFINITIONS, File, LogicVersion


class Side(NamedTuple):
    """A partition on one side: how many rows it has, and the files with them."""

    rows: int
    files: list[File] | None

    @property
    def digests(self) -> list[str]:
        """What its bytes are known by."""
        return [LakeFile.of(file).sha256 for file in self.files or ()]


NOTHING = Side(0, None)


class Pair(NamedTuple):
    """A partition, under the logic version it has after, on both sides."""

    dataset: str
    layer: str
    day: date
    version: int | None
    before: Side
    after: Side


class Key(NamedTuple):
    """What tells a row: its partition column, and the columns of its key."""

    partition: str
    key: Sequence[str]


def sides_of(tables: Tables, version: LogicVersion) -> dict[date, Side]:
    """A side a day, of what a version of a dataset has in the tables."""
    return {row.partition: Side(row.rows, row.files) for row in tables.partitions(version)}


def pairs_of(
    dataset: str, layer: str, number: int, before: Mapping[date, Side], after: Mapping[date, Side]
) -> list[Pair]:
    """Both sides of each day that one of them has, in order of days; who lacks it has `NOTHING`."""
    return [
        Pair(dataset, layer, day, number, before.get(day, NOTHING), after.get(day, NOTHING))
        for day in sorted(before.keys() | after.keys())
    ]


def key_of(connection: duckdb.DuckDBPyConnection, dataset: str) -> Key:
    """The partition column and the key of a dataset, by its newest definition on record."""
    (newest, *_) = DEFINITIONS.read(connection, "dataset = ? order by logic_version desc limit 1", dataset)
    match = HEADER.search(newest.definition)
    if match is None:
        raise BrokenLedgerError(f"the definition of {dataset} on record has no header", mend="tradex audit verify")
    header = Header(**fields_of(match))
    return Key(header.partition, header.key)


def some_at_a_time(pairs: Sequence[Pair], at_most: int) -> Iterator[list[Pair]]:
    """Neighbouring pairs of one dataset that have not more rows together; or one that has more."""
    some: list[Pair] = []
    rows = 0
    for pair in pairs:
        more = pair.before.rows + pair.after.rows
        if some and rows + more > at_most:
            yield some
            some, rows = [], 0
        some.append(pair)
        rows += more
    if some:
        yield some
