"""The versions of a dataset's partitions by day, made of their rows when somebody asks for them.

A catalog has tens of thousands; a question is about few.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import orjson

from tradex_ledger.domain.day import Day
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.partition import PartitionVersion

SELECTED = "logic_version, files::json::varchar as files, rows, bytes, inputs, run_id"
"""What a `Row` is made of, in SQL."""


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


class _Stored:
    """A row, and the version that was made of it: once for all copies of a catalog."""

    __slots__ = ("_made", "row")

    def __init__(self, row: Row) -> None:
        self.row = row
        self._made: PartitionVersion | None = None

    def version(self) -> PartitionVersion:
        if self._made is None:
            self._made = self.row.version()
        return self._made


class Versions(MutableMapping[Day, PartitionVersion]):
    """Versions by day."""

    __slots__ = ("_known",)

    def __init__(self, known: Mapping[Day, PartitionVersion] = MappingProxyType({})) -> None:
        self._known: dict[Day, PartitionVersion | _Stored] = dict(
            known._known if isinstance(known, Versions) else known
        )

    def sizes(self) -> dict[Day, Size]:
        """The rows and bytes of each version."""
        rows = ((day, known.row if isinstance(known, _Stored) else known) for day, known in self._known.items())
        return {day: (row.rows, row.bytes) for day, row in rows}

    def __getitem__(self, day: Day) -> PartitionVersion:
        found = self._known[day]
        return found.version() if isinstance(found, _Stored) else found

    def __setitem__(self, day: Day, version: PartitionVersion | Row) -> None:
        self._known[day] = _Stored(version) if isinstance(version, Row) else version

    def __delitem__(self, day: Day) -> None:
        del self._known[day]

    def __contains__(self, day: object) -> bool:
        return day in self._known

    def __iter__(self) -> Iterator[Day]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
