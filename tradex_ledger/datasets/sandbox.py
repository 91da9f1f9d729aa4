"""What runs a statement that somebody wrote: one SELECT, over the files that are listed for it and nothing else.

The engine holds both. But it lets a statement that writes overwrite a listed file; so nothing is run that its parser
has not held to one SELECT before.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import duckdb

from tradex_ledger.datasets.statement import NotOneSelectError, is_same_form, parsed_form
from tradex_ledger.errors import EnvironmentFault, TradexError
from tradex_ledger.paths import literal

DESCRIBE_MB = 1024
DESCRIBE_MINUTES = 1
HELD_MAX = 256
SPILL_TIMES = 64
"""How many times its memory a statement may spill to disk."""


# Statements with what they stand in, as the parser at hand has held them: what a text is does not change in a process.
_held: set[tuple[str, str, tuple[str, ...]]] = set()


class TookTooLongError(EnvironmentFault):
    """A statement was ended because it took longer than it may."""

    code = "too-long"

    def __init__(self, what: str, minutes: float, mend: str) -> None:
        super().__init__(f"{what} took longer than {minutes:g} minutes, and was ended", mend=mend)


@contextmanager
def in_time(connection: duckdb.DuckDBPyConnection, what: str, minutes: float, mend: str) -> Iterator[None]:
    """What runs on the connection in here ends in time. Raises `TookTooLongError`."""
    late = threading.Event()

    def end() -> None:
        late.set()
        with suppress(duckdb.Error):  # it has just been closed
            connection.interrupt()

    timer = threading.Timer(minutes * 60, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (duckdb.Error, OSError, RuntimeError, TradexError):
        # The engine says it in several ways: InterruptException, OSError in the middle of a stream.
        if late.is_set():
            raise TookTooLongError(what, minutes, mend) from None
        raise
    finally:
        timer.cancel()


def confine(
    connection: duckdb.DuckDBPyConnection,
    files: Iterable[str],
    *,
    memory: str = "",
    spill: str,
    keep: Iterable[str] = (),
) -> None:
    """From here on a connection reads those files and nothing else, and no setting can change but those to `keep`.

    `memory` and `spill` are DuckDB's own texts for sizes; what is spilled goes to the connection's own folder.
    """
    # A file is asked for by its pattern (lake/storage.py file_list), and found by its name: both have to be allowed.
    allowed = sorted({name for file in files for name in (file, literal(file))})
    if memory:
        connection.execute("set memory_limit = $1", [memory])
    connection.execute("set max_temp_directory_size = $1", [spill])
    connection.execute("set allowed_paths = $1::varchar[]", [allowed])
    connection.execute("set enable_external_access = false")
    connection.execute("set allowed_configs = $1::varchar[]", [sorted(keep)])
    connection.execute("set lock_configuration = true")


def spill_of(memory_mb: int) -> str:
    """How much may be spilled beside that memory."""
    return f"{memory_mb * SPILL_TIMES}MB"


def one_select(connection: duckdb.DuckDBPyConnection, text: str) -> Any:
    """The one SELECT that a text is, ready to be run: it, and not the text, is what runs.

    Raises `NotOneSelectError` before anything runs.
    """
    parsed_form(connection, text)
    return _extracted(connection, text)


def _extracted(connection: duckdb.DuckDBPyConnection, text: str) -> Any:
    statements = connection.extract_statements(text)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise NotOneSelectError("it is not one SELECT to all readers")
    return statements[0]


def select_within(connection: duckdb.DuckDBPyConnection, sql: str, order: str) -> Any:
    """A statement in the brackets of one that puts its rows into an order, ready to be run.

    By itself and within the brackets it has to be the very same, so that nothing in it can end them.
    Raises `NotOneSelectError` before anything runs.
    """
    return _holding(connection, sql, f"select * from (\n{sql}\n) order by {order}", "subquery", "node")


def description_of(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """What tells the columns of a statement without running it, likewise."""
    return _holding(connection, sql, f"describe {sql}", "query")


def check_within(connection: duckdb.DuckDBPyConnection, sql: str, text: str, *way: str) -> None:
    """Raise `NotOneSelectError` unless a statement is the very same by itself and within a larger one.

    `way` leads to it from what the larger one selects from, in its parsed form.
    """
    # A window's statement runs several times, and many windows have the same one: what was held once is held.
    if (sql, text, way) in _held:
        return
    alone = _node(parsed_form(connection, sql))
    found = _node(parsed_form(connection, text)).get("from_table")
    for step in way:
        found = (found or {}).get(step)
    if not is_same_form(found, alone):
        raise NotOneSelectError("it is another statement within a larger one than by itself")
    if len(_held) >= HELD_MAX:
        _held.clear()
    _held.add((sql, text, way))


def _holding(connection: duckdb.DuckDBPyConnection, sql: str, text: str, *way: str) -> Any:
    check_within(connection, sql, text, *way)  # which has parsed the text
    return _extracted(connection, text)


def _node(tree: Any) -> Any:
    return tree["statements"][0]["node"]
