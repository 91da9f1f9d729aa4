"""Rows that are to be erased, or were: told by digests of their keys, found in files by SQL. No ledger here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import duckdb

from tradex_ledger.domain.erasing import SEPARATOR

RAW = "raw"
"""The column of lines that are no rows: what was delivered, as it was."""
_TABLE = "erased_keys"
_WORDS = "[A-Za-z0-9_-]+"
"""What a key may be in a line: whole words, so that no longer one is taken for it."""


@dataclass(frozen=True, slots=True)
class Erased:
    """Digests of keys that were erased, by the id of the ledger that they are of; none: all is as it was."""

    ledger: str = ""
    keys: frozenset[str] = field(default_factory=frozenset)

    def __bool__(self) -> bool:
        return bool(self.keys)

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Give a connection what `condition` reads: a table of the digests."""
        if self:
            connection.execute(
                f"create or replace temp table {_TABLE} as select unnest($1) as digest", [sorted(self.keys)]
            )

    def condition(self, key: str | None) -> str:
        """SQL that holds for rows whose `key` is among them; without a key, for lines that have one as a word."""
        salt = "'" + self.ledger.replace("'", "''") + f"' || chr({ord(SEPARATOR)}) || "
        if key is not None:
            return f'coalesce(sha256({salt} "{key}"::varchar) in (select digest from {_TABLE}), false)'
        words = f"list_transform(regexp_extract_all(\"{RAW}\", '{_WORDS}'), lambda word: sha256({salt} word))"
        return f"coalesce(list_has_any({words}, (select list(digest) from {_TABLE})), false)"


NOTHING_ERASED = Erased()


def key_in(columns: Collection[str], key: str) -> tuple[bool, str | None]:
    """Whether rows with such columns can be told by that key, and by which column; None: by the words of a line."""
    if key in columns:
        return True, key
    return RAW in columns, None


def texts_sql(columns: Sequence[tuple[str, str]], but: str) -> str:
    """SQL: all texts of a row in one, the key's own apart; columns are names with their types."""
    texts = [f'"{name}"' for name, kind in columns if kind == "VARCHAR" and name != but]
    return f"concat_ws(' ', {', '.join(texts)})" if texts else "''"
