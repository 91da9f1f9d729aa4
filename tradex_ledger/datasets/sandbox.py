"""What runs a statement that somebody wrote: one SELECT, over the files that are listed for it and nothing else.

The engine holds both. But it lets a statement that writes overwrite a listed file; so nothing is run that its parser
has not held to one SELECT before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Generic, TypeVar

import duckdb

from tradex_ledger.datasets.statement import Node, NotOneSelectError, inner, is_same_form, parsed_form
from tradex_ledger.datasets.too_long import TookTooLongError
from tradex_ledger.errors import TradexError
from tradex_ledger.paths import literal

T = TypeVar("T")

DESCRIBE_MB = 1024
DESCRIBE_MINUTES = 1
HELD_MAX = 256
GRACE_S = 5.0
GRACE_INTERRUPTED_S = 0.5
"""How long the engine has to end, once it was told to: after its time, or when who waits was interrupted."""
_AGAIN_S = 0.1
STACK_BYTES = 32 << 20
"""For the recursion of the engine's parser and binder: what a thread has by itself depends on the user's limits."""
SPILL_TIMES = 64
"""How many times its memory a statement may spill to disk."""


# Statements with what they stand in, as the parser at hand has held them: what a text is does not change in a process.
_held: set[tuple[str, str, tuple[str, ...]]] = set()


# What has not heard that it should end, by its connection: closing one would wait for it.
_deaf: dict[int, threading.Event] = {}


def is_left_behind() -> bool:
    """Whether the engine is still at work in this process on something that nobody waits for any more."""
    return any(not over.is_set() for over in _deaf.values())


def close(connection: duckdb.DuckDBPyConnection) -> None:
    """Close a connection, unless that would wait for what `in_time` has given up."""
    over = _deaf.get(id(connection))
    if over is None or over.is_set():
        connection.close()


class _Outcome(Generic[T]):
    """What came of a piece of work: a result, or whatever it raised, for who waits to raise it again."""

    def __init__(self) -> None:
        self.results: list[T] = []
        self.error: BaseException | None = None
        self.over = threading.Event()  # a thread whose `join` was interrupted counts as ended in Python 3.11

    def __enter__(self) -> _Outcome[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.error = error
        self.over.set()
        return True


def in_time(connection: duckdb.DuckDBPyConnection, what: str, minutes: float, mend: str, work: Callable[[], T]) -> T:
    """Do what works with a connection, in time. Raises `TookTooLongError`, and what `work` raises.

    Between two pieces of rows the engine hears that it should end; within one value (`list_sort` of millions, say) it
    does not. So it works in a thread of its own, which is left behind when it has not ended `GRACE_S` later. An
    interruption (Ctrl-C) of who waits ends it likewise.
    """
    outcome = _Outcome[T]()

    def run() -> None:
        with outcome:
            outcome.results.append(work())

    is_late = False
    try:
        _start(run)
        if not outcome.over.wait(minutes * 60):
            is_late = True
            _end(connection, outcome.over, GRACE_S)
    except RuntimeError:  # there is no room for a thread
        raise
    except BaseException:
        _end(connection, outcome.over, GRACE_INTERRUPTED_S)
        raise
    if outcome.results:
        return outcome.results[0]
    error = outcome.error
    # The engine says that it was ended in several ways: InterruptException, OSError in the middle of a stream.
    if is_late and isinstance(error, duckdb.Error | OSError | RuntimeError | TradexError | None):
        raise TookTooLongError(what, minutes, mend, goes_on=error is None) from None
    assert error is not None
    raise error


def _start(run: Callable[[], None]) -> None:
    before = threading.stack_size(STACK_BYTES)
    try:
        threading.Thread(target=run, name="engine", daemon=True).start()
    finally:
        threading.stack_size(before)


def _end(connection: duckdb.DuckDBPyConnection, over: threading.Event, seconds: float) -> None:
    """Tell the engine to end, and wait a while; what is deaf is remembered, and let live with its connection."""
    _deaf[id(connection)] = over
    # More than once: between two statements nobody hears it.
    for _ in range(round(seconds / _AGAIN_S)):
        with suppress(duckdb.Error):  # it has just been closed
            connection.interrupt()
        if over.wait(_AGAIN_S):
            del _deaf[id(connection)]
            return


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


def one_select(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.Statement:
    """The one SELECT that a text is, ready to be run: it, and not the text, is what runs.

    Raises `NotOneSelectError` before anything runs.
    """
    parsed_form(connection, text)
    return _extracted(connection, text)


def _extracted(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.Statement:
    statements = connection.extract_statements(text)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise NotOneSelectError("it is not one SELECT to all readers")
    return statements[0]


def select_within(connection: duckdb.DuckDBPyConnection, sql: str, order: str) -> duckdb.Statement:
    """A statement in the brackets of one that puts its rows into an order, ready to be run.

    By itself and within the brackets it has to be the very same, so that nothing in it can end them.
    Raises `NotOneSelectError` before anything runs.
    """
    return _holding(connection, sql, f"select * from (\n{sql}\n) order by {order}", "subquery", "node")


def description_of(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """What tells the columns of a statement without running it, likewise."""
    return _holding(connection, sql, f"describe {sql}\n", "query")


def check_within(connection: duckdb.DuckDBPyConnection, sql: str, text: str, *way: str) -> None:
    """Raise `NotOneSelectError` unless a statement is the very same by itself and within a larger one.

    `way` leads to it from what the larger one selects from, in its parsed form.
    """
    # A window's statement runs several times, and many windows have the same one: what was held once is held.
    if (sql, text, way) in _held:
        return
    alone = _node(parsed_form(connection, sql))
    found = inner(_node(parsed_form(connection, text)), "from_table")
    for step in way:
        found = inner(found, step)
    if not alone or not is_same_form(found, alone):
        raise NotOneSelectError("it is another statement within a larger one than by itself")
    if len(_held) >= HELD_MAX:
        _held.clear()
    _held.add((sql, text, way))


def _holding(connection: duckdb.DuckDBPyConnection, sql: str, text: str, *way: str) -> duckdb.Statement:
    check_within(connection, sql, text, *way)  # which has parsed the text
    return _extracted(connection, text)


def _node(tree: Node) -> Node:
    return inner(tree, "node")
