"""Paths as people write them: what they point at, how a file keeps them, and which cannot be used."""

from __future__ import annotations

import atexit
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tradex_ledger.errors import EnvironmentFault, UsageError

_WILD = "*?["


class UnusablePathError(EnvironmentFault):
    """A folder or file whose name the database, the lake or the settings cannot hold."""

    code = "path"

    def __init__(self, what: str, path: str, problem: str) -> None:
        super().__init__(
            f"{what} {readable(path)} cannot be used: {problem}",
            mend="rename that folder or file, or choose another place",
        )


class UrlAsPathError(UsageError):
    """A URL where a path is meant. It is not repeated: it may hold a password."""

    code = "url-as-path"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is given as a URL (not repeated: it may hold a secret), and is a path",
            mend="name a folder or file of this machine; one that is mounted from elsewhere will do",
        )


def readable(text: str) -> str:
    r"""A text that can be shown anywhere: bytes that are no UTF-8 become \xe9, half surrogates \ud83d."""
    try:
        text.encode()
    except UnicodeEncodeError:
        try:
            return os.fsencode(text).decode(errors="backslashreplace")
        except UnicodeEncodeError:
            return text.encode(errors="backslashreplace").decode()
    return text


def current_folder() -> Path:
    """The folder that this process is in. Raises `EnvironmentFault` where it has been removed."""
    try:
        return Path.cwd()
    except OSError as error:
        raise EnvironmentFault(
            f"the current folder cannot be used: {error.strerror}", mend="go to one that is there: cd"
        ) from None


def given(text: str, folder: Path) -> Path:
    """Where a text points: what is relative belongs to `folder`, `~` is somebody's home."""
    try:
        path = Path(folder, Path(text).expanduser())
    except RuntimeError:  # nobody of that name: then it is a name like any other
        path = Path(folder, text)
    if ".." not in path.parts or "\0" in text:  # who names it says what is wrong with a null character
        return path
    # After a link, `..` leads elsewhere than its name says: only the system knows where.
    last = len(path.parts) - path.parts[::-1].index("..")
    return Path(os.path.realpath(Path(*path.parts[:last])), *path.parts[last:])


def resolved(text: str, what: str) -> Path:
    """Where a text points from here, all links followed. Raises: `UnusablePathError`, `UrlAsPathError`."""
    check_no_url(text, what)
    if "\0" in text:
        raise UnusablePathError(what, text, "it has a null character")
    base = Path("/") if Path(text).is_absolute() else current_folder()
    try:
        return given(text, base).resolve()
    except RuntimeError:  # how Python told of a circle until 3.13
        raise UnusablePathError(what, text, "its links lead in a circle") from None


def written(path: Path, folder: Path) -> str:
    """How the settings in `folder` name a path: relative when it lies in it (so that both can move), else absolute."""
    home = Path(os.path.realpath(folder))
    for here in (path, Path(os.path.realpath(path.parent), path.name)):  # what is linked may move with its link
        if here.is_relative_to(home):
            text = here.relative_to(home).as_posix()
            return f"./{text}" if text.startswith("~") else text
    return str(path)


def is_there(path: Path | str, size: int) -> bool:
    """Whether a file is there with that size in bytes; what cannot be looked at is not."""
    try:
        return os.stat(path).st_size == size  # noqa: PTH116 — a run looks at tens of thousands: a text will do
    except OSError:
        return False


def check_no_url(text: str, what: str) -> None:
    """Raise `UrlAsPathError` for a text that would make folders called like a scheme, a user and a password."""
    if "://" in text:
        raise UrlAsPathError(what)


def check_name(path: Path, what: str) -> None:
    """Raise `UnusablePathError` for what no settings file, ledger or database can name."""
    for text in (str(path), os.path.realpath(path) if "\0" not in str(path) else ""):
        if "\0" in text:
            raise UnusablePathError(what, text, "it has a null character")
        if readable(text) != text:
            raise UnusablePathError(what, text, "its name is not UTF-8")


def check_lake_name(path: Path) -> None:
    r"""Raise `UnusablePathError` for a lake that DuckDB cannot name: `\` escapes in its patterns, and only there."""
    check_name(path, "the lake")
    if "\\" in str(path) + os.path.realpath(path):
        raise UnusablePathError("the lake", str(path), "there is a backslash in its path")


def literal(path: str) -> str:
    """A path as a pattern of DuckDB that fits this one path only: it takes each file name for a pattern."""
    return "".join(f"[{character}]" if character in _WILD else character for character in path)


def sql_text(value: str) -> str:
    """A text as SQL has it."""
    return "'" + value.replace("'", "''") + "'"


def file_list(paths: Iterable[str]) -> str:
    """A SQL list of files by their very names: DuckDB would take `*`, `?` and `[` in them for patterns."""
    return f"[{', '.join(sql_text(literal(path)) for path in paths)}]"


@contextmanager
def gone_afterwards(folder: Path) -> Iterator[Path]:
    """A folder that is there for the length of the block; who is cut off in the middle leaves it to the end of the
    process (`atexit`), which is the last that hears of it."""
    remove = partial(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(remove)
    try:
        yield folder
    finally:
        remove()
        atexit.unregister(remove)


def sync(path: Path) -> None:
    """Make durable what a file holds, or which names a folder has. Raises: `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
