"""A SQLite file read as it is: nothing is written, neither to it nor beside it, and no right to write is needed.

SQLite's own reader makes files beside a ledger, and leaves them. So it is told how much it may rely on:

- Nothing is pending beside the file: it is all there is. It is read without locks, and again if it changed meanwhile.
- A journal (`-wal`) with its index (`-shm`): SQLite reads them with its locks, and makes no index of its own.
- A journal alone, as a backup has it: a private copy of both is read.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from tradex_ledger.errors import BrokenLedgerError

T = TypeVar("T")

# What the driver raises; the second where a name in the file is no text.
DRIVER_ERRORS: tuple[type[Exception], ...] = (sqlite3.Error, UnicodeDecodeError)
_NO_STATE: tuple[type[Exception], ...] = (*DRIVER_ERRORS, BrokenLedgerError)

BUSY_S = 30.0
_PAUSE_S = 0.01
_JOURNALS = ("-wal", "-journal")
Seen = tuple[tuple[int, int, int, int], tuple[int, ...]]
_copies: dict[Path, tuple[Seen, TemporaryDirectory[str]]] = {}


class Look(sqlite3.Connection):
    """A connection that knows whether what it read was one state of the file."""

    path: Path
    seen: Seen | None = None

    def is_sound(self) -> bool:
        """Whether nobody wrote to the file while it was read without locks."""
        return self.seen is None or self.seen == _seen(self.path)


def is_file(path: Path) -> bool:
    """Whether there is such a file. Raises `OSError` where that cannot be seen; `Path.is_file` does not always."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return path.is_file()


def look(path: Path) -> Look:
    """A connection that reads the file and changes nothing. Raises: `sqlite3.Error`, `OSError`."""
    path = Path(os.path.realpath(path))  # what waits beside it lies beside the file, not beside a link to it
    seen = _seen(path)
    if not any(seen[1]):
        return _connect(path, "mode=ro&immutable=1", path, seen)
    try:
        found = _connect(path, "mode=ro&readonly_shm=1", path, None)
        with suppress(sqlite3.DatabaseError):
            found.execute("select 1 from sqlite_master").close()
            return found
        found.close()
    except sqlite3.Error:
        pass
    return _connect(_copy(path), "mode=rw", path, None)


def tries() -> Iterator[None]:
    """As often as a file is looked at again that others are writing to."""
    until = time.monotonic() + BUSY_S
    while time.monotonic() < until:
        yield
        time.sleep(_PAUSE_S)


def looked(path: Path, ask: Callable[[Look], T]) -> T:
    """What is found in one state of the file. Raises: `DRIVER_ERRORS`, `OSError`."""
    for _ in tries():
        with closing(look(path)) as connection:
            try:
                found = ask(connection)
            except _NO_STATE:
                if connection.is_sound():
                    raise
                continue  # what was read was no one state of it: that looks like a broken one
            if connection.is_sound():
                return found
    raise sqlite3.OperationalError("database is locked: it changed whenever it was read")


def _connect(file: Path, how: str, path: Path, seen: Seen | None) -> Look:
    connection = sqlite3.connect(
        f"{file.as_uri()}?{how}", uri=True, timeout=BUSY_S, factory=Look, check_same_thread=False, isolation_level=None
    )
    connection.path, connection.seen = path, seen
    return connection


def _seen(path: Path) -> Seen:
    """What tells whether a file was written to, and the bytes of the journals that wait beside it."""
    stat = path.stat()
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns), tuple(_pending(path))


def _pending(path: Path) -> Iterator[int]:
    for suffix in _JOURNALS:
        try:
            yield path.with_name(path.name + suffix).stat().st_size
        except FileNotFoundError:
            yield 0


def _copy(path: Path) -> Path:
    """A private copy of the file and the journal beside it, as of one moment; kept as long as they stay as they are."""
    for _ in tries():
        seen = _seen(path)
        if path not in _copies or _copies[path][0] != seen:
            _drop_copy(path)
            folder = TemporaryDirectory(prefix="tradex-")
            for suffix in ("", *_JOURNALS):
                with suppress(FileNotFoundError):
                    shutil.copyfile(path.with_name(path.name + suffix), Path(folder.name, "ledger.db" + suffix))
            _copies[path] = (seen, folder)
            if _seen(path) != seen:
                continue
        return Path(_copies[path][1].name, "ledger.db")
    _drop_copy(path)
    raise sqlite3.OperationalError("database is locked: it changed whenever it was copied")


def _drop_copy(path: Path) -> None:
    if path in _copies:
        _copies.pop(path)[1].cleanup()


@atexit.register
def _drop_copies() -> None:
    for path in list(_copies):
        _drop_copy(path)
