"""The databases that a ledger can live in: what is asked of a store is asked of every one in the list."""

from __future__ import annotations

import atexit
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from sqlalchemy import Engine

from tests.kit.postgres import SERVER, Server, fresh, server
from tradex_ledger.config import FILE, load_config
from tradex_ledger.ledger.copying import pour_all
from tradex_ledger.ledger.store import create_store, open_engine, store_info, writing

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


SQLITE = Kind("sqlite", _sqlite)
POSTGRES = (Kind("postgresql-18", _postgres_18), Kind("postgresql-16", _postgres_16))
STORES = (SQLITE, *POSTGRES)


def point(ws: Path, url: str) -> None:
    """Write another ledger into the settings of a workspace."""
    settings = ws / FILE
    said = settings.read_text(encoding="utf-8")
    settings.write_text(re.sub(r"^ledger = .*$", f"ledger = {json.dumps(url)}", said, flags=re.M), encoding="utf-8")


@contextmanager
def living(ws: Path, kind: Kind, folder: Path) -> Iterator[Path]:
    """A workspace whose ledger lives in a database of that kind, as if it had been made there; `folder` is for files.

    No event tells of it, as of `tradex ledger copy` one does.
    """
    with kind.fresh(folder) as url:
        source, target = open_engine(load_config(ws / FILE).ledger_url), open_engine(url, create=True)
        try:
            with writing(target) as there, writing(source) as here:
                pour_all(here, there, store_info(source))
        finally:
            source.dispose()
            target.dispose()
        point(ws, url)
        yield ws


@contextmanager
def created(url: str, ledger: str = LEDGER) -> Iterator[Engine]:
    """An engine on a new ledger without events."""
    engine = open_engine(url, create=True)
    create_store(engine, ledger_id=ledger, created_at=START)
    try:
        yield engine
    finally:
        engine.dispose()
