"""The staging of a lake, on this machine: a folder for each drive of a run, wiped by the next drive of that run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR, S_ISLNK, S_ISREG

from tradex_ledger.clock import new_token
from tradex_ledger.lake import folder as folders
from tradex_ledger.lake.folder import STAGING
from tradex_ledger.lake.port import Entry


def new(parent: Path, run_id: str, token: str) -> Path:
    """An empty folder for a drive; what an earlier, dead drive of the run left goes."""
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{run_id}.*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = parent / f"{run_id}.{token}"
    folder.mkdir()
    return folder


def attempt(parent: Path, drive: str) -> Path:
    """An empty folder below that of a drive, which may be another machine's; what earlier drives of its run left goes.

    The folder of this drive stays: others may be at its tasks here, too.
    """
    for left in parent.glob(f"{drive.partition('.')[0]}.*"):
        if left.name != drive:
            shutil.rmtree(left, ignore_errors=True)
    (parent / drive).mkdir(parents=True, exist_ok=True)
    folder = parent / drive / f"attempt-{new_token()}"
    folder.mkdir()
    return folder


def listed(parent: Path) -> Iterator[Entry]:
    """What lies there; the bytes of a folder are those of all that is in it."""
    for place in sorted(parent.iterdir()) if parent.is_dir() else ():
        with suppress(FileNotFoundError):
            state = place.stat(follow_symlinks=False)
            inside = [found for _, found in folders.all_entries(place, frozenset())] if is_folder(state) else []
            newest = max([state, *inside], key=lambda found: found.st_mtime_ns)
            n_bytes = sum(found.st_size for found in inside) if is_folder(state) else state.st_size
            yield Entry(f"{STAGING}/{place.name}", n_bytes, newest.st_mtime, kind(state), version(newest))


def remove(parent: Path, path: str, seen: str | None) -> bool:
    """Remove what is staged under a path as `listed` has it; False for the path of something else."""
    if not path.startswith(f"{STAGING}/"):
        return False
    place = parent / path.removeprefix(f"{STAGING}/")
    with suppress(FileNotFoundError):
        state = place.stat(follow_symlinks=False)
        if is_folder(state):
            shutil.rmtree(place)
        elif seen in (None, version(state)):
            place.unlink(missing_ok=True)
    return True


def is_folder(state: os.stat_result) -> bool:
    """Whether that is the state of a folder."""
    return S_ISDIR(state.st_mode)


def kind(state: os.stat_result) -> str:
    """What that is the state of, as `Entry` calls it."""
    kinds = ((S_ISREG, "file"), (S_ISLNK, "link"), (S_ISDIR, "folder"))
    return next((name for is_one, name in kinds if is_one(state.st_mode)), "other")


def version(state: os.stat_result) -> str:
    """Another one once something else lies there."""
    return f"{state.st_ino}.{state.st_size}.{state.st_mtime_ns}"
