"""Whose settings and definitions are believed: one's own, and those of folders that one has said to trust.

Settings and definitions say what runs, and as whom: as whoever gives a command. So what lies in a folder of another
user is data until `tradex trust DIR`: its ledger and lake can be read, and nothing that it defines runs. As with git,
own is what the user owns (for root under sudo, what the user behind it owns, too), and root's is root's alone.

What is trusted stands in the user's own configuration, a folder a line with the owner that its files had then: files
of yet another owner are asked about anew.
"""

from __future__ import annotations

import fcntl
import os
import pwd
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from stat import S_ISREG, S_IWGRP, S_IWOTH

from tradex_ledger.errors import EnvironmentFault, NotFoundError, RefusedError
from tradex_ledger.keyed import CONFIG_HOME, config_home
from tradex_ledger.locate import FILE
from tradex_ledger.paths import check_name

LIST = "trusted"
_MOST_DIGITS = 20
_DEFINITIONS = ("*.sql", "*.csv")


class UntrustedError(RefusedError):
    """Settings or definitions of another user, in a folder that nobody said to trust; nothing was run with them."""

    code = "untrusted"

    def __init__(self, path: Path, owner: int, folder: Path, no_list: str = "") -> None:
        whose = f"{path} belongs to {name_of(owner)}, not to {name_of(os.geteuid())}"
        super().__init__(
            f"{whose}: what it says would run as you{no_list and f' ({no_list})'}",
            mend=f"look at what is in it, and if you believe it: tradex trust {quote(str(folder))}",
        )


class NoTrustListError(EnvironmentFault):
    """The list of trusted folders cannot be kept, or is not this user's own."""

    code = "trust-list"


def name_of(user: int) -> str:
    """A user, for people."""
    try:
        return f"{pwd.getpwuid(user).pw_name} (uid {user})"
    except KeyError:
        return f"uid {user}"


def check_trusted(folder: Path, pipeline: Path | None) -> None:
    """Raise `UntrustedError` unless the settings in a folder and its definitions are this user's, or are trusted.

    `pipeline`: the folder of definitions; None when they are those that came with the program.
    """
    trusted: set[tuple[int, Path]] | None = None
    no_list = ""
    for place, paths in _asked(folder, pipeline):
        for path, owner in _foreign(paths):
            if trusted is None:
                trusted, no_list = _read_if_any()
            within = folder if place.is_relative_to(folder) else place
            if not {(owner, place), (owner, within)} & trusted:
                raise UntrustedError(path, owner, within, no_list)


def trust(folder: Path, pipeline: Path | None = None) -> list[int]:
    """Believe what lies in a folder from now on; returns the owners (user ids) of what is believed thereby.

    `pipeline`: what its settings name, which is believed with it where it lies in the folder. What is elsewhere is to
    be trusted by its own name. Raises: `NotFoundError`, `NoTrustListError`.
    """
    if not folder.is_dir():
        raise NotFoundError(f"there is no folder {folder}", mend="name the folder of a workspace or of definitions")
    check_name(folder, "the folder")
    if "\n" in str(folder):
        raise NoTrustListError(f"{folder} has a line break in its name", mend="rename it")
    paths = [path for place, some in _asked(folder, pipeline) if place.is_relative_to(folder) for path in some]
    owners = sorted({owner for _, owner in _foreign([*paths, *_definitions(folder)])})
    if owners:
        with _alone() as path:
            lines = _lines(path)
            new = [line for owner in owners if (line := f"{owner} {folder}") not in lines]
            _write(path, lines + new)
    return owners


def distrust(folder: Path) -> bool:
    """Take that back; False when it was not trusted."""
    with _alone() as path:
        lines = _lines(path)
        kept = [line for line in lines if line.partition(" ")[2] != str(folder)]
        if kept != lines:
            _write(path, kept)
        return kept != lines


def trusted_folders() -> list[tuple[Path, int]]:
    """What is trusted, each with the owner that is."""
    return sorted((folder, owner) for owner, folder in _read())


def _asked(folder: Path, pipeline: Path | None) -> Iterable[tuple[Path, list[Path]]]:
    yield folder, [folder, folder / FILE]
    if pipeline is not None:
        real = Path(os.path.realpath(pipeline))
        yield real, [pipeline, real, *_definitions(real)]


def _definitions(folder: Path) -> list[Path]:
    return sorted(path for pattern in _DEFINITIONS for path in folder.glob(pattern))


def _foreign(paths: Iterable[Path]) -> Iterable[tuple[Path, int]]:
    """Those of the paths that are another's, with that owner; of a link both its owner and that of what it leads to."""
    own = {os.geteuid()}
    behind = os.environ.get("SUDO_UID", "")
    if os.geteuid() == 0 and _is_user(behind):
        own.add(int(behind))
    for path in paths:
        for follow in (False, True):
            try:
                owner = path.stat(follow_symlinks=follow).st_uid
            except (FileNotFoundError, NotADirectoryError):
                continue  # who is going to read it says so
            except OSError as error:
                raise EnvironmentFault(f"{path} cannot be read: {error.strerror}", mend="make it readable") from None
            if owner not in own:
                yield path, owner
                break


def _path() -> Path:
    home = config_home()
    if home is None:
        raise NoTrustListError("there is no folder of settings of your own", mend=f"set HOME, or {CONFIG_HOME}")
    return home / LIST


def _read_if_any() -> tuple[set[tuple[int, Path]], str]:
    """What is trusted; where there is no list that counts nothing is, and the second says why."""
    try:
        return _read(), ""
    except NoTrustListError as error:
        return set(), error.message


def _read() -> set[tuple[int, Path]]:
    found = (line.partition(" ") for line in _lines(_path()))
    return {(int(owner), Path(folder)) for owner, _, folder in found if _is_user(owner)}


def _is_user(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS


def _lines(path: Path) -> list[str]:
    """The list as it is. Raises `NoTrustListError` for one that others could have written."""
    try:
        state = path.lstat()
        if not S_ISREG(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & (S_IWGRP | S_IWOTH):
            raise NoTrustListError(
                f"{path} is no file that only you can write, so what it trusts does not count", mend="remove it"
            )
        # Not by lines as Python reads them: in the name of a folder may be a \r, or U+2028, and then what others trust.
        return [line for line in path.read_bytes().decode("utf-8").split("\n") if line]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise NoTrustListError(f"{path} cannot be read: {error}", mend="mend or remove it") from None


@contextmanager
def _alone() -> Iterator[Path]:
    """Where the list is, while nobody else writes it: of two who trust something, both are heard."""
    path = _path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise NoTrustListError(f"{path} cannot be written: {error.strerror}", mend="make it writable") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield path
    finally:
        os.close(folder)


def _write(path: Path, lines: list[str]) -> None:
    """All lines or none: a crash leaves the list as it was."""
    half_made = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        half_made.unlink(missing_ok=True)
        descriptor = os.open(half_made, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        half_made.replace(path)
    except OSError as error:
        raise NoTrustListError(f"{path} cannot be written: {error.strerror}", mend="make it writable") from None
