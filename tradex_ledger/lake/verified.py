"""A file of the lake is what its event says: who reads one holds its bytes against their digest, once.

Once a process, and once for all processes of a user while a file's stamp (device, inode, size, times of change) stays
as it was: what was found right is remembered for seven days, under the user's own key, in the user's own folder.
Whatever writes (a rebuild, dedup) and whatever looks for damage does not go by that memory: it hashes, each time.

DuckDB opens the files by their names after they were hashed. So all stamps are looked at again once the answer is
there, before anybody sees it: a file that was written to or put in another's place meanwhile is named. A stamp says
nothing of a change within the same tick of the file system's clock; therefore a file that was changed within the last
two seconds is believed for this one reading only.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.keyed import cache_home, read_sealed, seal, write_sealed
from tradex_ledger.lake.inputs import check_near
from tradex_ledger.lake.port import Files
from tradex_ledger.lake.storage import Stamp, check_same, check_size

KEPT_SECONDS = 7 * 86_400
SETTLED_NS = 2_000_000_000
ENTRIES_MAX = 200_000
HASHERS = 4
NOT_VERIFIED = "the files of the lake were not verified: their sizes were looked at, their digests were not"
NOT_KEPT = "that the files were verified is not remembered: there is no folder for caches that is this user's alone"
_LABEL = "verified files 1"
_ENTRY = struct.Struct("<24sQ")  # what was found right, and when (seconds since 1970)
_FOR_A_POOL = 8


class Verified:
    """What was found right of one lake's files: in this process, and in the user's cache for all processes."""

    def __init__(self, lake: Files) -> None:
        self.lake = lake
        self.new: dict[bytes, int] = {}
        self.homeless = False

    def holds(self, file: LakeFile, stamp: Stamp) -> bool:
        """Whether a file with that stamp was found right, not more than seven days ago."""
        when, now = self._known().get(self._key(file, stamp)), self._now()
        return when is not None and now - KEPT_SECONDS < when <= now

    def add(self, file: LakeFile, stamp: Stamp) -> None:
        """Remember a file that was hashed, unless it was changed only just now."""
        now = self._now()
        if stamp.changed_ns + SETTLED_NS < now * 1_000_000_000:
            key = self._key(file, stamp)
            self._known()[key] = self.new[key] = now

    def _known(self) -> dict[bytes, int]:
        if self.lake.seen.known is None:
            self.lake.seen.known = _read(self._path())
        return self.lake.seen.known

    def keep(self) -> None:
        """Put what is new into the cache. Two who do so at one time: the last one's stays, it is only a cache."""
        path = self._path()
        if not self.new:
            return
        if path is None:
            # Without a key, the command's end tells so; with one, it is the folder that is not there.
            self.homeless = seal(b"", _LABEL) is not None
            return
        now = self._now()
        alive = {key: when for key, when in (_read(path) | self.new).items() if now - KEPT_SECONDS < when <= now}
        newest = sorted(alive.items(), key=lambda entry: entry[1])[-ENTRIES_MAX:]
        # A torn file bears no right tag.
        if write_sealed(path, b"".join(_ENTRY.pack(*entry) for entry in newest), _LABEL):
            self.new = {}

    def _key(self, file: LakeFile, stamp: Stamp) -> bytes:
        told = "\0".join((self.lake.name, file.path, *map(str, stamp), file.sha256))
        return hashlib.sha256(os.fsencode(told)).digest()[:24]

    def _path(self) -> Path | None:
        home = cache_home()
        name = self.lake.name  # a folder has one cache, whatever links lead to it
        real = os.path.realpath(name) if name.startswith("/") else name
        place = hashlib.sha256(os.fsencode(real)).hexdigest()[:32]
        return None if home is None else home / f"{place}-verified"

    def _now(self) -> int:
        return int(self.lake.seen.clock().timestamp())


class Reading:
    """The files that one answer is read from: each is checked when it is met, and all once more at the end.

    With `trusting`, sizes are looked at and no more.
    """

    def __init__(self, lake: Files, *, trusting: bool = False) -> None:
        self.lake = lake
        self.verified = Verified(lake)
        self.trusting = trusting
        self.hashed = 0
        self._stamps: dict[LakeFile, Stamp] = {}

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()

    @property
    def warnings(self) -> list[str]:
        """What somebody should know of an answer from these files."""
        if self.trusting:
            return [NOT_VERIFIED] if self._stamps else []
        return [NOT_KEPT] if self.verified.homeless else []

    def check(self, files: Iterable[LakeFile]) -> None:
        """Raise `LakeFileError` at the first file that is not there as its event says, `EnvironmentFault` at one that
        cannot be read."""
        wanted = [file for file in dict.fromkeys(files) if file not in self._stamps]
        unknown = []
        self.lake.bring(wanted)
        for file in wanted:
            stamp = check_size(self.lake.near(file), file)
            self._stamps[file] = stamp
            if not self.trusting and not self.verified.holds(file, stamp):
                unknown.append(file)
        for file, stamp in zip(unknown, self._hash(unknown), strict=True):
            self._stamps[file] = stamp
            self.verified.add(file, stamp)
        self.hashed += len(unknown)
        self.verified.keep()

    def close(self) -> None:
        """Raise `LakeFileError` at a file that was changed since it was checked."""
        for file, stamp in self._stamps.items():
            check_same(self.lake.near(file), file, stamp)

    def _hash(self, files: list[LakeFile]) -> Iterator[Stamp]:
        if len(files) < _FOR_A_POOL:
            yield from map(self._checked, files)
            return
        # Hashing lets other threads go on.
        with ThreadPoolExecutor(min(HASHERS, os.cpu_count() or 1)) as pool:
            yield from pool.map(self._checked, files)

    def _checked(self, file: LakeFile) -> Stamp:
        return check_near(self.lake, file)


def _read(path: Path | None) -> dict[bytes, int]:
    """The cache's entries; none where there is no cache that this user made."""
    body = None if path is None else read_sealed(path, _LABEL)
    return dict(_ENTRY.iter_unpack(body)) if body and len(body) % _ENTRY.size == 0 else {}
