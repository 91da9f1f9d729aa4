"""What the last attempt at a mirror or a feed came to, where it failed: a note in the workspace, until one goes well.

It is no record, and nothing is decided by it: who asks how things stand reads it, and need not ask them himself. It is
of the machine that tried; of others only the lag is seen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tradex_ledger.errors import ConflictError, TradexError

FOLDER = ".attempts"
_LONGEST = 300
_MOST_BYTES = 1 << 14


class Failed(NamedTuple):
    """An attempt that failed: when, the how manieth in a row it was, why in one line, and what mends it."""

    at: str
    tries: int
    error: str
    mend: str


@contextmanager
def noted(folder: Path, follower: str, ledger: str, clock: Callable[[], datetime]) -> Iterator[None]:
    """An attempt at a follower (`mirror NAME`, `feed NAME`) of a ledger, in the workspace of a folder.

    Who is told that another process is at it (`ConflictError`) has not tried. A workspace that cannot be written keeps
    no note: whoever tries is told of the failure itself.
    """
    path = _path(folder, follower)
    try:
        yield
    except ConflictError:
        raise
    except TradexError as error:
        before = failed(folder, follower, ledger)
        tries = 1 + (before.tries if before else 0)
        with suppress(OSError):
            _put(path, [ledger, clock().isoformat(), tries, _line(error.message), _line(error.mend)])
        raise
    clear(folder, follower)


def clear(folder: Path, follower: str) -> None:
    """All is well with a follower."""
    with suppress(OSError):
        _path(folder, follower).unlink(missing_ok=True)


def failed(folder: Path, follower: str, ledger: str) -> Failed | None:
    """How the last attempt failed; None where none is known to have. Of a note that is none, that is said."""
    path = _path(folder, follower)
    try:
        with path.open("rb") as file:
            of, at, tries, error, mend = json.loads(file.read(_MOST_BYTES))
        if of != ledger:
            return None  # of the one that was here before
        moment = datetime.fromisoformat(str(at)).isoformat()
        return Failed(moment, max(int(tries), 1), _line(str(error)), _line(str(mend)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, OverflowError, RecursionError):
        return Failed("", 1, f"the note of it cannot be read: {path}", "remove it")


def _path(folder: Path, follower: str) -> Path:
    return folder / FOLDER / f"{follower.replace(' ', '-', 1)}.json"


def _line(text: str) -> str:
    whole = " ".join(text.split())
    return whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 1]}…"


def _put(path: Path, said: list[object]) -> None:
    path.parent.mkdir(exist_ok=True)
    half = path.with_name(f"{path.name}.{os.getpid()}")
    half.write_text(json.dumps(said), encoding="utf-8")
    half.replace(path)
