"""Which caches a user believes: those that carry a digest under a key that is this user's alone.

The key is made at first need: 32 random bytes, for nobody else to read, in the user's own configuration. What carries
no tag under it was written by somebody else, or was changed, and is made again. Who has no key (no home, a key file
that others can read) gets answers that are computed from zero. Whoever runs programs as the user can make such tags:
against that there is no help here.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

CONFIG_HOME = "TRADEX_CONFIG_HOME"
CACHE_HOME = "TRADEX_CACHE_HOME"
_KEY_FILE = "cache.key"
_KEY_BYTES = 32
_CONTEXT = b"tradex-ledger cache 1"
_PROGRAM = "tradex"
_CACHES = ".cache"
_FOLDER_NAME = re.compile(r"[\w-]{1,64}").fullmatch
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

_keys: dict[Path, bytes] = {}
_missed: dict[str, str] = {}


class _NoKeyError(Exception):
    """Why there is no key: only within this module."""


def config_home() -> Path | None:
    """The user's own folder of settings: `$TRADEX_CONFIG_HOME`, else where XDG puts it; None without a home."""
    return _home(CONFIG_HOME, "XDG_CONFIG_HOME", ".config")


def cache_home() -> Path | None:
    """The user's own folder of caches, made if need be; None where there is none that is this user's alone to write."""
    folder = _home(CACHE_HOME, "XDG_CACHE_HOME", ".cache")
    if folder is None:
        return None
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder if _is_own(folder, stat.S_ISDIR, _OTHERS_WRITE) and os.access(folder, os.W_OK | os.X_OK) else None


@dataclass(frozen=True, slots=True)
class Caches:
    """Where this user's caches of one ledger lie: in a folder that is there, and below it in folders made at need.

    Without `base` there is no place for any.
    """

    base: Path | None = None
    below: tuple[str, ...] = ()

    def path(self, *names: str) -> Path | None:
        """Where a cache of that name would lie; nothing is made."""
        return self.base and self.base.joinpath(*self.below, *names)

    def made(self, *names: str) -> Path | None:
        """The folder of that name, made if need be; None where it, or one above it, is not this user's alone."""
        folder = self.base
        for name in (*self.below, *names):
            if folder is None or not own_folder(folder := folder / name):
                return None
        return folder


def caches_of(workspace: Path | None, ledger: str) -> Caches:
    """The caches of a ledger: in its workspace where that folder is the user's own and may be written, else at home.

    Two workspaces have two caches: those at home carry a digest of the whole path. Without a workspace, and for an id
    that is no name of a folder, there are none.
    """
    if workspace is None or not _FOLDER_NAME(ledger):
        return Caches()
    if _is_own(workspace, stat.S_ISDIR) and os.access(workspace, os.W_OK | os.X_OK):
        return Caches(workspace, (_CACHES, ledger))
    place = hashlib.sha256(os.fsencode(os.path.realpath(workspace))).hexdigest()[:32]
    return Caches(cache_home(), (place, ledger))


def seal(data: bytes, label: str = "") -> bytes | None:
    """The tag of some bytes under this user's key; None when there is no key, which `missed` then tells of.

    `label` says what they are: a tag for one kind of cache is none for another.
    """
    try:
        key = _key()
    except _NoKeyError as none:
        _missed[str(none)] = str(none)
        return None
    return hmac.digest(key, b"\0".join((_CONTEXT, label.encode(), data)), hashlib.sha256)


def is_sealed(data: bytes, tag: bytes, label: str = "") -> bool:
    """Whether that is the tag of these bytes; without a key nothing is. A near miss takes as long as any other."""
    right = seal(data, label)
    return right is not None and hmac.compare_digest(right, tag)


def own_folder(folder: Path) -> bool:
    """Make a folder that only this user uses, if need be; False when there is none that is this user's alone."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        if _is_own(folder, stat.S_ISDIR, follow=False):
            if folder.stat().st_mode & _OTHERS_WRITE:
                folder.chmod(0o700)  # one of an older release
            return True
    return False


def open_regular(path: Path) -> BufferedReader:
    """A cache's file, to be read: what is laid in its place (a link, a pipe) leads nowhere and holds nobody up."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    return os.fdopen(descriptor, "rb")


def read_sealed(path: Path, label: str) -> bytes | None:
    """What `write_sealed` wrote there; None when that is not what is there, or there is no key."""
    try:
        with open_regular(path) as file:
            tag, _, content = file.read().partition(b"\n")
    except OSError:  # there is none, or it is no file
        return None
    given = _unhex(tag)
    return content if given.hex().encode() == tag and is_sealed(content, given, label) else None


def write_sealed(path: Path, content: bytes, label: str) -> bool:
    """Put content under its tag, for this user's eyes, whole or not at all; False where that cannot be done."""
    tag = seal(content, label)
    if tag is None:
        return False
    half_made = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        half_made.unlink(missing_ok=True)
        descriptor = os.open(half_made, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(tag.hex().encode() + b"\n" + content)
        # A crash before this leaves what was there before; after it, what is there now.
        half_made.replace(path)
    except OSError:
        with suppress(OSError):
            half_made.unlink(missing_ok=True)
        return False
    return True


def missed() -> list[str]:
    """Why tags could not be made or held since the last time that somebody asked: each reason once."""
    reasons = list(_missed)
    _missed.clear()
    return reasons


def _unhex(tag: bytes) -> bytes:
    try:
        return bytes.fromhex(tag.decode("ascii"))
    except ValueError:
        return b""


def _home(own: str, xdg: str, below: str) -> Path | None:
    """The first that is named, as XDG has it: what is not absolute does not count."""
    if (named := os.environ.get(own)) and Path(named).is_absolute():
        return Path(named)
    for base, rest in ((os.environ.get(xdg), _PROGRAM), (os.environ.get("HOME"), f"{below}/{_PROGRAM}")):
        if base and Path(base).is_absolute():
            return Path(base, rest)
    return None


def _key() -> bytes:
    home = config_home()
    if home is None:
        raise _NoKeyError(f"there is no folder of settings (neither HOME nor {CONFIG_HOME} names one)")
    path = home / _KEY_FILE
    if (known := _keys.get(path)) is not None:
        return known
    try:
        if not os.path.lexists(path):
            _make(path)
        _keys[path] = _read(path)
    except (OSError, ValueError) as error:  # a null character in the name
        raise _NoKeyError(f"{path} cannot be made or read: {getattr(error, 'strerror', None) or error}") from error
    return _keys[path]


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise _NoKeyError(f"{path} is no file of this user's own")
        if found.st_mode & _OTHERS:
            raise _NoKeyError(f"{path} is {stat.filemode(found.st_mode)}: others can read it; remove it")
        key = os.read(descriptor, _KEY_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(key) != _KEY_BYTES:
        raise _NoKeyError(f"{path} has not {_KEY_BYTES} bytes; remove it")
    return key


def _make(path: Path) -> None:
    """Lay the key there whole or not at all: of two who make one, the first one's counts for both."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half_made = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}")
    half_made.unlink(missing_ok=True)  # a crash of a process of that number
    descriptor = os.open(half_made, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # A crash before this leaves a file that nobody reads.
        with suppress(FileExistsError):
            os.link(half_made, path, follow_symlinks=False)
    finally:
        half_made.unlink(missing_ok=True)


def _is_own(path: Path, kind: Callable[[int], bool], wide: int = 0, *, follow: bool = True) -> bool:
    """Whether it is there, of that kind, this user's own, and of none of the modes `wide`."""
    try:
        found = path.stat(follow_symlinks=follow)
    except (OSError, ValueError):
        return False
    return kind(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & wide
