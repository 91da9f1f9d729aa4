"""Definitions and columns as the ledger has them on record, as of any position: what the files say today counts for
nothing here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import duckdb
import orjson

from tradex_ledger.datasets.definition import Definition, Pipeline, parse_definition
from tradex_ledger.datasets.unchanged import references_of
from tradex_ledger.relations.data import DEFINITIONS, LOGIC_VERSIONS
from tradex_ledger.relations.data import Definition as Stored
from tradex_ledger.views import add_projections

Columns = Mapping[str, list[tuple[str, str]]]
"""The columns (name, DuckDB type) of each dataset."""


@dataclass(frozen=True, slots=True)
class Then:
    """All datasets as of a position: the logic version that each had, its definition and its columns."""

    versions: Mapping[str, int]
    pipeline: Pipeline
    columns: Columns


@dataclass(frozen=True, slots=True)
class Past:
    """Every logic version of every dataset that is on record; `readers` by dataset and version, of Bronze alone."""

    stored: tuple[Stored, ...]
    readers: Mapping[tuple[str, int], int] = field(default_factory=dict)

    @staticmethod
    def read(connection: duckdb.DuckDBPyConnection) -> Past:
        """What a connection of `open_views` knows."""
        add_projections(connection, (DEFINITIONS.name, LOGIC_VERSIONS.name))
        found = LOGIC_VERSIONS.read(connection, "reader is not null")
        readers = {(one.dataset, one.logic_version): one.reader or 0 for one in found}
        return Past(tuple(DEFINITIONS.read(connection, "true order by position")), readers)

    def at(self, position: int) -> Then:
        """As of a position. Raises `DefinitionError`: by the rules of today, a text on record is none."""
        newest = {one.dataset: one for one in self.stored if one.position <= position}
        return Then(
            {name: one.logic_version for name, one in newest.items()},
            Pipeline("", {name: definition_of(one) for name, one in newest.items()}),
            {name: _columns(one.columns) for name, one in newest.items()},
        )

    def definition(self, dataset: str, version: int) -> Definition:
        """The definition of a version. Raises `DefinitionError`, as `at` does."""
        (found,) = (one for one in self.stored if (one.dataset, one.logic_version) == (dataset, version))
        return definition_of(found)

    def column_names(self, dataset: str, version: int) -> tuple[str, ...]:
        """The columns of a version."""
        (found,) = (one for one in self.stored if (one.dataset, one.logic_version) == (dataset, version))
        return tuple(name for name, _ in _columns(found.columns))


@lru_cache(maxsize=256)
def _parsed(dataset: str, text: str, references: str) -> Definition:
    facts: Iterable[Mapping[str, str]] = orjson.loads(references)
    return parse_definition(dataset, text, {f"{one.name}.csv": one.text for one in references_of(facts)})


def definition_of(stored: Stored) -> Definition:
    """A text on record as a definition. Raises `DefinitionError`."""
    return _parsed(stored.dataset, stored.definition, stored.references)


def _columns(text: str) -> list[tuple[str, str]]:
    return [_column(**one) for one in orjson.loads(text)]


def _column(name: str, type: str) -> tuple[str, str]:
    return name, type
