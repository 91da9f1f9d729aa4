"""The databases that a ledger can live in: what is asked of a store is asked of every one in the list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

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


STORES = (Kind("sqlite", _sqlite),)


@contextmanager
def created(url: str) -> Iterator[Engine]:
    """An engine on a new ledger without events."""
    engine = open_engine(url, create=True)
    create_store(engine, ledger_id=LEDGER, created_at=START)
    try:
        yield engine
    finally:
        engine.dispose()
