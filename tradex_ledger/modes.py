"""Who else may read and write a workspace's files: how they are made, and what is wider than it should be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shlex import quote
from stat import S_IROTH, S_ISVTX, S_IWOTH, filemode

from tradex_ledger.config import FILE, Config
from tradex_ledger.config_places import SQLITE

OWNER_WRITES = 0o644
"""Others may read what the umask lets them: fresh settings hold no secret, and who reads changes nothing."""


def make_file(path: Path, mode: int) -> bool:
    """Make an empty file with that mode, or a narrower one if the umask says so; False where there is one already."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, mode))
    except FileExistsError:
        return False
    return True


def exposures(config: Config) -> list[str]:
    """What others can do with settings and ledger that they should not: read secrets, write what a workspace lives by.

    Who gave others the right to read has meant it, and is not asked again: only secrets are not for everybody.
    """
    return [text for text in (_settings(config), *_ledger(config)) if text]


def _settings(config: Config) -> str | None:
    path = config.folder / FILE
    mode = _mode(path)
    if mode & S_IWOTH:
        return _said(
            path, mode, "anybody can write the settings, and with them which ledger and lake are meant", "chmod o-w"
        )
    if config.alert_urls and mode & S_IROTH:
        return _said(path, mode, "anybody can read the settings, and the URLs under [alerts] in them", "chmod o-r")
    return None


def _ledger(config: Config) -> Iterator[str]:
    if not config.ledger_url.startswith(SQLITE):
        return
    path = Path(config.ledger_url.removeprefix(SQLITE))
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if (mode := _mode(file)) & S_IWOTH:
            yield _said(file, mode, "anybody can write the ledger", "chmod o-w")
    folders = {path.parent, config.folder}  # who may write a folder can put another file in a file's place
    for folder in sorted(folders):
        mode = _mode(folder)
        if mode & S_IWOTH and not mode & S_ISVTX:
            yield _said(folder, mode, "anybody can put other files in the place of the workspace's", "chmod o-w")


def written_by_others(root: Path) -> Iterator[str]:
    """The folders, of a lake, that anybody can write, and how that is mended."""
    below: list[Path] = []
    with suppress(OSError):
        below = sorted(path for path in root.iterdir() if path.is_dir())
    for folder in (root, *below):
        if (mode := _mode(folder)) & S_IWOTH:
            yield _said(folder, mode, "anybody can write the lake", "chmod o-w")


def _mode(path: Path) -> int:
    """The mode of what is there; none of anything that is not."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _said(path: Path, mode: int, what: str, mend: str) -> str:
    return f"{path} is {filemode(mode)}: {what}; narrow it: {mend} {quote(str(path))}"
