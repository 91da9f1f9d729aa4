"""The databases that a ledger can live in: what is asked of a store is asked of every one in the list."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from sqlalchemy import Engine

from tests.kit.postgres import SERVER, Server, fresh, server
from tradex_ledger.ledger.store import create_store, open_engine

LEDGER = "ld-test"
START = datetime(2026, 1, 10, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of database: `fresh` gives the URL of an empty one, in a folder of the test's own, and takes it away."""

    name: str
    fresh: Callable[[Path], AbstractContextManager[str]]


@contextmanager
def _sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'ledger.db'}"


@cache
def _server(version: str) -> Server:
    """One server a process, until it ends."""
    started = server(version)
    made = started.__enter__()
    atexit.register(started.__exit__, None, None, None)
    return made


@contextmanager
def _postgres_18(_folder: Path) -> Iterator[str]:
    with fresh(os.environ.get(SERVER) or _server("18").url()) as url:
        yield url


@contextmanager
def _postgres_16(_folder: Path) -> Iterator[str]:
    with fresh(_server("16").url()) as url:
        yield url


POSTGRES = (Kind("postgresql-18", _postgres_18), Kind("postgresql-16", _postgres_16))
STORES = (Kind("sqlite", _sqlite), *POSTGRES)


@contextmanager
def created(url: str) -> Iterator[Engine]:
    """An engine on a new ledger without events."""
    engine = open_engine(url, create=True)
    create_store(engine, ledger_id=LEDGER, created_at=START)
    try:
        yield engine
    finally:
        engine.dispose()
