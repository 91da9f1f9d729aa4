"""Rows of a DuckLake catalog, step by step, within a transaction of whoever writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Self
from uuid import NAMESPACE_URL, uuid5

import orjson
from sqlalchemy import Connection, delete, func, insert, select, update

from tradex_ledger.domain.day import iso
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.mirrors import ducklake_tables as t
from tradex_ledger.mirrors.column_words import NoSuchTypeError
from tradex_ledger.mirrors.ducklake_columns import Described, flattened
from tradex_ledger.mirrors.ducklake_facts import LEFT_OUT, facts
from tradex_ledger.mirrors.port import StrangeMirrorError
from tradex_ledger.mirrors.step import Change, Step

MAIN = "main"
_BEGINNING = "1970-01-01T00:00:00.000000+00:00"
_PAGE = 500
Erased = Mapping[str, LakeFile | None]


class Known(NamedTuple):
    """A table of the catalog: its id, the row id that the next file begins with, and how its files name columns."""

    id: int
    next_row: int
    mapping: int


@dataclass
class Writer:
    """The catalog that a transaction goes on with: what its rows would have to be asked for again and again."""

    connection: Connection
    ledger: str
    erased: Erased = field(default_factory=dict)
    schema_version: int = 0
    next_catalog: int = 1
    next_file: int = 0
    tables: dict[str, Known] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @classmethod
    def begin(cls, connection: Connection, ledger: str) -> Self:
        """Make the tables, and a first snapshot in which there is nothing."""
        t.metadata.create_all(connection)
        made = cls(connection, ledger)
        row = {"schema_id": 0, "schema_uuid": made._uuid(MAIN), "begin_snapshot": 0, "schema_name": MAIN}
        connection.execute(insert(t.schema).values(**row, path="", path_is_relative=True))
        made._snapshot(0, _BEGINNING, f'created_schema:"{MAIN}"', None, None, None)
        return made

    @classmethod
    def go_on(cls, connection: Connection, ledger: str) -> Self:
        """Read what there is."""
        newest = select(t.snapshot).order_by(t.snapshot.c.snapshot_id.desc()).limit(1)
        last = connection.execute(newest).one()
        made = cls(connection, ledger)
        made.schema_version, made.next_catalog = last.schema_version, last.next_catalog_id
        made.next_file = last.next_file_id
        mappings = select(t.column_mapping.c.table_id, func.max(t.column_mapping.c.mapping_id)).group_by(
            t.column_mapping.c.table_id
        )
        newest_of = {table: mapping for table, mapping in connection.execute(mappings)}
        rows = {
            table: row
            for table, row in connection.execute(select(t.table_stats.c.table_id, t.table_stats.c.next_row_id))
        }
        for table, name in connection.execute(select(t.table.c.table_id, t.table.c.table_name)):
            made.tables[name] = Known(table, rows[table], newest_of[table])
        made.left_out = orjson.loads(facts(connection).get(LEFT_OUT, "{}"))
        return made

    def check(self, name: str, position: int) -> None:
        """Raise `StrangeMirrorError` where there is a snapshot that is not one of a step."""
        newest = self.connection.execute(select(func.max(t.snapshot.c.snapshot_id))).scalar_one()
        if newest > position:
            raise StrangeMirrorError(
                name, f"has a snapshot {newest}, and has come to position {position} of the ledger"
            )

    def replace(self, before: Erased, erased: Erased) -> None:
        """Have what stands in the place of files of which rows were erased, in all snapshots; `before` were known."""
        self.erased = erased
        stats = t.file_column_stats
        for path, now in erased.items():
            if path in before and before[path] == now:
                continue
            is_of = t.data_file.c.path == path
            are_of = stats.c.data_file_id.in_(select(t.data_file.c.data_file_id).where(is_of))
            if now is None:
                self.connection.execute(delete(stats).where(are_of))
                self.connection.execute(delete(t.data_file).where(is_of))
            else:
                self.connection.execute(update(stats).where(are_of).values(value_count=now.rows))
                values = {"path": now.path, "record_count": now.rows, "file_size_bytes": now.bytes}
                self.connection.execute(update(t.data_file).where(is_of).values(**values))

    def step(self, step: Step) -> None:
        """Take in a step, as a snapshot."""
        said = [text for change in step.changes for text in self._change(step.position, change)]
        at = step.at.replace("Z", "+00:00")
        self._snapshot(step.position, at, ",".join(said), step.by, step.reason, step.run_id)

    def _change(self, position: int, change: Change) -> Iterable[str]:
        """What becomes other of a table; returns what the snapshot says of it."""
        said = []
        if change.columns is not None:
            self.left_out.pop(change.dataset, None)
            try:
                columns = flattened(change.columns)
            except NoSuchTypeError as error:
                self.left_out[change.dataset] = f"DuckLake has no type for {error}"
                return []
            said.append(self._describe(position, change.dataset, columns))
        if change.dataset in self.left_out:
            return said
        known = self.tables[change.dataset]
        before = {now.path for one in change.removed if (now := self._now(one.file)) is not None}
        after = {now.path for one in change.added if (now := self._now(one.file)) is not None}
        if gone := sorted(before - after):
            self._end(known, position, gone)
            said.append(f"deleted_from_table:{known.id}")
        self._add(change, position, before)
        if after - before:
            said.append(f"inserted_into_table:{known.id}")
        return said

    def _now(self, file: LakeFile) -> LakeFile | None:
        return self.erased.get(file.path, file)

    def _end(self, known: Known, position: int, paths: Sequence[str]) -> None:
        files = t.data_file.c
        for begin in range(0, len(paths), _PAGE):
            is_one = files.path.in_(paths[begin : begin + _PAGE])
            where = (files.table_id == known.id) & files.end_snapshot.is_(None) & is_one
            self.connection.execute(update(t.data_file).where(where).values(end_snapshot=position))

    def _add(self, change: Change, position: int, there: set[str]) -> None:
        """Add files. Each takes its number and its rows' ids even where nothing of it is left: so a catalog that is
        made again has the same ones."""
        known = self.tables[change.dataset]
        column = select(t.column.c.column_id).where(
            t.column.c.table_id == known.id,
            t.column.c.end_snapshot.is_(None),
            t.column.c.parent_column.is_(None),
            t.column.c.column_name == change.partition_column,
        )
        day_column = self.connection.execute(column).scalar_one()
        files, stats = [], []
        for one in change.added:
            number, row = self.next_file, known.next_row
            self.next_file, known = number + 1, known._replace(next_row=row + one.file.rows)
            now = self._now(one.file)
            if now is None or now.path in there:
                continue
            files.append({
                "data_file_id": number, "table_id": known.id, "begin_snapshot": position, "path": now.path,
                "path_is_relative": True, "file_format": "parquet", "record_count": now.rows,
                "file_size_bytes": now.bytes, "row_id_start": row, "mapping_id": known.mapping,
            })  # fmt: skip
            stats.append({
                "data_file_id": number, "table_id": known.id, "column_id": day_column, "value_count": now.rows,
                "null_count": 0, "min_value": iso(one.day), "max_value": iso(one.day),
            })  # fmt: skip
        self.tables[change.dataset] = known
        if files:
            self.connection.execute(insert(t.data_file), files)
            self.connection.execute(insert(t.file_column_stats), stats)

    def _describe(self, position: int, name: str, columns: Sequence[Described]) -> str:
        """Have a table with those columns; a column of the same name stays the same one, whatever its type."""
        self.schema_version += 1
        is_new = name not in self.tables
        if is_new:
            row = {"table_id": self.next_catalog, "table_uuid": self._uuid(f"{MAIN}.{name}"), "schema_id": 0}
            self.connection.execute(
                insert(t.table).values(**row, begin_snapshot=position, table_name=name, path="", path_is_relative=True)
            )
            self.tables[name] = Known(self.next_catalog, 0, 0)
            self.connection.execute(
                insert(t.table_stats).values(
                    table_id=self.next_catalog, record_count=0, next_row_id=0, file_size_bytes=0
                )
            )
            self.next_catalog += 1
        known = self.tables[name]
        ids = self._columns(position, known.id, columns)
        mapping, self.next_file = self.next_file, self.next_file + 1
        self.tables[name] = known._replace(mapping=mapping)
        self.connection.execute(
            insert(t.column_mapping).values(mapping_id=mapping, table_id=known.id, type="map_by_name")
        )
        rows = [
            {
                "mapping_id": mapping, "column_id": number, "source_name": one.name, "target_field_id": ids[number],
                "parent_column": one.parent, "is_partition": False,
            }
            for number, one in enumerate(columns)
        ]  # fmt: skip
        self.connection.execute(insert(t.name_mapping), rows)
        versions = {"begin_snapshot": position, "schema_version": self.schema_version, "table_id": known.id}
        self.connection.execute(insert(t.schema_versions).values(**versions))
        return f'created_table:"{MAIN}"."{name}"' if is_new else f"altered_table:{known.id}"

    def _columns(self, position: int, table: int, columns: Sequence[Described]) -> list[int]:
        """End the columns that are no more or are others, begin those that are new; returns their ids, in order."""
        stored = select(t.column).where(t.column.c.table_id == table)
        rows = self.connection.execute(stored.order_by(t.column.c.begin_snapshot)).all()
        # One that was there before, and comes back, is the same one again.
        known = {(row.parent_column, row.column_name): row.column_id for row in rows}
        now = {row.column_id: row for row in rows if row.end_snapshot is None}
        next_id = max((row.column_id for row in rows), default=0) + 1
        ids: list[int] = []
        fresh = []
        for number, one in enumerate(columns):
            parent = None if one.parent is None else ids[one.parent]
            found = known.get((parent, one.name))
            if found is None:
                found, next_id = next_id, next_id + 1
            ids.append(found)
            had = now.get(found)
            if had is not None and (had.column_type, had.column_order) == (one.type, number + 1):
                continue
            fresh.append({
                "column_id": found, "begin_snapshot": position, "table_id": table, "column_order": number + 1,
                "column_name": one.name, "column_type": one.type, "default_value": "NULL", "nulls_allowed": True,
                "parent_column": parent, "default_value_type": "literal", "default_value_dialect": "duckdb",
            })  # fmt: skip
        others = {row["column_id"] for row in fresh}
        ended = [one for one in now if one not in ids or one in others]
        where = (t.column.c.table_id == table) & t.column.c.end_snapshot.is_(None) & t.column.c.column_id.in_(ended)
        self.connection.execute(update(t.column).where(where).values(end_snapshot=position))
        if fresh:
            self.connection.execute(insert(t.column), fresh)
        return ids

    def sum_up(self) -> None:
        """What the tables hold now."""
        files = t.data_file.c
        sums = select(files.table_id, func.sum(files.record_count), func.sum(files.file_size_bytes))
        found = self.connection.execute(sums.where(files.end_snapshot.is_(None)).group_by(files.table_id))
        held = {table: (int(rows), int(size)) for table, rows, size in found}
        for known in self.tables.values():
            rows, size = held.get(known.id, (0, 0))
            values = {"record_count": rows, "next_row_id": known.next_row, "file_size_bytes": size}
            self.connection.execute(update(t.table_stats).where(t.table_stats.c.table_id == known.id).values(**values))

    def _snapshot(
        self, position: int, at: str, said: str, by: str | None, reason: str | None, run_id: str | None
    ) -> None:
        moment = datetime.fromisoformat(at)
        stamp = moment.strftime("%Y-%m-%d %H:%M:%S.%f+00") if self.connection.dialect.name == "sqlite" else moment
        row = {"schema_version": self.schema_version, "next_catalog_id": self.next_catalog}
        self.connection.execute(
            insert(t.snapshot).values(**row, snapshot_id=position, snapshot_time=stamp, next_file_id=self.next_file)
        )
        changes = {"changes_made": said, "author": by, "commit_message": reason, "commit_extra_info": run_id}
        self.connection.execute(insert(t.snapshot_changes).values(snapshot_id=position, **changes))

    def _uuid(self, name: str) -> str:
        return str(uuid5(NAMESPACE_URL, f"tradex-ledger:{self.ledger}:{name}"))
