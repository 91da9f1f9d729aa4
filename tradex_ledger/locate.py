"""Where a workspace is: the nearest folder upwards that holds a `tradex.toml`."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISREG

from tradex_ledger.errors import EnvironmentFault, NotFoundError, UsageError

FILE = "tradex.toml"
_MARKS = ".tradex-lake"
_PARTS = {
    "pipeline": "a definition",
    "keys": "a key",
    "checkpoints": "a signed head",
    "fetched": "what was fetched",
    ".cache": "a cache",
}
_WITNESS = "witness.key"
_DATABASE = b"SQLite format 3\0"
_SECRET = b"PRIVATE+KEY+"
_LEFT_BEHIND = ("-wal", "-shm", "-journal")


class NoWorkspaceError(NotFoundError):
    """There is no workspace where one was looked for."""

    code = "no-workspace"

    def __init__(self, folder: Path, end: Path | None = None) -> None:
        stopped = f"; above {end} is another owner or file system, and no search" if end else ""
        super().__init__(
            f"there is no workspace in {folder} or above it (no {FILE}){stopped}",
            mend="make one: tradex init DIR --source files:PATH; or name one: tradex -C DIR …",
        )


class WorkspaceUnreadableError(EnvironmentFault):
    """Whether there is a workspace cannot even be seen."""

    code = "no-permission"

    def __init__(self, folder: Path, reason: str | None) -> None:
        super().__init__(
            f"{folder} cannot be read: {reason}", mend="ask its owner for read access (folders need x, too)"
        )


class PartOfWorkspaceError(UsageError):
    """What was to be written over is no output of anybody's, but what a workspace lives by."""

    def __init__(self, file: Path, what: str) -> None:
        super().__init__(
            f"{file} is {what}, and is not written over",
            mend="name another file, outside of what belongs to a workspace",
        )


def check_no_part(file: Path) -> None:
    """Raise `PartOfWorkspaceError` for a file that no output may take the place of: a database (a ledger, whoever's),
    settings, a private key, what lies in a lake, in a witness's folder or a workspace's. A link to one is one; what is
    not there yet is none."""
    if not os.path.lexists(file):
        return
    path = Path(os.path.realpath(file.parent)) / file.name
    if path.name == FILE:
        raise PartOfWorkspaceError(file, "the settings of a workspace")
    for name in (path.name, *(path.name.removesuffix(end) for end in _LEFT_BEHIND if path.name.endswith(end))):
        if _begins(path.with_name(name), _DATABASE):
            raise PartOfWorkspaceError(file, "a database, such as a ledger")
    if _begins(path, _SECRET):
        raise PartOfWorkspaceError(file, "a private key")
    for folder in path.parents:
        if (folder / _WITNESS).exists() and (path.parent != folder or path.name == "lock"):
            raise PartOfWorkspaceError(file, f"what the witness {folder} remembers")
        if (folder / _MARKS).exists():
            raise PartOfWorkspaceError(file, f"in the lake {folder}")
        if folder.name in _PARTS and (folder.parent / FILE).exists():
            raise PartOfWorkspaceError(file, f"{_PARTS[folder.name]} of the workspace {folder.parent}")


def _begins(path: Path, head: bytes) -> bool:
    try:
        if not S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as opened:
            return opened.read(len(head)) == head
    except OSError:
        return False


def find_workspace(start: Path) -> Path:
    """The nearest folder, from `start` upwards, that holds a workspace; up to where owner or file system change.

    Above that somebody else could have laid a workspace in the way.
    Raises: `NoWorkspaceError`; `WorkspaceUnreadableError` where this user may not look.
    """
    below: tuple[Path, tuple[int, int]] | None = None
    for folder in (start, *start.parents):
        try:
            found = folder.stat()
            place = (found.st_dev, found.st_uid)
            if below is not None and below[1] != place:
                raise NoWorkspaceError(start, below[0])
            below = (folder, place)
            if S_ISREG((folder / FILE).stat().st_mode):
                return folder
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise WorkspaceUnreadableError(folder, error.strerror) from None
    raise NoWorkspaceError(start)
