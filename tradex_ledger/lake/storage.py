"""A folder as a lake: files are staged, made durable, then given their final name once and never changed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from tradex_ledger.clock import utc_now
from tradex_ledger.domain.day import Day
from tradex_ledger.errors import EnvironmentFault, TradexError
from tradex_ledger.lake import markers
from tradex_ledger.paths import is_there, literal

STAGING = markers.STAGING


class LakeFileError(EnvironmentFault):
    """A file that an event names is not in the lake as it was written."""

    code = "lake-file"

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(
            f"the lake file {path} {problem}",
        )
        self.path = path
        folders = path.split("/")[:-1]
        self.dataset = folders[0] if folders else None
        self.partition = folders[-1].partition("=")[2] or None if folders else None
        self.mend = "restore that very file from a backup"
        if self.dataset and self.partition and not self.dataset.startswith("bronze_"):
            again = f"backfill request forced {self.dataset} --from {self.partition} --to {self.partition} --ticket …"
            self.mend += f", or build it again: tradex {again} --no-override-state --reason …"


def translate(error: OSError | duckdb.Error, doing: str) -> TradexError:
    """Say what a failed read or write means, with the values, for a person."""
    text = str(error).splitlines()[0]
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "No space left" in text:
        return EnvironmentFault(
            f"the disk is full while {doing}",
            mend="make room, then run the same command again: it resumes",
            code="disk-full",
        )
    if number in (errno.EACCES, errno.EPERM, errno.EROFS) or "Permission denied" in text:
        return EnvironmentFault(
            f"no permission while {doing}: {text}",
            mend="give this user access there",
            code="no-permission",
        )
    if number in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return EnvironmentFault(
            f"a file stands where a folder must be, while {doing}: {text}",
            mend="move it away, then run the same command again: it resumes",
            code="not-a-folder",
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return EnvironmentFault(
            f"out of memory while {doing}: {text}",
            mend="make windows smaller: window_partitions under [policy]",
        )
    return EnvironmentFault(f"failed while {doing}: {text}", mend="run the same command again: it resumes")


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A durable file that no event names yet. `day` is an ordinal, `sha256` of its bytes, in hex."""

    day: Day
    path: Path
    rows: int
    bytes: int
    sha256: str


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_file(path: Path) -> None:
    """Make a file's bytes durable (DuckDB does not)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folders(folders: Iterable[Path]) -> None:
    """Make the names in those folders durable."""
    for folder in sorted(set(folders)):
        sync_file(folder)


class Stamp(NamedTuple):
    """What a system says of a file without reading it: another one, and it may be another file. Times in ns."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def check_size(path: Path, shown: str, *, size: int) -> Stamp:
    """The stamp of a file. Raises `LakeFileError` unless it is there with that size: a look, no proof."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise LakeFileError(shown, "is missing") from None
    except OSError as error:
        raise translate(error, f"reading the lake file {shown}") from error
    if not stat.S_ISREG(found.st_mode):
        raise LakeFileError(shown, "is no file any more: it was changed")
    if found.st_size != size:
        raise LakeFileError(shown, f"has {found.st_size} bytes, not {size}: it was changed")
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def check_file(path: Path, shown: str, *, size: int, sha256: str) -> Stamp:
    """Raise `LakeFileError` unless the file is there with those bytes; its stamp is from before they were read."""
    stamp = check_size(path, shown, size=size)
    try:
        found = sha256_of(path)
    except FileNotFoundError:
        raise LakeFileError(shown, "is missing") from None
    except OSError as error:
        raise translate(error, f"reading the lake file {shown}") from error
    if found != sha256:
        raise LakeFileError(shown, f"has other bytes than were written (SHA-256 is not {sha256[:12]}…)")
    return stamp


def check_same(path: Path, shown: str, stamp: Stamp) -> None:
    """Raise `LakeFileError` when a file is not the one any more that it was when it had that stamp."""
    if check_size(path, shown, size=stamp.size) != stamp:
        raise LakeFileError(shown, "was changed while it was read")


class LocalLake:
    """A lake in a folder of this machine (or mounted on it)."""

    def __init__(self, root: Path, *, reading: bool = False, clock: Callable[[], datetime] = utc_now) -> None:
        self.root = root
        self.reading = reading
        self.clock = clock
        # What `lake/verified.py` knows of its files; None: the cache was not read yet.
        self.verified: dict[bytes, int] | None = None

    def absolute(self, relative: str) -> Path:
        """Where a file of an event is."""
        return self.root / relative

    def has(self, relative: str, size: int) -> bool:
        """Whether a file is there with that size: a look, no proof (`check_file` is one)."""
        return is_there(self.absolute(relative), size)

    def check_writable(self) -> None:
        """Raise `EnvironmentFault` before any work when nothing could be written; not where nothing will be."""
        if self.reading:
            return
        try:
            probe = self.root / STAGING
            probe.mkdir(parents=True, exist_ok=True)
            if not os.access(probe, os.W_OK | os.X_OK) or not os.access(self.root, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "not writable", str(self.root))
        except OSError as error:
            raise translate(error, f"preparing the lake {self.root}") from error

    def lay(self, marker: markers.Marker) -> None:
        """Lay a marker: whose the lake is, and how far its ledger has come. Raises `OSError`."""
        markers.lay(self.root, marker)

    def new_staging(self, run_id: str, token: str) -> Path:
        """An empty staging folder for one drive of a run; what an earlier, dead drive left there goes."""
        parent = self.root / STAGING
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(f"{run_id}.*"):
            shutil.rmtree(left, ignore_errors=True)
        folder = parent / f"{run_id}.{token}"
        folder.mkdir()
        return folder

    def drop_staging(self, folder: Path) -> None:
        """Remove what a drive staged; what stays behind after a crash is wiped by the next drive of the run."""
        shutil.rmtree(folder, ignore_errors=True)

    def place(self, staged: StagedFile, folder: str, run_id: str, taken: Collection[str] = ()) -> str:
        """Give a staged file its final name, which never existed before. Returns it, relative to the lake.

        A name in `taken` is that of a file that was lost: it is free in the folder, and stays the lost one's in the
        events.

        A crash before leaves a staged file, a crash after an unreferenced one: both are harmless, `lake gc` finds
        them. The caller makes the folders durable with `sync_placed` before any event names the file.
        """
        target = self.root / folder
        target.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            final = target / f"{run_id}-{number}.parquet"
            if f"{folder}/{final.name}" in taken:
                number += 1
                continue
            try:
                _link_new(staged.path, final)
            except FileExistsError:
                number += 1
                continue
            staged.path.unlink()
            return f"{folder}/{final.name}"

    def sync_placed(self, relatives: Iterable[str]) -> None:
        """Make the names of placed files durable, up to the dataset's own folder."""
        folders: set[Path] = set()
        for relative in relatives:
            folder = (self.root / relative).parent
            while folder != self.root.parent:
                folders.add(folder)
                folder = folder.parent
        sync_folders(folders)

    def files(self) -> Iterator[tuple[str, int]]:
        """Each data file in the lake (path relative to it, bytes), staging apart."""
        for path in sorted(self.root.rglob("*.parquet")):
            relative = path.relative_to(self.root)
            if relative.parts[0] != STAGING:
                yield str(relative), path.stat().st_size

    def staged(self) -> list[Path]:
        """The staging folders that drives left."""
        return sorted((self.root / STAGING).glob("*"))


def _link_new(source: Path, final: Path) -> None:
    """Move without ever replacing: a hard link fails where the name exists, a rename would not."""
    try:
        os.link(source, final)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK):
            raise
        # No hard links here: take the name exclusively, then put the bytes under it.
        os.close(os.open(final, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        shutil.copyfile(source, final)
        sync_file(final)


def file_list(paths: list[str]) -> str:
    """A SQL list of files by their very names: DuckDB would take `*`, `?` and `[` in them for patterns."""
    return "[" + ", ".join("'" + literal(path).replace("'", "''") + "'" for path in paths) + "]"
