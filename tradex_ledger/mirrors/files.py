"""Files of a mirror on this machine: made whole under a name that never was, or put in the place of one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tradex_ledger.paths import sync

Point = Callable[[str], None]
"""Told of each point between two durable steps; a test dies there."""


def nowhere(point: str) -> None:
    """Nobody is told."""
    del point


def make_folder(folder: Path) -> None:
    """A folder, its name durable; one that is there stays."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync(folder.parent)


def lay(path: Path, content: bytes) -> bool:
    """A new file, whole and durable under its name; False where one has that name already, which stays.

    A crash leaves a file with a name that begins with a dot, which no reader of a log looks at.
    """
    half = _half(path, content)
    try:
        os.link(half, path)
    except FileExistsError:
        return False
    finally:
        half.unlink()
    sync(path.parent)
    return True


def put(path: Path, content: bytes) -> None:
    """The same in the place of whatever has that name."""
    _half(path, content).replace(path)
    sync(path.parent)


def _half(path: Path, content: bytes) -> Path:
    half = path.with_name(f".{path.name}.{os.getpid()}")
    with half.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return half
