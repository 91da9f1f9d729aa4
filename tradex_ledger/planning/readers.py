"""Who reads the datasets of Bronze, as the ledger has it: whoever reads files has no definitions at hand, or others."""

from __future__ import annotations

from functools import lru_cache

import duckdb

from tradex_ledger.datasets.header import HEADER, fields_of, read_by
from tradex_ledger.sources.registry import reader_of
from tradex_ledger.sources.source import Reader

_NEWEST = """
    select dataset, max_by(definition, logic_version)
    from definitions
    semi join (from datasets where layer = 'bronze') using (dataset)
    group by dataset
"""


def readers_of(connection: duckdb.DuckDBPyConnection) -> dict[str, Reader]:
    """The reader of each dataset of Bronze by its newest definition; `definitions` and `datasets` are there.

    Raises: `UnknownReaderError`.
    """
    return {dataset: _reader(text) for dataset, text in connection.execute(_NEWEST).fetchall()}


@lru_cache(maxsize=256)
def _reader(text: str) -> Reader:
    header = HEADER.search(text)
    said = fields_of(header) if header else {}
    return reader_of(read_by(said.get("source"), said.get("reader")) or "")
