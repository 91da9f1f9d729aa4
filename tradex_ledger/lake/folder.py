"""The markers of a lake that is a folder, what else lies in it, and which other lakes it lies in or around.

A marker is an empty name of which one listing tells all; what is in its file is for people.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from tradex_ledger.lake.markers import MARKS, Marker, marker_of
from tradex_ledger.paths import sync

STAGING = ".staging"
"""Where drives put what has no name yet."""


def markers(root: Path) -> list[Marker]:
    """The markers in a lake, the highest last; what is none of ours by its name does not count. Raises `OSError`."""
    try:
        names = os.listdir(root / MARKS)  # noqa: PTH208 — names are all that is asked for
    except FileNotFoundError:
        return []
    return sorted(marker for name in names if (marker := marker_of(name)))


def lay(root: Path, marker: Marker) -> bool:
    """Lay a marker, for good; False where it is already. Raises `OSError`.

    Its name is the marker, so that a crash between the name and the content leaves nothing half said.
    """
    folder = root / MARKS
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(folder / marker.name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(asdict(marker), sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
    for place in (folder, root):
        sync(place)
    return True


def lakes_above(root: Path) -> Iterator[Path]:
    """The folders above a lake, by its name and by where it really is, that are lakes themselves."""
    seen: set[Path] = set()
    for path in (Path(os.path.normpath(root)), Path(os.path.realpath(root))):
        for folder in path.parents:
            if folder not in seen and is_marked(folder):
                yield folder
            seen.add(folder)


def lakes_below(root: Path, *, deep: bool = False) -> Iterator[Path]:
    """The folders in a lake that are lakes, or lead into another one by a link; `deep`: at any depth."""
    real = Path(os.path.realpath(root))
    waiting = [root]
    while waiting:
        for entry in _entries(waiting.pop()) or ():
            path = Path(entry.path)
            if entry.is_symlink():
                target = Path(os.path.realpath(path))
                if any(is_marked(place) for place in (target, *target.parents) if place != real):
                    yield path
            elif entry.is_dir(follow_symlinks=False) and entry.name != MARKS:
                if is_marked(path):
                    yield path
                if deep:
                    waiting.append(path)


def is_marked(folder: Path) -> bool:
    """Whether there is a marker in a folder, as far as that can be seen."""
    with suppress(OSError):
        return bool(markers(folder))
    return False


def all_entries(root: Path, passed_over: frozenset[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Each thing in a lake that is no folder (path relative to it, its own state): links are not followed.

    `passed_over` are names right below the lake. What vanishes meanwhile is not told; a folder that this user may not
    look into is told instead of what is in it. Raises `OSError` when the lake itself is one.
    """
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        entries = _entries(root / folder)
        if entries is None:
            state = (root / folder).stat(follow_symlinks=False)
            if not folder:
                raise PermissionError(errno.EACCES, "not readable", str(root))
            yield folder, state
            continue
        for entry in sorted(entries, key=lambda found: found.name):
            relative = f"{folder}{entry.name}"
            if relative in passed_over:
                continue
            with suppress(FileNotFoundError):
                state = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(state.st_mode):
                    waiting.append(f"{relative}/")
                else:
                    yield relative, state


def _entries(folder: Path) -> list[os.DirEntry[str]] | None:
    """What is in a folder; None where this user may not look (`lost+found` of a disk)."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError:
        return None
