"""Where a workspace is: the nearest folder upwards that holds a `tradex.toml`."""

from __future__ import annotations

from pathlib import Path
from stat import S_ISREG

from tradex_ledger.errors import EnvironmentFault, NotFoundError

FILE = "tradex.toml"


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
