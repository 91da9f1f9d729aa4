"""Small files that a person hands in, read whole: what is no file, or is larger than such a file can be, is refused."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISREG

from tradex_ledger.errors import EnvironmentFault, NotFoundError, UsageError
from tradex_ledger.sealing.files import lay


class GivenFileError(UsageError):
    """What was handed in is no such file."""

    code = "given-file"


def read_given(path: Path, what: str, most: int) -> bytes:
    """The bytes of a file of at most so many. Raises: `NotFoundError`, `GivenFileError`, `EnvironmentFault`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not S_ISREG(os.fstat(descriptor).st_mode):
                raise GivenFileError(f"{what} {path} is no file", mend="name a file")
            found = file.read(most + 1)
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {path}", mend=f"name the file of {what}") from None
    except IsADirectoryError:
        raise GivenFileError(f"{what} {path} is a folder", mend="name a file") from None
    except (OSError, ValueError) as error:
        raise EnvironmentFault(f"{what} {path} cannot be read: {error}", mend="make it readable") from None
    if len(found) > most:
        raise GivenFileError(f"{what} {path} has more than {most} bytes", mend=f"name the file of {what}")
    return found


def text_given(path: Path, what: str, most: int) -> str:
    """The text (UTF-8) of such a file. Raises what `read_given` raises."""
    try:
        return read_given(path, what, most).decode("utf-8")
    except UnicodeDecodeError:
        raise GivenFileError(f"{what} {path} is no text in UTF-8", mend=f"name the file of {what}") from None


def write_new(path: Path, what: str, content: bytes) -> None:
    """Make a file that is not there yet. Raises: `GivenFileError` where it is, `EnvironmentFault`."""
    try:
        is_new = lay(path, content, 0o644)
    except (OSError, ValueError) as error:
        raise EnvironmentFault(f"{path} cannot be written: {error}", mend="name a file that can be") from None
    if not is_new:
        raise GivenFileError(f"there is a file {path} already", mend=f"name a new file for {what}")
