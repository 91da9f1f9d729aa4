"""What a definition's logic is, beyond its spelling: recorded by a digest of our own, compared by its stored text.

What is recorded hangs on no engine: it is a digest over our own tokens (`tokens.py`). Whether a definition still has
the logic of a version is told by comparing the version's text with today's, both parsed by the engine at hand.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache

import duckdb

from tradex_ledger.datasets.column_types import is_type
from tradex_ledger.datasets.definition import Definition, DefinitionError, Pipeline, parse_definition
from tradex_ledger.datasets.gate import check_deterministic, check_kept, check_reads, check_types
from tradex_ledger.datasets.references import add_references
from tradex_ledger.datasets.sandbox import DESCRIBE_MB, DESCRIBE_MINUTES, confine, description_of, in_time, spill_of
from tradex_ledger.datasets.statement import NotOneSelectError, connect, is_same_form, parsed_form, quoted, shared
from tradex_ledger.datasets.tokens import SCHEME, tokens
from tradex_ledger.datasets.unchanged import Reference
from tradex_ledger.outside import Json
from tradex_ledger.sources.registry import reader_version

# What ends a name in quotes, or cannot be seen in one.
_ODD = re.compile(r'["\x00-\x1f\x7f]')


def fingerprint(definition: Definition) -> str:
    """SHA-256 (hex) of the logic: tokens, header, reference data and reader. Raises `DefinitionError`."""
    check_definition(definition)
    return _fingerprint(definition, reader_version(definition.read_by))


@cache
def _fingerprint(definition: Definition, reader: int | None) -> str:
    # Digests of before there was another reader than the source's own say nothing of it.
    header = {name: said for name, said in _header(definition).items() if said is not None or name != "read_by"}
    logic: dict[str, Json] = {
        **header,
        "reader": reader,
        "references": [[table, text] for table, text in definition.references],
        "scheme": SCHEME,
        "statement": list(tokens(definition.sql)),
    }
    # Nothing but ASCII, keys in order, no spaces: the same bytes from whatever writes JSON.
    canonical = json.dumps(logic, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


@cache
def check_definition(definition: Definition) -> None:
    """Raise `DefinitionError` unless the statement is one SELECT that may run here."""
    try:
        with shared() as connection:
            tree = parsed_form(connection, definition.sql)
    except ValueError as error:
        raise DefinitionError(definition.name, f"is not one SELECT statement: {error}") from None
    check_deterministic(definition.name, tree)
    check_reads(definition, tree)


def _header(definition: Definition) -> dict[str, Json]:
    reads = sorted(definition.reads, key=lambda read: (read.dataset, read.first, read.last))
    return {
        "columns": [[name, kind] for name, kind in definition.columns],
        "component": definition.component,
        "key": list(definition.key),
        "layer": definition.layer,
        "partition": definition.partition,
        "read_by": definition.reader,
        "reads": [[read.dataset, read.first, read.last] for read in reads],
        "source": definition.source,
    }


def difference(definition: Definition, text: str, references: tuple[Reference, ...]) -> str | None:
    """What is other in a definition than in a stored text with its reference data; None when it is the same logic.

    Both are read by the engine at hand; comments and spacing do not count. The same text needs no engine, and no more
    do the same tokens: they are the same logic whatever an engine would make of them.
    """
    if (definition.text, definition.references) == (text, references):
        return None
    return _difference(definition, text, references)


@cache
def _difference(definition: Definition, text: str, references: tuple[Reference, ...]) -> str | None:
    try:
        known = parse_definition(definition.name, text, {f"{name}.csv": csv_ for name, csv_ in references})
    except DefinitionError as error:
        return f"the text of that version cannot be read any more: {error.message}"
    before, after = _header(known), _header(definition)
    fields = [name for name in before if before[name] != after[name]]
    if fields:
        return f"its header says other {', '.join(fields)}"
    tables = sorted({t for t, _ in set(known.references) ^ set(definition.references)})
    if tables or known.references != definition.references:
        return f"its reference data is other: {', '.join(tables) or 'their order'}"
    if tokens(known.sql) == tokens(definition.sql):
        return None
    connection = connect()
    try:
        today = parsed_form(connection, definition.sql)
    except ValueError as error:
        raise DefinitionError(definition.name, f"is not one SELECT statement: {error}") from None
    try:
        same = is_same_form(parsed_form(connection, known.sql), today)
    except ValueError as error:
        return f"DuckDB {duckdb.__version__} cannot parse the text of that version, and today's is another: {error}"
    return None if same else "its statement is another"


def columns(
    definition: Definition,
    upstream: Mapping[str, list[tuple[str, str]]],
    connection: duckdb.DuckDBPyConnection | None = None,
) -> list[tuple[str, str]]:
    """The columns (name, DuckDB type) of a definition over empty inputs. Raises `DefinitionError`.

    A `connection` of `_bench` describes several, one after the other: nothing of the one is there for the next.
    """
    connection = connection or _bench()
    own = {definition.name: list(definition.columns)}
    try:
        for read in definition.reads:
            check_types(definition.name, {**upstream, **own}[read.dataset], read_from=read.dataset)
            create_empty(connection, read.dataset, {**upstream, **own}[read.dataset])
    except duckdb.OutOfMemoryException:
        raise  # that is no fault of the definition
    except duckdb.Error as error:
        raise DefinitionError(definition.name, f"states columns that cannot be: {str(error).splitlines()[0]}") from None
    connection.execute(f'create table partitions ("{definition.partition}" date)')
    add_references(connection, definition.references, dataset=definition.name)
    try:
        found = in_time(
            connection,
            f"describing {definition.name}",
            DESCRIBE_MINUTES,
            "write its statement more simply",
            lambda: connection.execute(description_of(connection, definition.sql)).fetchall(),
        )
    except NotOneSelectError as error:
        raise DefinitionError(definition.name, f"is not one SELECT statement: {error}") from None
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise DefinitionError(definition.name, f"cannot be run: {str(error).splitlines()[0]}") from None
    result = [(row[0], row[1]) for row in found]
    twice = next((name for name, count in Counter(name.lower() for name, _ in result).items() if count > 1), None)
    if twice is not None:
        raise DefinitionError(definition.name, f"gives its column {twice} twice")
    odd = next((name for name, _ in result if _ODD.search(name)), None)
    if odd is not None:
        raise DefinitionError(definition.name, f"gives a column {odd!r}, whose name has a quote or a control character")
    check_types(definition.name, result)
    check_kept(definition.name, result)
    _check_columns(definition, dict(result))
    if definition.columns and _described_by(connection, definition.name) != dict(result):
        stated = ", ".join(f'{name} = "{kind}"' for name, kind in result)
        raise DefinitionError(definition.name, "gives other columns than it states", f"state columns = {{ {stated} }}")
    for table in ("partitions", *(read.dataset for read in definition.reads), *(t for t, _ in definition.references)):
        connection.execute(f"drop table {quoted(table)}")
    return result


def _bench() -> duckdb.DuckDBPyConnection:
    """An engine in which definitions are described: it reads no file."""
    connection = connect()
    confine(connection, [], memory=f"{DESCRIBE_MB}MB", spill=spill_of(DESCRIBE_MB))
    return connection


def _described_by(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """The columns of a table, by the names that the engine at hand gives to types: people have their own."""
    return {row[0]: row[1] for row in connection.execute(f'describe "{table}"').fetchall()}


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
    """An empty table with those columns. Raises `DefinitionError` for what is no type."""
    odd = next(((column, kind) for column, kind in described if not is_type(kind)), None)
    if odd is not None:
        raise DefinitionError(name, f"has a column {odd[0]} of {odd[1]!r}, which is no type of a column")
    spec = ", ".join(f"{quoted(column)} {kind}" for column, kind in described)
    connection.execute(f"create table {quoted(name)} ({spec})")


def describe_all(pipeline: Pipeline) -> dict[str, list[tuple[str, str]]]:
    """The columns of every dataset of a pipeline. Raises `DefinitionError` for the first that is off."""
    return {name: list(found) for name, found in _described(tuple(pipeline.definitions.values()))}


@cache
def _described(definitions: tuple[Definition, ...]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Worked out once for each set of definitions, in one DuckDB: to open one takes longer than to describe."""
    found: dict[str, list[tuple[str, str]]] = {}
    bench = _bench()
    for definition in definitions:
        found[definition.name] = columns(definition, found, bench)
    return tuple((name, tuple(described)) for name, described in found.items())
