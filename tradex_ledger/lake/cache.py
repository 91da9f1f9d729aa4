"""Files of a lake that is elsewhere, on this machine: by their digest, bounded in bytes, shared by all processes.

Nobody vouches for a file in here, as the port says: it is hashed by who reads it, and one that is damaged, or was put
there by somebody, is brought again. A file never changes and is put in its place whole. What a living process was
given stays for it, by a lock of the system that ends with the process: so nothing is left to clear up after a crash,
and nobody trims what an engine is about to open. Locks are taken on a number made of the first digits of a digest;
whoever shares it is spared, too. The bound is passed by what living processes hold, and by a sixteenth for each.

A file is touched by nobody once it lies there: the stamp by which `verified.py` knows it again has its times.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from io import FileIO
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.keyed import CACHE_HOME, cache_home, open_regular, own_folder
from tradex_ledger.lake.storage import sha256_of

BOUND = "TRADEX_LAKE_CACHE_MB"
DEFAULT_MB = 8192
_FOLDER = "lake-files"
_HELD_SECONDS = 86_400
_SUFFIX = ".parquet"
_NAME = re.compile(r"[0-9a-f]{64}\.parquet")
_HALF = ".half-"
_LOCKS = ".locks"
_SLOT_DIGITS = 4
_LAYING = 1 << 20  # locks from there on are held while a file is laid
_OPENING = threading.Lock()


@dataclass(slots=True)
class _Held:
    """What this process holds: by slot the time (seconds since 1970) at which it was last asked for."""

    descriptor: int
    guard: threading.Lock = field(default_factory=threading.Lock)
    slots: dict[int, float] = field(default_factory=dict)
    brought: int | None = None  # bytes since it last looked how much there is; None: it never did

    def hold(self, slot: int, now: float) -> None:
        with self.guard:
            if slot not in self.slots:
                fcntl.lockf(self.descriptor, fcntl.LOCK_SH, 1, slot)
            self.slots[slot] = now

    def let_go(self, before: float) -> None:
        """Let go of what was last asked for before a time: a worker lives for weeks."""
        with self.guard:
            for slot in [slot for slot, when in self.slots.items() if when < before]:
                fcntl.lockf(self.descriptor, fcntl.LOCK_UN, 1, slot)
                del self.slots[slot]

    @contextmanager
    def free(self, slot: int) -> Iterator[bool]:
        """Whether nobody holds a slot; nobody takes it as long as this lasts."""
        with self.guard:
            is_free = slot not in self.slots
            if is_free:
                try:
                    fcntl.lockf(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
                except OSError:
                    is_free = False
            try:
                yield is_free
            finally:
                if is_free:
                    fcntl.lockf(self.descriptor, fcntl.LOCK_UN, 1, slot)

    @contextmanager
    def laying(self, slot: int) -> Iterator[None]:
        """Nobody else puts a file of that slot in its place meanwhile."""
        with self.guard:
            fcntl.lockf(self.descriptor, fcntl.LOCK_EX, 1, _LAYING + slot)
            try:
                yield
            finally:
                fcntl.lockf(self.descriptor, fcntl.LOCK_UN, 1, _LAYING + slot)


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache in a folder, of at most so many bytes. Times are seconds since 1970."""

    root: Path
    bound: int

    def find(self, file: LakeFile, now: float) -> Path | None:
        """Where a file lies, as it seems by its size; None: it is not here. What is found stays for this process."""
        self._held().hold(_slot(file.sha256), now)
        place = self._place(file.sha256)
        return place if _seems(place, file.bytes) else None

    @contextmanager
    def half(self, file: LakeFile, now: float) -> Iterator[tuple[Path, FileIO]]:
        """A file to be filled, for `lay`; it is gone at the end, or is trimmed once its process is dead."""
        self._make_room(file.bytes, now)
        path = self.root / f"{_HALF}{file.sha256}.{os.urandom(8).hex()}"
        with self._held().laying(_slot(file.sha256)):
            made = FileIO(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb")
            fcntl.flock(made, fcntl.LOCK_EX)
        with made:
            try:
                yield path, made
            finally:
                path.unlink(missing_ok=True)

    def lay(self, made: Path, file: LakeFile, now: float, *, believed: bool = True) -> Path:
        """Put a file with those very bytes in its place; what is there stays if it is `believed`, or has them, too."""
        self._held().hold(_slot(file.sha256), now)
        return self._lay(made, file, believed=believed)

    def give(self, made: Path, file: LakeFile, now: float) -> None:
        """Put a file in its place that nobody has asked for yet: nobody holds it."""
        self._make_room(file.bytes, now)
        made.chmod(0o600)  # with what others may write nobody is content
        self._lay(made, file, believed=True)

    def _lay(self, made: Path, file: LakeFile, *, believed: bool) -> Path:
        place = self._place(file.sha256)
        own_folder(place.parent)
        with self._held().laying(_slot(file.sha256)):
            # Who reads it has looked at its stamp: another file in its place would be a change to them.
            if not (_seems(place, file.bytes) and (believed or sha256_of(place) == file.sha256)):
                made.replace(place)
        return place

    def forget(self, file: LakeFile) -> None:
        """Remove a file, whoever was given it: who has opened it reads on."""
        self._place(file.sha256).unlink(missing_ok=True)

    def trim(self, bound: int) -> None:
        """Remove what was read longest ago, and is held by no process, until no more than `bound` bytes are here."""
        held = self._held()
        found = sorted(self._entries())
        total = sum(size for _, size, _ in found)
        for _, size, path in found:
            if total <= bound:
                return
            with held.free(_slot(path.name)) as is_free:
                if is_free:
                    path.unlink(missing_ok=True)
                    total -= size

    def _make_room(self, wanted: int, now: float) -> None:
        held = self._held()
        held.let_go(now - _HELD_SECONDS)
        if held.brought is None or held.brought > self.bound // 16:
            self._drop_halves()
            self.trim(max(0, self.bound - self.bound // 16 - wanted))
            held.brought = 0
        held.brought += wanted

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """Of each file when it was last read, as far as the file system tells, its bytes, and where it is."""
        for folder in os.scandir(self.root):
            if not folder.name.startswith(".") and folder.is_dir(follow_symlinks=False):
                for entry in os.scandir(folder):
                    if _NAME.fullmatch(entry.name):
                        with suppress(FileNotFoundError):
                            state = entry.stat(follow_symlinks=False)
                            if not S_ISDIR(state.st_mode):
                                yield max(state.st_atime, state.st_mtime), state.st_size, Path(entry.path)

    def _drop_halves(self) -> None:
        """Remove what processes left half filled: their locks went with them."""
        held = self._held()
        for path in self.root.glob(f"{_HALF}{'[0-9a-f]' * _SLOT_DIGITS}*"):
            slot = _slot(path.name.removeprefix(_HALF))
            with held.laying(slot), suppress(OSError), open_regular(path) as left:
                fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)

    def _held(self) -> _Held:
        with _OPENING:  # of two that were opened at once each would know half of what this process holds
            return _held(os.getpid(), self.root)

    def _place(self, sha256: str) -> Path:
        return self.root / sha256[:2] / f"{sha256}{_SUFFIX}"


def open_cache() -> Cache:
    """This user's cache. Raises `EnvironmentFault` where there is no folder for it, or its bound is no number."""
    given = os.environ.get(BOUND, str(DEFAULT_MB))
    if not given.isascii() or not given.isdigit() or not int(given):
        raise EnvironmentFault(f"{BOUND} is {given!r}, no number of megabytes", mend=f"{BOUND}={DEFAULT_MB}, say")
    return Cache(user_folder(_FOLDER), int(given) << 20)


def user_folder(name: str) -> Path:
    """A folder in this user's own caches, made if need be. Raises `EnvironmentFault` where there can be none."""
    home = cache_home()
    if home is None or not own_folder(home / name):
        raise EnvironmentFault(
            "there is no folder for caches that is this user's alone, and files of this lake have to be brought here",
            mend=f"name one in {CACHE_HOME}, on a disk with room",
        )
    return home / name


@cache
def _held(_pid: int, root: Path) -> _Held:
    """What a process holds: a child has nothing of its parent's locks."""
    return _Held(os.open(root / _LOCKS, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def _slot(sha256: str) -> int:
    return int(sha256[:_SLOT_DIGITS], 16)


def _seems(place: Path, size: int) -> bool:
    """Whether a file of this user's own, that others cannot write, lies there with that size."""
    try:
        state = place.stat(follow_symlinks=False)
    except OSError:
        return False
    is_own = S_ISREG(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & 0o022
    return is_own and state.st_size == size
