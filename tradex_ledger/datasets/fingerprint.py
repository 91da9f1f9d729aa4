"""What a definition's logic is, beyond its spelling: its parsed form, digested and checked.

DuckDB's `json_serialize_sql` gives the parsed form and refuses whatever is not a SELECT. Positions in the text
(`query_location…`) are stripped, so comments and spacing do not count.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Mapping
from functools import cache

import duckdb
import orjson
import pyarrow as pa

from tradex_ledger.datasets.definition import Definition, DefinitionError, Pipeline
from tradex_ledger.datasets.gate import check_deterministic, check_reads, check_types
from tradex_ledger.datasets.statement import connect, parsed_form


@cache
def fingerprint(definition: Definition) -> str:
    """SHA-256 (hex) of the logic: parsed form, header and reference data. Raises `DefinitionError`."""
    try:
        tree = parsed_form(connect(), definition.sql)
    except ValueError as error:
        raise DefinitionError(definition.name, f"is not one SELECT statement: {error}") from None
    check_deterministic(definition.name, tree)
    check_reads(definition, tree)
    logic = {
        "component": definition.component,
        "key": list(definition.key),
        "layer": definition.layer,
        "partition": definition.partition,
        "reads": sorted([read.dataset, read.first, read.last] for read in definition.reads),
        "references": [[table, text] for table, text in definition.references],
        "source": definition.source,
        "statement": tree,
    }
    return hashlib.sha256(orjson.dumps(logic, option=orjson.OPT_SORT_KEYS)).hexdigest()


def add_references(connection: duckdb.DuckDBPyConnection, references: tuple[tuple[str, str], ...]) -> None:
    """Make each reference CSV a table of text columns, rows in file order."""
    for table, text in references:
        rows = list(csv.DictReader(io.StringIO(text)))
        names = list(rows[0]) if rows else ["value"]
        data = pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in names})
        connection.register(f"__{table}", data)
        connection.execute(f'create table "{table}" as from "__{table}"')
        connection.unregister(f"__{table}")


def columns(definition: Definition, upstream: Mapping[str, list[tuple[str, str]]]) -> list[tuple[str, str]]:
    """The columns (name, DuckDB type) of a definition over empty inputs. Raises `DefinitionError`."""
    connection = connect()
    own = {definition.name: list(definition.columns)}
    try:
        for read in definition.reads:
            check_types(definition.name, {**upstream, **own}[read.dataset], read_from=read.dataset)
            create_empty(connection, read.dataset, {**upstream, **own}[read.dataset])
    except duckdb.Error as error:
        raise DefinitionError(definition.name, f"states columns that cannot be: {str(error).splitlines()[0]}") from None
    connection.execute(f'create table partitions ("{definition.partition}" date)')
    add_references(connection, definition.references)
    try:
        found = connection.execute(f"describe {definition.sql}").fetchall()
    except duckdb.Error as error:
        raise DefinitionError(definition.name, f"cannot be run: {str(error).splitlines()[0]}") from None
    result = [(row[0], row[1]) for row in found]
    twice = next((name for name, count in Counter(name.lower() for name, _ in result).items() if count > 1), None)
    if twice is not None:
        raise DefinitionError(definition.name, f"gives its column {twice} twice")
    check_types(definition.name, result)
    _check_columns(definition, dict(result))
    if definition.columns and dict(definition.columns) != dict(result):
        stated = ", ".join(f'{name} = "{kind}"' for name, kind in result)
        raise DefinitionError(definition.name, "gives other columns than it states", f"state columns = {{ {stated} }}")
    return result


def _check_columns(definition: Definition, found: dict[str, str]) -> None:
    if found.get(definition.partition) != "DATE":
        raise DefinitionError(
            definition.name,
            f"must give its partition column {definition.partition!r} as DATE, "
            f"not {found.get(definition.partition, 'nothing')}",
        )
    missing = [name for name in definition.key if name not in found]
    if missing:
        raise DefinitionError(definition.name, f"does not give its key columns {', '.join(missing)}")


def create_empty(connection: duckdb.DuckDBPyConnection, name: str, described: list[tuple[str, str]]) -> None:
    """An empty table with those columns."""
    spec = ", ".join(f'"{column}" {kind}' for column, kind in described)
    connection.execute(f'create table "{name}" ({spec})')


def describe_all(pipeline: Pipeline) -> dict[str, list[tuple[str, str]]]:
    """The columns of every dataset of a pipeline. Raises `DefinitionError` for the first that is off."""
    return {name: list(found) for name, found in _described(tuple(pipeline.definitions.values()))}


@cache
def _described(definitions: tuple[Definition, ...]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Worked out once for each set of definitions: a DuckDB a dataset takes longer than all else in a small run."""
    found: dict[str, list[tuple[str, str]]] = {}
    for definition in definitions:
        found[definition.name] = columns(definition, found)
    return tuple((name, tuple(described)) for name, described in found.items())
