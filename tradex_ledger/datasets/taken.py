"""Names that SQL and the engine have already: a dataset that is called so would be one thing here and another there.

They are written down, so that what may be called what hangs on no release of an engine; a test compares them with the
one at hand.
"""

from __future__ import annotations

import re

# Words of SQL that cannot stand for a table unless they are quoted, or mean something else there.
_WORDS = """
all analyse analyze and anti any array as asc asof asymmetric at authorization binary both by case cast check
collate collation column concurrently constraint create cross current_catalog current_date current_role
current_schema current_time current_timestamp current_user default deferrable desc describe distinct do else end
except false fetch for foreign freeze from full glob group having ilike in initially inner intersect into is isnull
join lambda lateral leading left like limit localtime localtimestamp natural not notnull null offset on only or
order outer overlaps pivot pivot_longer pivot_wider placing positional primary qualify references returning right
rowid select semi session_user show similar some summarize symmetric system_user table tablesample then to trailing
true union unique unpack unpivot user using variadic verbose when where window with
"""

# Functions that are tables.
_FUNCTIONS = """
add_grammar_extension arrow_scan arrow_scan_dumb checkpoint create_external_resource deregister_external_resource
destroy_external_resource disable_logging disable_profiling enable_logging enable_profiling force_checkpoint
generate_series glob histogram histogram_values icu_calendar_names json_each json_execute_serialized_sql json_tree
pandas_scan parquet_bloom_probe parquet_file_metadata parquet_full_metadata parquet_kv_metadata parquet_metadata
parquet_page_index parquet_scan parquet_schema python_arrow_scan python_map_function query query_table range
register_external_resource register_external_resource_type remove_grammar_extension repeat repeat_row seq_scan
sniff_csv summary test_all_types test_vector_types truncate_duckdb_logs unnest which_secret
"""

# Schemas and catalogs, and what is in those that every database has.
_CATALOG = """
character_sets check_constraints columns constraint_column_usage constraint_table_usage information_schema
key_column_usage main memory pg_catalog recurring referential_constraints schemata system table_constraints tables
temp views
"""

_TAKEN = frozenset(f"{_WORDS} {_FUNCTIONS} {_CATALOG}".split())
_FAMILIES = re.compile(r"(duckdb|pg|pragma|read|sqlite)_.*")


def is_taken(name: str) -> bool:
    """Whether SQL or the engine has the name."""
    return name in _TAKEN or _FAMILIES.fullmatch(name) is not None
