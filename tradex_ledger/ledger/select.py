"""The one door to a ledger that is read: who asks does not care which database answers.

A `Store` is a ledger in some database. A SQLite file is read as it is, by `SQLiteFile`: importing SQLAlchemy takes
longer than all that a command which only reads does. Any other database, and a ledger that is open for writing, is read
through SQLAlchemy, by `store.Database`. What is asked stands in `schema/ledger/reads.sql`.

To add a database: a module as `sqlite.py` is (what differs, and its faults in its own words), its line in
`dialects.MODULES`, its tables in `schema/ledger/NAME.sql`, its URL in `config.ledger_url`, and its line in
`tests/kit/stores.py`: the suites of the store run over it then. A reader of its own it needs only where SQLAlchemy is
too slow.
"""

from __future__ import annotations

import hashlib
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

from tradex_ledger import resources
from tradex_ledger.extras import load
from tradex_ledger.keyed import Caches, caches_of
from tradex_ledger.ledger.looking import DRIVER_ERRORS, Look, is_file, looked
from tradex_ledger.ledger.merkle import HASH_SIZE, TILE_WIDTH

# The format of a ledger that this release writes, and the last that it can read.
FORMAT = 1
_PREFIX = "sqlite:///"
POSTGRESQL = "postgresql://"
_FAILURES: tuple[type[Exception], ...] = (*DRIVER_ERRORS, OSError)
_NAMED = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_HINT = re.compile(r"/\*\+(.*?)\*/")

T = TypeVar("T")
Found: TypeAlias = list[tuple[Any, ...]]
"""The rows that a statement finds, as the driver has them."""
Value: TypeAlias = str | int | Sequence[str | int]


class Ask(Protocol):
    """Runs a statement with a `:name` for each of the values; a sequence stands for a list after `in`."""

    def __call__(self, statement: str, **values: Value) -> Found: ...


@dataclass(frozen=True, slots=True)
class Store(ABC):
    """A ledger that is read: its id, where this user's caches of it lie, and what it answers."""

    ledger: str
    caches: Caches

    @abstractmethod
    def ask(self, question: Callable[[Ask], T]) -> T:
        """What is found in one state of the database; it is asked again if that changed. Raises `StoreFault`."""

    @abstractmethod
    def has_table(self, name: str) -> bool:
        """Whether there is a table of that name: a ledger of an older release may lack some. Raises `StoreFault`."""

    def wait(self, seconds: float) -> None:
        """Wait that long, or until the database tells of an event that was appended since the last time, if it does."""
        time.sleep(seconds)

    def select(self, statement: str, **values: Value) -> Found:
        """The rows of one statement. Raises `StoreFault`."""
        return self.ask(lambda ask: ask(statement, **values))

    def position(self) -> int:
        """The position of the newest event; 0 when there is none."""
        return int(self.select(read("last_position"))[0][0])

    def leaves(self, first: int, last: int) -> bytes | None:
        """The leaves (32 bytes each) of the events first…last, from the tiles of the tree, which cost little to read;
        None where they are not all there.
        """
        begin, upto = (first - 1) // TILE_WIDTH, last // TILE_WIDTH
        found = self._tiles(0, begin, upto, last) if (first - 1) % TILE_WIDTH == 0 else []
        rest = first + len(found) * TILE_WIDTH
        if rest <= last:
            found += [leaf for (leaf,) in self.select(read("leaves"), first=rest, last=last)]
        hashes = b"".join(found)
        return hashes if len(hashes) == (last - first + 1) * HASH_SIZE else None

    def past(self, last: int) -> bytes | None:
        """A digest of the first events up to a position: none of them can be otherwise under the same one; None where
        the tree is not whole. Of the nodes over each 65,536 of them, and the leaves of the rest: the root of the tree
        (`tree.stored_tree`) would be made of many times the hashes.
        """
        above = TILE_WIDTH * TILE_WIDTH
        nodes = b"".join(self._tiles(1, 0, last // above, last))
        rest = last // above * above
        leaves = self.leaves(rest + 1, last) if rest < last else b""
        if leaves is None or len(nodes) * TILE_WIDTH != rest * HASH_SIZE:
            return None
        return hashlib.sha256(nodes + leaves).digest()

    def _tiles(self, level: int, begin: int, upto: int, last: int) -> list[bytes]:
        found = self.select(read("tiles"), level=level, begin=begin, upto=upto, last=last) if begin < upto else []
        return [bytes(hashes) for (hashes,) in found]


@dataclass(frozen=True, slots=True)
class SQLiteFile(Store):
    """A ledger in a SQLite file, read as it is."""

    path: Path

    def ask(self, question: Callable[[Ask], T]) -> T:
        try:
            return _looked(self.path, question)
        except _FAILURES:
            # The engine meets the same, and has the words for it.
            from tradex_ledger.ledger.store import Database, open_engine

            return Database(self.ledger, self.caches, open_engine(self.url, reading=True)).ask(question)

    def has_table(self, name: str) -> bool:
        return bool(self.select("select 1 from sqlite_master where name = :name", name=name))

    @property
    def url(self) -> str:
        """The file as SQLAlchemy names it."""
        return f"{_PREFIX}{self.path}"


def sqlite_path(url: str) -> Path | None:
    """The file that a URL names, all that follows `sqlite:///` as it is; None for another kind of URL."""
    name = url.removeprefix(_PREFIX)
    return Path(name) if name not in (url, "", ":memory:") else None


def open_store(url: str, workspace: Path | None = None) -> Store:
    """The ledger at a URL, for reading; without the folder of its workspace it has no caches.

    Raises: `NoLedgerError`, `FormatTooNewError`, `UnknownDatabaseError`, `StoreFault`.
    """
    path = sqlite_path(url)
    if path is not None:
        with suppress(*_FAILURES):
            found = _looked(path, lambda ask: ask(read("identity"))) if is_file(path) else []
            if len(found) == 1 and found[0][1] == FORMAT:
                ledger = str(found[0][0])
                return SQLiteFile(ledger, caches_of(workspace, ledger), path)
    if url.startswith(POSTGRESQL):
        module = load("tradex_ledger.ledger.postgresql_read", "a ledger in postgresql", "postgres")
        reader: Store | None = module.open_reader(url, workspace)
        if reader is not None:
            return reader
    from tradex_ledger.ledger.store import database, open_engine

    return database(open_engine(url, reading=True), workspace)  # it says what is wrong


@cache
def read(name: str) -> str:
    """A statement of `schema/ledger/reads.sql`."""
    return _statements()[name]


@cache
def _statements() -> dict[str, str]:
    _, *parts = _NAMED.split(resources.read_text("schema", "ledger", "reads.sql"))
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


def hinted(statement: str) -> str:
    """A statement as SQLite is given it, its hints said."""
    return _HINT.sub(r"\1", statement)


def unhinted(statement: str) -> str:
    """A statement as other databases are given it."""
    return _HINT.sub("", statement)


def spread(statement: str, values: dict[str, Value]) -> tuple[str, dict[str, str | int]]:
    """A statement, and its values, in which a list is so many names: drivers bind no lists."""
    single: dict[str, str | int] = {}
    for name, value in values.items():
        if isinstance(value, str | int):
            single[name] = value
            continue
        each: dict[str, str | int] = {f"{name}_{n}": one for n, one in enumerate(value)}
        statement = re.sub(rf":{name}\b", f"({', '.join(f':{one}' for one in each) or 'null'})", statement)
        single |= each
    return statement, single


def _looked(path: Path, question: Callable[[Ask], T]) -> T:
    def find(connection: Look) -> T:
        def ask(statement: str, **values: Value) -> Found:
            return connection.execute(*spread(hinted(statement), values)).fetchall()

        return question(ask)

    return looked(path, find)
