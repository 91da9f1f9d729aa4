"""The tables of a DuckLake 1.0 catalog, as its specification has them (ducklake.select, "Tables").

Those that a mirror leaves empty are made, too: whoever attaches it looks into them.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import TIMESTAMP, BigInteger, Boolean, Column, Index, MetaData, Table, Text, Uuid
from sqlalchemy.types import TypeEngine

_Kind: TypeAlias = TypeEngine[Any]

# DuckDB keeps in SQLite what that has no type for as its own tables have it there: a truth value as a number, a time
# and a UUID as text.
_LONG = BigInteger()
_TRUTH: _Kind = Boolean(create_constraint=False).with_variant(BigInteger(), "sqlite")
_TIME = TIMESTAMP(timezone=True).with_variant(Text(), "sqlite")
_UUID: _Kind = Uuid(as_uuid=False).with_variant(Text(), "sqlite")
_TEXT = Text()

metadata = MetaData()


def _table(name: str, *columns: tuple[str, _Kind], key: str = "") -> Table:
    made = (Column(column, kind, primary_key=column == key, autoincrement=False) for column, kind in columns)
    return Table(f"ducklake_{name}", metadata, *made)


def _longs(*names: str) -> tuple[tuple[str, _Kind], ...]:
    return tuple((name, _LONG) for name in names)


def _texts(*names: str) -> tuple[tuple[str, _Kind], ...]:
    return tuple((name, _TEXT) for name in names)


_LIFE = _longs("begin_snapshot", "end_snapshot")
_RELATIVE = ("path_is_relative", _TRUTH)
_SUMS = (*_longs("column_size_bytes", "value_count", "null_count"), *_texts("min_value", "max_value"))
_NAN = (("contains_nan", _TRUTH), ("extra_stats", _TEXT))

facts = _table("metadata", *_texts("key", "value", "scope"), ("scope_id", _LONG))
snapshot = _table(
    "snapshot", ("snapshot_id", _LONG), ("snapshot_time", _TIME),
    *_longs("schema_version", "next_catalog_id", "next_file_id"), key="snapshot_id",
)  # fmt: skip
snapshot_changes = _table(
    "snapshot_changes", ("snapshot_id", _LONG),
    *_texts("changes_made", "author", "commit_message", "commit_extra_info"), key="snapshot_id",
)  # fmt: skip
schema = _table(
    "schema", ("schema_id", _LONG), ("schema_uuid", _UUID), *_LIFE, *_texts("schema_name", "path"), _RELATIVE,
    key="schema_id",
)  # fmt: skip
table = _table(
    "table", ("table_id", _LONG), ("table_uuid", _UUID), *_LIFE, ("schema_id", _LONG),
    *_texts("table_name", "path"), _RELATIVE,
)  # fmt: skip
column = _table(
    "column", ("column_id", _LONG), *_LIFE, *_longs("table_id", "column_order"),
    *_texts("column_name", "column_type", "initial_default", "default_value"), ("nulls_allowed", _TRUTH),
    ("parent_column", _LONG), *_texts("default_value_type", "default_value_dialect"),
)  # fmt: skip
data_file = _table(
    "data_file", *_longs("data_file_id", "table_id"), *_LIFE, ("file_order", _LONG), ("path", _TEXT), _RELATIVE,
    ("file_format", _TEXT), *_longs("record_count", "file_size_bytes", "footer_size", "row_id_start", "partition_id"),
    ("encryption_key", _TEXT), *_longs("mapping_id", "partial_max"), key="data_file_id",
)  # fmt: skip
Index("tradex_data_file_path", data_file.c.path)  # ours: files end by their paths
file_column_stats = _table("file_column_stats", *_longs("data_file_id", "table_id", "column_id"), *_SUMS, *_NAN)
table_stats = _table("table_stats", *_longs("table_id", "record_count", "next_row_id", "file_size_bytes"))
column_mapping = _table("column_mapping", *_longs("mapping_id", "table_id"), ("type", _TEXT))
name_mapping = _table(
    "name_mapping", *_longs("mapping_id", "column_id"), ("source_name", _TEXT),
    *_longs("target_field_id", "parent_column"), ("is_partition", _TRUTH),
)  # fmt: skip
schema_versions = _table("schema_versions", *_longs("begin_snapshot", "schema_version", "table_id"))

# Those that stay empty.
_table("view", ("view_id", _LONG), ("view_uuid", _UUID), *_LIFE, ("schema_id", _LONG),
       *_texts("view_name", "dialect", "sql", "column_aliases"))  # fmt: skip
_table("tag", ("object_id", _LONG), *_LIFE, *_texts("key", "value"))
_table("column_tag", *_longs("table_id", "column_id"), *_LIFE, *_texts("key", "value"))
_table("file_variant_stats", *_longs("data_file_id", "table_id", "column_id"), *_texts("variant_path", "shredded_type"),
       *_SUMS, *_NAN)  # fmt: skip
_table("delete_file", *_longs("delete_file_id", "table_id"), *_LIFE, ("data_file_id", _LONG), ("path", _TEXT),
       _RELATIVE, ("format", _TEXT), *_longs("delete_count", "file_size_bytes", "footer_size"),
       ("encryption_key", _TEXT), ("partial_max", _LONG), key="delete_file_id")  # fmt: skip
_table("table_column_stats", *_longs("table_id", "column_id"), ("contains_null", _TRUTH), ("contains_nan", _TRUTH),
       *_texts("min_value", "max_value", "extra_stats"))  # fmt: skip
_table("partition_info", *_longs("partition_id", "table_id"), *_LIFE)
_table("partition_column", *_longs("partition_id", "table_id", "partition_key_index", "column_id"),
       ("transform", _TEXT))  # fmt: skip
_table("file_partition_value", *_longs("data_file_id", "table_id", "partition_key_index"), ("partition_value", _TEXT))
_table("files_scheduled_for_deletion", ("data_file_id", _LONG), ("path", _TEXT), _RELATIVE, ("schedule_start", _TIME))
_table("inlined_data_tables", ("table_id", _LONG), ("table_name", _TEXT), ("schema_version", _LONG))
_table("macro", *_longs("schema_id", "macro_id"), ("macro_name", _TEXT), *_LIFE)
_table("macro_impl", *_longs("macro_id", "impl_id"), *_texts("dialect", "sql", "type"))
_table("macro_parameters", *_longs("macro_id", "impl_id", "column_id"),
       *_texts("parameter_name", "parameter_type", "default_value", "default_value_type"))  # fmt: skip
_table("sort_info", *_longs("sort_id", "table_id"), *_LIFE)
_table("sort_expression", *_longs("sort_id", "table_id", "sort_key_index"),
       *_texts("expression", "dialect", "sort_direction", "null_order"))  # fmt: skip
