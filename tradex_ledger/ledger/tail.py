"""The newest events, held in typed columns for as long as this process lives: who asks again adds what was appended.

What is held is bound to the leaves of its events, all of them, as the Merkle tree of the ledger at hand has them. A
ledger that was put in its place, or whose past is another, has others, and is read from the beginning. There is one
table, with fewer events than a segment has: memory has a bound. Who asks as of a position in it sees no further; who
asks as of before it reads the ledger.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from threading import Lock

import duckdb

from tradex_ledger.datasets.statement import LASTING, engine
from tradex_ledger.ledger import segments
from tradex_ledger.ledger.merkle import HASH_SIZE
from tradex_ledger.ledger.rows import Row
from tradex_ledger.ledger.segments import Segments
from tradex_ledger.ledger.select import Store
from tradex_ledger.ledger.typed import RECIPE, put_pieces, rows_of, typed

_ALL: frozenset[str] = frozenset()
_numbers = count(1)
_lock = Lock()


@dataclass(slots=True)
class _Table:
    """Events of a ledger above a position up to another, of some topics or `_ALL`; `leaves` is a digest of all theirs.

    `users` read it: it does not go before they are done.
    """

    name: str
    engine: duckdb.DuckDBPyConnection
    ledger: str
    above: int
    upto: int
    topics: frozenset[str]
    leaves: bytes = b""
    is_made: bool = False
    users: int = 0

    def is_of(self, store: Store, above: int, leaves: bytes) -> bool:
        """Whether it is of those leaves, which begin above a position, and DuckDB still has it."""
        here = (self.ledger, self.above) == (store.ledger, above) and self.engine is engine()
        return here and self.leaves == _digest(leaves[: (self.upto - above) * HASH_SIZE])


@dataclass(slots=True)
class _Held:
    """The table that is held; those that were, or are half made, and go when nobody reads them."""

    table: _Table | None = None
    before: list[_Table] = field(default_factory=list)

    def let_go(self, table: _Table) -> None:
        """Hold none: who changes a table holds it again when that is done, so that nobody believes half of it."""
        self.before += [one for one in (self.table, table) if one is not None]
        self.table = None

    def hold(self, table: _Table) -> None:
        """Hold a table."""
        self.before = [one for one in self.before if one is not table]
        self.table = table


_held = _Held()
_done: deque[_Table] = deque()
"""Tables, once for each who has read them and is done."""


@dataclass(frozen=True, slots=True)
class Use:
    """Who reads what is held through a connection of `statement.shared`; it stays there until the end of `held`."""

    connection: duckdb.DuckDBPyConnection
    tables: list[_Table] = field(default_factory=list)

    def table(self, store: Store, above: int, upto: int, topics: Sequence[str]) -> str | None:
        """The name of a table with the events of a ledger above…upto, of some topics (none: of all), and with others.

        None where these are not held: they are too many, or older. Raises: `BrokenLedgerError`.
        """
        if not above < upto < above + segments.EVENTS or store.position() >= above + segments.EVENTS:
            return None
        with _lock:
            _let_go(self.connection)
            table = _brought_up(self.connection, store, above, upto, frozenset(topics))
            if table is not None:
                table.users += 1
                self.tables.append(table)
        return table.name if table is not None else None


@contextmanager
def held(connection: duckdb.DuckDBPyConnection) -> Iterator[Use]:
    """Read what this process holds, through a connection of `statement.shared`."""
    use = Use(connection)
    try:
        yield use
    finally:
        _done.extend(use.tables)
        # Never waited for: what nobody closed ends here when it is collected as garbage, in whichever thread, and that
        # may be the one that holds the lock. Who holds it next lets go of what is done.
        if _lock.acquire(blocking=False):
            try:
                _let_go(connection)
            finally:
                _lock.release()


def _let_go(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop the tables of before that nobody reads any more."""
    while _done:
        _done.popleft().users -= 1
    unused = [table for table in _held.before if not table.users]
    _held.before = [table for table in _held.before if table.users]
    for old in unused:
        with suppress(duckdb.Error):  # a fatal one: nothing answers any more
            connection.execute(f"drop table if exists {old.name}")


def _brought_up(
    connection: duckdb.DuckDBPyConnection, store: Store, above: int, upto: int, topics: frozenset[str]
) -> _Table | None:
    table, last = _held.table, upto
    if table is not None and table.ledger == store.ledger:
        if above < table.above and table.upto <= store.position():
            return None  # as of before
        last = max(upto, table.upto) if above == table.above else upto
    leaves = store.leaves(above + 1, last)
    if table is None or leaves is None or not table.is_of(store, above, leaves):
        leaves = store.leaves(above + 1, upto)
        table = _Table(f"{LASTING}.tail_{next(_numbers)}", engine(), store.ledger, above, above, topics)
    if leaves is None:
        return None
    _held.let_go(table)
    if not _grown(connection, store, table, leaves, upto, topics):
        return None
    _held.hold(table)
    return table


def _grown(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    table: _Table,
    leaves: bytes,
    upto: int,
    topics: frozenset[str],
) -> bool:
    """Add what is asked for and not there; False where the tree is not over those events: who verifies tells."""
    if table.upto > table.above and table.topics != _ALL and not (topics and topics <= table.topics):
        found = rows_of(store, table.above + 1, table.upto, tuple(topics - table.topics))
        if not _put(connection, table, [row for row in found if row[3] not in table.topics], leaves):
            return False
        table.topics = table.topics | topics if topics else _ALL
    if upto > table.upto:
        begin = table.upto + 1
        if not table.is_made:
            begin = put_pieces(connection, Segments(store, RECIPE), table.name, begin, upto, table.topics)
            table.is_made = begin > table.upto + 1
        if begin <= upto and not _put(connection, table, rows_of(store, begin, upto, tuple(table.topics)), leaves):
            return False
        table.upto, table.leaves = upto, _digest(leaves)
    return True


def _put(connection: duckdb.DuckDBPyConnection, table: _Table, rows: Iterable[Row], leaves: bytes) -> bool:
    """Add events, each of which has its leaf among those; False where one has not."""
    entries = []
    for row in rows:
        at = (row[0] - table.above - 1) * HASH_SIZE
        if row[5] != leaves[at : at + HASH_SIZE]:
            return False
        entries.append(row[-1])
    # The first with the table itself: to plan it costs most.
    typed(connection, f"insert into {table.name}" if table.is_made else f"create table {table.name} as", entries)
    table.is_made = True
    return True


def _digest(leaves: bytes) -> bytes:
    return hashlib.sha256(leaves).digest()
