"""A folder for what an engine cannot hold in memory, gone with it; what a killed process left is gone with the next.

A folder is held by a lock on it, which ends with its process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree

from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.paths import gone_afterwards

PREFIX = "tradex-spill-"


@contextmanager
def spill_folder() -> Iterator[Path]:
    """A new folder of this user's alone. Raises `EnvironmentFault` where none can be made."""
    parent = Path(tempfile.gettempdir())
    _sweep(parent)
    try:
        folder, lock = _held(parent)
    except OSError as error:
        raise spill_fault(parent, "making a folder for it", str(error)) from None
    try:
        with gone_afterwards(folder):
            yield folder
    finally:
        os.close(lock)


def spill_fault(folder: Path, doing: str, said: str) -> EnvironmentFault:
    """There is no room there, or no way to write."""
    why = said.rpartition('": ')[2]
    free = ""
    with suppress(OSError):
        room = os.statvfs(folder)
        free = f" ({room.f_bavail * room.f_frsize >> 20:,} MiB are free there without it)"
    return EnvironmentFault(
        f"what does not fit in memory could not be put into {folder}{free} while {doing}: {why}",
        mend="make room there, or name a folder on a larger disk: TMPDIR=DIR, and run the same command again",
        code="disk-full",
    )


def _held(parent: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # else somebody took it for one that was left, just before it was held
            return folder, lock
        os.close(lock)


def _sweep(parent: Path) -> None:
    """Remove the folders that nobody holds. Those of others cannot be opened, and stay."""
    for left in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)
