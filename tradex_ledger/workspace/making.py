"""What a new workspace is made of: its ledger, whose lake is free for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tradex_ledger.clock import new_token
from tradex_ledger.errors import NotFoundError, TradexError
from tradex_ledger.lake.identity import check_free
from tradex_ledger.lake.port import Lake
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.select import sqlite_path
from tradex_ledger.modes import OWNER_WRITES, make_file

if TYPE_CHECKING:
    from sqlalchemy import Engine


def ledger_at(url: str) -> str | None:
    """The ledger that a broken attempt left at a URL."""
    from tradex_ledger.ledger.store import ledger_id, open_engine

    with suppress(NotFoundError):
        engine = open_engine(url, reading=True)
        try:
            return ledger_id(engine)
        finally:
            engine.dispose()
    return None


def make_ledger(url: str, half_made: Path, *, finish: bool, clock: Callable[[], datetime]) -> Engine:
    """The ledger at a URL, made unless a broken attempt (`finish`) had made it."""
    from tradex_ledger.ledger.store import create_store, has_ledger, open_engine

    if path := sqlite_path(url):
        with suppress(OSError):  # whoever opens it next has the words for what is wrong
            make_file(path, OWNER_WRITES)  # SQLite gives what it puts beside a file that file's mode
    try:
        engine = open_engine(url, create=True)
        if not (finish and has_ledger(engine)):
            create_store(engine, ledger_id=new_token(), created_at=clock())
    except TradexError:
        if not finish:  # there is no ledger to go on with, and its URL may hold a secret
            half_made.unlink(missing_ok=True)
        raise
    return engine


def check_lake(lake: Lake, own: str | None) -> None:
    """Raise before anything is made where a lake cannot be had. Raises: `LakeIdentityError`, `EnvironmentFault`."""
    try:
        check_free(lake, own)
    except OSError as error:
        raise translate(error, f"preparing the lake {lake.name}") from error
