"""What all storages have in common: what a file is held against, what is staged, and what a fault means."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from tradex_ledger.domain.day import Day
from tradex_ledger.domain.lake_file import LakeFile
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.errors import EnvironmentFault, TradexError
from tradex_ledger.paths import sync

if TYPE_CHECKING:
    import duckdb  # takes 0.1 s, and who only looks at markers needs none of it

_PIECE_BYTES = 1 << 18


class LakeFileError(EnvironmentFault):
    """A file that an event names is not in the lake as it was written."""

    code = "lake-file"

    def __init__(self, path: str, problem: str, *, is_missing: bool = False) -> None:
        super().__init__(f"the lake file {path} {problem}", mend="restore that very file from a backup")
        self.path = path
        self.is_missing = is_missing
        folders = path.split("/")[:-1]
        self.dataset = folders[0] if folders else None
        self.partition = folders[-1].partition("=")[2] or None if folders else None

    def of_layer(self, layer: str) -> Self:
        """The same error of a file of that layer, as only who asked for the file knows it: what is not Bronze can be
        built again."""
        if layer != LAYERS[0] and self.dataset and self.partition:
            again = f"backfill request forced {self.dataset} --from {self.partition} --to {self.partition} --ticket …"
            self.mend += f", or build it again: tradex {again} --no-override-state --reason …"
        return self


def translate(error: OSError | duckdb.Error, doing: str) -> TradexError:
    """Say what a failed read or write means, with the values, for a person."""
    if isinstance(error, TradexError):  # of a storage that says for itself what it means, and what mends it
        return error
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
    if number == errno.EISDIR:
        return EnvironmentFault(f"a folder stands where a file must be, while {doing}: {text}", mend="name a file")
    if number in (errno.ENOTDIR, errno.EEXIST):
        return EnvironmentFault(
            f"a file stands where a folder must be, while {doing}: {text}",
            mend="move it away, then run the same command again: it resumes",
            code="not-a-folder",
        )
    if type(error).__name__ == "OutOfMemoryException":
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
    digest = hashlib.sha256()
    # Most files are small, and `file_digest` fills a buffer with zeros for each: it would take twice as long.
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def sync_folders(folders: Iterable[Path]) -> None:
    """Make the names in those folders durable."""
    for folder in sorted(set(folders)):
        sync(folder)


class Stamp(NamedTuple):
    """What a system says of a file without reading it: another one, and it may be another file. Times in ns."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def check_size(path: Path, file: LakeFile) -> Stamp:
    """The stamp of a file. Raises `LakeFileError` unless it is there with that size: a look, no proof."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise LakeFileError(file.path, "is missing", is_missing=not os.path.lexists(path)) from None
    except OSError as error:
        raise translate(error, f"reading the lake file {file.path}") from error
    if not stat.S_ISREG(found.st_mode):
        raise LakeFileError(file.path, "is no file any more: it was changed")
    if found.st_size != file.bytes:
        raise LakeFileError(file.path, f"has {found.st_size} bytes, not {file.bytes}: it was changed")
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def check_file(path: Path, file: LakeFile) -> Stamp:
    """Raise `LakeFileError` unless the file is there with those bytes; its stamp is from before they were read."""
    stamp = check_size(path, file)
    try:
        found = sha256_of(path)
    except FileNotFoundError:
        raise LakeFileError(file.path, "is missing", is_missing=True) from None
    except OSError as error:
        raise translate(error, f"reading the lake file {file.path}") from error
    if found != file.sha256:
        raise LakeFileError(file.path, f"has other bytes than were written (SHA-256 is not {file.sha256[:12]}…)")
    return stamp


def check_same(path: Path, file: LakeFile, stamp: Stamp) -> None:
    """Raise `LakeFileError` when a file is not the one any more that it was when it had that stamp."""
    if check_size(path, file) != stamp:
        raise LakeFileError(file.path, "was changed while it was read")
