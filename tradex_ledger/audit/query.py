"""SQL over datasets and projections as tables, as of any position; read-only, and nothing else in reach."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import TypedDict

import duckdb

from tradex_ledger.audit.answer import Answer, Rows, Then
from tradex_ledger.audit.dated import MOST, Dated, dated, quoted_where_dated
from tradex_ledger.audit.tables import ErasedFileError, LostFileError, PrunedFileError, Tables
from tradex_ledger.audit.values import bare, values_of
from tradex_ledger.datasets.sandbox import close, confine, in_time
from tradex_ledger.datasets.scope import fold, free_tables, is_elsewhere
from tradex_ledger.datasets.statement import Node, NotOneSelectError, nodes, parsed_form, quoted
from tradex_ledger.errors import TradexError, UsageError
from tradex_ledger.lake.known import ERASED
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import LakeFileError, translate
from tradex_ledger.lake.verified import Reading
from tradex_ledger.ledger.ask import has_stream, has_topic
from tradex_ledger.ledger.named import find_run
from tradex_ledger.ledger.select import Store
from tradex_ledger.paths import readable
from tradex_ledger.relations.asked import pruned_paths
from tradex_ledger.relations.data import (
    ERASED_FILES,
    LOGIC_VERSIONS,
    LOST_FILES,
    PARTITIONS,
    PRUNED_FILES,
    ErasedFile,
)
from tradex_ledger.views import (
    Asked,
    AsOf,
    add_events,
    add_projections,
    beside,
    files_of,
    open_views,
    projected,
    resolve,
    shared_views,
    views_beside,
)
from tradex_ledger.views.projected import EVENTS

_TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
_HOME = frozenset({"main"})
MEMORY = "50%"
SPILL = "64GB"
MINUTES = 60
"""What one answer may take of this machine: of its memory, of the disk when that is not enough, and of its time."""


class QueryError(UsageError):
    """The statement cannot be answered."""

    code = "query"


class QueryOptions(TypedDict, total=False):
    """How a query is answered, see `query`."""

    as_of: Asked
    candidate: str | None
    trusting: bool
    minutes: float


def query(
    store: Store,
    lake: Lake,
    sql: str,
    *,
    as_of: Asked = None,
    candidate: str | None = None,
    trusting: bool = False,
    minutes: float = MINUTES,
) -> Answer:
    """Answer one SELECT. Datasets are tables by their names (`gold_signals`, or `gold_signals_v1` for one version),
    beside every projection and `events`; with a position, a day, a time or a run behind an @ as they were then
    (`gold_signals@341`), else as of `as_of`. With `candidate`, as they (those without an @) would be if that run were
    published; `trusting`, the digests of the files are not looked at.

    Raises: `QueryError`, `UnknownTableError`, `LakeFileError` when a file that is needed is not as it was,
    `PrunedFileError` when it was given up, `TookTooLongError` after so many minutes.
    """
    if readable(sql) != sql:
        raise QueryError(f"the statement is not UTF-8: {readable(sql)}", mend="write it in UTF-8")
    position = resolve(store, as_of)
    connection = open_views(store, position)
    with ExitStack() as opened:
        opened.callback(close, connection)
        sql, tree = _parsed(connection, sql)
        asked = dated(_tables(tree))
        reading, erased = Reading(lake, trusting=trusting), erased_by_now(store)
        now = Tables(connection, reading, _candidate(store, candidate), erased=erased)
        try:
            files = _lay(store, now, {one.table for one in asked if one.as_of is None})
            others = _then(store, asked)
            for at, those in others.items():
                then = Tables(opened.enter_context(views_beside(connection, store, at)), reading, erased=erased)
                files += _lay(store, then, {one.table for one in those})
                for one in those:
                    connection.execute(f"create view {quoted(one.name)} as from {beside(at)}.{quoted(one.table)}")
                now.warnings += [f"as of position {at.position}: {text}" for text in then.warnings]
            confine(connection, files, memory=MEMORY, spill=SPILL)
            mend = "ask for less, or give it longer: --minutes"
            columns, types, found = in_time(connection, "the query", minutes, mend, lambda: values_of(connection, sql))
            reading.close()
            told = [Then(one.name, at.position, at.at) for at, those in others.items() for one in those]
            return Answer(columns, Rows(found), position, now.warnings + reading.warnings, types, told)
        except LakeFileError as error:
            raise pruned_or(store, error) from None
        except duckdb.IOException as error:
            raise translate(error, "reading the lake") from None
        except duckdb.OutOfMemoryException:
            raise  # the statement is right; the machine is too small for it
        except duckdb.Error as error:
            said = " ".join(str(error).partition("\n\nLINE ")[0].split())  # without a picture of where: it has lines
            raise QueryError(said, mend='see the columns: tradex query "describe TABLE"') from None


def _parsed(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[str, Node]:
    """The statement that runs, and so is looked at, and its parsed form."""
    try:
        sql = quoted_where_dated(sql)
        parsed_form(connection, sql)
        sql = bare(sql)
        return sql, parsed_form(connection, sql)
    except NotOneSelectError as error:
        raise QueryError(
            f"that is not one SELECT: {error}", mend='for example: tradex query "select * from runs"'
        ) from None


def _then(store: Store, asked: Iterable[Dated]) -> dict[AsOf, list[Dated]]:
    """The tables that are meant as of other positions, by those. Raises: `QueryError` for too many of them."""
    found: dict[AsOf, list[Dated]] = {}
    for one in asked:
        if one.as_of is not None:
            found.setdefault(resolve(store, one.as_of, by_file=False), []).append(one)
    if len(found) > MOST:
        raise QueryError(
            f"the statement is as of {len(found)} positions, and {MOST} are the most", mend="ask in several statements"
        )
    return found


def _lay(store: Store, tables: Tables, asked: set[str]) -> list[str]:
    """Have the tables that are asked for in a connection; returns the files that are read with them."""
    connection = tables.connection
    projections = (asked & set(projected.names())) - {EVENTS}
    add_projections(connection, sorted(projections))
    tables.warnings += _twofold(store, connection, projections)
    tables.add(asked - projections - {EVENTS})
    if EVENTS in asked:
        add_events(connection)
    return tables.listed + files_of(connection)


def _twofold(store: Store, connection: duckdb.DuckDBPyConnection, projections: Iterable[str]) -> list[str]:
    """Warnings of projections that are called as datasets of an older release, which had no such projection.

    Raises: `QueryError` for one whose dataset is not given up: it must not get another answer than before in silence.
    """
    warnings = []
    for name in sorted(name for name in projections if has_stream(store, f"dataset-{name}")):
        for row in LOGIC_VERSIONS.read(connection, "dataset = ? and is_read", name):
            number = row.logic_version
            if not row.is_deprecated:
                raise QueryError(
                    f"{name} is a dataset here, and a table of the ledger's own by this release",
                    mend=f"read the dataset as {name}_v{number}; the other one can be read once the dataset has "
                    f"another name, and this one is given up: tradex dataset deprecate {name} {number} --reason …",
                )
            warnings.append(f"{name} is a table of the ledger's own; the dataset of that name is {name}_v{number}")
    return warnings


def _candidate(store: Store, prefix: str | None) -> str | None:
    return None if prefix is None else find_run(store, prefix)


def erased_by_now(store: Store) -> dict[str, ErasedFile]:
    """Files of which rows were erased, whenever that was."""
    if not has_topic(store, ERASED):
        return {}
    with shared_views(store, resolve(store, None), ERASED_FILES.name) as connection:
        return {file.path: file for file in ERASED_FILES.read(connection)}


def pruned_or(store: Store, error: LakeFileError) -> TradexError:
    """Why a file is not there: the event that gave it up, however old the question; else the fault itself."""
    with shared_views(store, resolve(store, None)) as connection:
        for erased in ERASED_FILES.read(connection, "path = ?", error.path):
            return ErasedFileError(erased)
        for pruned in PRUNED_FILES.read(connection, "path = ?", error.path):
            readable_ = _readable(connection, pruned.dataset)
            return PrunedFileError(error.path, pruned.position, pruned.by, readable_)
        for lost in LOST_FILES.read(connection, "path = ? order by position", error.path):
            return LostFileError(lost)
        return error


def _readable(connection: duckdb.DuckDBPyConnection, dataset: str) -> list[str]:
    """The tables of a dataset none of whose files was given up: the one that readers get, and named versions."""
    gone = pruned_paths(connection, dataset)
    parts = PARTITIONS.read(connection, "dataset = ?", dataset)
    found = []
    for version in LOGIC_VERSIONS.read(connection, "dataset = ? order by logic_version desc", dataset):
        number, sided = version.logic_version, version.component is not None
        files = [row.files or () for row in parts if not sided or row.logic_version == number]
        if files and not any(file["path"] in gone for some in files for file in some):
            found += [dataset] if version.is_read else []
            found += [f"{dataset}_v{number}"] if sided else []
    return found


def _tables(tree: Node) -> list[str]:
    """The tables that a statement names. Raises `QueryError` for what could read elsewhere: other table functions than
    series, other schemas.
    """
    for node in nodes(tree):
        function = node.get("function") if node.get("type") == "TABLE_FUNCTION" else None
        name = fold(function.get("function_name", "")) if isinstance(function, dict) else None
        if name is not None and name not in _TABLE_FUNCTIONS:
            raise QueryError(f"{name}() is not to be had in a query", mend="read datasets and projections by name")
    found: dict[str, str] = {}
    for table in free_tables(tree):
        if is_elsewhere(table, _HOME):
            raise QueryError(
                f"{table.get('table_name')} is asked for in another schema than main",
                mend="read datasets and projections by name",
            )
        name, mark, as_of = str(table.get("table_name")).rpartition("@")
        said = f"{fold(name)}@{as_of}" if mark else fold(as_of)  # the zone of a time is a capital letter
        found.setdefault(fold(said), said)
    return list(found.values())
