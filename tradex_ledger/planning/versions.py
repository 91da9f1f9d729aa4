"""The versions of a dataset's partitions by day, made of their rows when somebody asks for them.

A catalog has tens of thousands; a question is about few.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import orjson

from tradex_ledger.domain.day import Day
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.partition import PartitionVersion

SELECTED = "logic_version, files::json::varchar as files, rows, bytes, inputs, run_id"
"""What a `Row` is made of, in SQL."""
DAY = "partition - date '0001-01-01' + 1"
"""The ordinal of a partition's day, in SQL: a date for each of tens of thousands of rows takes longer."""
AHEAD = 4
"""Columns in front of `SELECTED` in a row that a catalog is made of: dataset, whether it is Bronze, component, day."""


Size: TypeAlias = tuple[int, int]
"""Rows and bytes."""


class Row(NamedTuple):
    """A version as DuckDB has it; `files` are JSON, null where there are none."""

    logic_version: int | None
    files: str | None
    rows: int
    bytes: int
    inputs: str | None
    run_id: str

    def version(self) -> PartitionVersion:
        """The version itself."""
        files = tuple(map(LakeFile.of, orjson.loads(self.files))) if self.files else ()
        return PartitionVersion(self.logic_version, files, self.rows, self.bytes, self.inputs, self.run_id)


class Stored:
    """A row as DuckDB has it, `AHEAD` columns in front, and the version that was made of it: once for all copies of a
    catalog."""

    __slots__ = ("_found", "_made")

    def __init__(self, found: tuple[Any, ...]) -> None:
        self._found = found
        self._made: PartitionVersion | None = None

    def row(self) -> Row:
        """The row."""
        return Row._make(self._found[AHEAD:])

    def version(self) -> PartitionVersion:
        """The version."""
        if self._made is None:
            self._made = self.row().version()
        return self._made


class Versions(MutableMapping[Day, PartitionVersion]):
    """Versions by day."""

    __slots__ = ("_known",)

    def __init__(self, known: Mapping[Day, PartitionVersion | Stored] = MappingProxyType({})) -> None:
        self._known: dict[Day, PartitionVersion | Stored] = dict(known._known if isinstance(known, Versions) else known)

    def sizes(self) -> dict[Day, Size]:
        """The rows and bytes of each version."""
        rows = ((day, known.row() if isinstance(known, Stored) else known) for day, known in self._known.items())
        return {day: (row.rows, row.bytes) for day, row in rows}

    def __getitem__(self, day: Day) -> PartitionVersion:
        found = self._known[day]
        return found.version() if isinstance(found, Stored) else found

    def __setitem__(self, day: Day, version: PartitionVersion) -> None:
        self._known[day] = version

    def __delitem__(self, day: Day) -> None:
        del self._known[day]

    def __contains__(self, day: object) -> bool:
        return day in self._known

    def __iter__(self) -> Iterator[Day]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
