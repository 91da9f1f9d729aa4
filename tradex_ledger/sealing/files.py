"""Files that are laid once, whole, for good: how keys, heads and a witness's memory are written and read."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from pathlib import Path

from tradex_ledger import paths
from tradex_ledger.keyed import open_regular

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


def read_file(path: Path, most: int) -> bytes | None:
    """The first `most` bytes of a file that is no link and no pipe; None where there is none. Raises `OSError`."""
    try:
        with open_regular(path) as file:
            return file.read(most)
    except (FileNotFoundError, NotADirectoryError):
        return None


def lay(path: Path, content: bytes, mode: int) -> bool:
    """Lay a new file, durable; False where there is one of that name, which stays as it is. Raises `OSError`.

    A crash before it has its name leaves a hidden file that nobody reads; after it, all of it is there.
    """
    if not path.name:
        return False  # a folder that is there: this one, or the root
    half_made = _written(path, content, mode)
    try:
        try:
            os.link(half_made, path, follow_symlinks=False)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # A disk that knows no links (FAT): two who lay the same name at once lay it one after the other.
            if os.path.lexists(path):
                return False
            half_made.rename(path)
    finally:
        half_made.unlink(missing_ok=True)
    sync(path.parent)
    return True


def replace(path: Path, content: bytes, mode: int) -> None:
    """Put content in the place of what a file holds, durable: the one or the other is there. Raises `OSError`."""
    half_made = _written(path, content, mode)
    try:
        half_made.replace(path)
    finally:
        with suppress(OSError):
            half_made.unlink(missing_ok=True)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder durable, where its file system can do that."""
    try:
        paths.sync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EROFS):
            raise


def _written(path: Path, content: bytes, mode: int) -> Path:
    """The content under a hidden name beside a file's, durable."""
    half_made = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}")
    half_made.unlink(missing_ok=True)  # a crash of a process of that number
    descriptor = os.open(half_made, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        half_made.unlink(missing_ok=True)
        raise
    return half_made
