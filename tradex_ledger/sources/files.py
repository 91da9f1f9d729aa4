"""A folder of delivered files, one post a line: the source for those who receive the data as files."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from tradex_ledger.errors import EnvironmentFault, UsageError
from tradex_ledger.paths import check_name, given, written

SUFFIXES = (".jsonl", ".jsonl.gz")
_CHUNK_BYTES = 1 << 18
_PIECE_BYTES = 1 << 20
LINE_BYTES_MAX = 16 << 20
_GZIP_FORMAT = 31  # zlib's wbits for a gzip member whose checksum and length are verified
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Digest(Protocol):
    """A digest that takes in bytes, such as `hashlib.sha256()`."""

    def update(self, data: bytes, /) -> None: ...


class SourceFile(NamedTuple):
    """A delivered file: where it is, its name relative to the folder (always with `/`), its size."""

    path: Path
    name: str
    bytes: int


class FolderUnreadable(EnvironmentFault):
    """The folder that the posts are delivered to cannot be listed."""

    code = "source-folder-unreadable"

    def __init__(self, folder: Path, why: str) -> None:
        super().__init__(
            f"The source folder {folder} cannot be read: {why}.",
            mend="Create it, let this user read it, or correct the source of the workspace (files:PATH).",
        )


class FileUnreadable(EnvironmentFault):
    """A delivered file ends early, is corrupt, or cannot be opened."""

    code = "source-file-unreadable"

    def __init__(self, path: Path, why: str, n_lines: int) -> None:
        lines = "1 line was" if n_lines == 1 else f"{n_lines} lines were"
        super().__init__(
            f"{path.name} cannot be read to its end: {why}; {lines} readable.",
            mend=f"Deliver the file again, or move it out of {path.parent}.",
        )


class _Corrupt(Exception):
    """Why the bytes of a file are not what was delivered."""


@dataclass(frozen=True, slots=True)
class FilesSource:
    """All `.jsonl` and `.jsonl.gz` files in and below a folder."""

    folder: Path
    base: Path | None = None
    """The folder of the workspace: what lies in it is named relative to it, so that both can move."""

    def describe(self) -> str:
        """The source as it is written in the workspace and in the ledger."""
        return f"files:{written(self.folder, self.base) if self.base else self.folder}"

    def is_meant(self, described: str) -> bool:
        """Whether a description, however it was written, means this very folder."""
        return open_source(described, self.base).folder.resolve() == self.folder.resolve()

    def list_files(self) -> list[SourceFile]:
        """What has been delivered so far, by relative name.

        Raises:
            FolderUnreadable: also when only a folder below it is, since its files would be missed in silence.
        """
        found: list[SourceFile] = []
        try:
            for folder, _, names in os.walk(self.folder, onerror=_raise):
                paths = [Path(folder, name) for name in names if name.endswith(SUFFIXES)]
                found += [SourceFile(path, self._name(path), path.stat().st_size) for path in paths]
        except OSError as error:
            where = Path(error.filename) if error.filename else self.folder
            raise FolderUnreadable(where, error.strerror or type(error).__name__) from error
        return sorted(found, key=lambda file: file.name)

    def _name(self, path: Path) -> str:
        # A name that is not UTF-8 could neither be stored nor hashed later on.
        return os.fsencode(path.relative_to(self.folder).as_posix()).decode(errors="replace")

    def read_lines(self, path: Path) -> Iterator[tuple[int, bytes]]:
        """The lines of one file, see `read_lines`."""
        return read_lines(path)

    def groups(self, files: Sequence[SourceFile], n_bytes: int) -> list[list[SourceFile]]:
        """The files in groups of about `n_bytes`, see `groups`."""
        return groups(files, n_bytes)


def _raise(error: OSError) -> None:
    raise error


def groups(files: Sequence[SourceFile], n_bytes: int) -> list[list[SourceFile]]:
    """Neighbouring files in groups of about `n_bytes` each, for reading in parallel; a file is never split.

    The groups follow from the files alone, so that a run that is taken up again meets the same ones.
    """
    total = sum(file.bytes for file in files)
    n_groups = max(1, round(total / max(1, n_bytes)))
    gathered: dict[int, list[SourceFile]] = {}
    before = 0
    for file in files:
        middle = before + file.bytes / 2
        gathered.setdefault(int(middle * n_groups / max(1, total)), []).append(file)
        before += file.bytes
    return list(gathered.values())


class _Reader(Protocol):
    """What is read piece by piece."""

    def read(self, n_bytes: int, /) -> bytes: ...


class _Digested:
    """Passes on what is read of a file and digests it: these very bytes, whoever replaces the file meanwhile."""

    def __init__(self, file: _Reader, digest: Digest) -> None:
        self._file, self._digest = file, digest

    def read(self, n_bytes: int, /) -> bytes:
        piece = self._file.read(n_bytes)
        self._digest.update(piece)
        return piece


def read_lines(path: Path, digest: Digest | None = None) -> Iterator[tuple[int, bytes]]:
    """Each line with its number, from 1, without its newline, in constant memory.

    At the end, `digest` (when given) has taken in all bytes of the file.

    Raises:
        FileUnreadable: after the last line that could be read whole.
    """
    number = 0
    try:
        with path.open("rb") as opened:
            file: _Reader = opened if digest is None else _Digested(opened, digest)
            pieces = _gunzip(file) if path.name.endswith(".gz") else _plain(file)
            for number, line in enumerate(_split(pieces), start=1):
                yield (
                    number,
                    (line if number > 1 else line.removeprefix(_BYTE_ORDER_MARK)).removesuffix(b"\r"),
                )
    except _Corrupt as corrupt:
        raise FileUnreadable(path, str(corrupt), number) from corrupt
    except OSError as error:
        raise FileUnreadable(path, error.strerror or type(error).__name__, number) from error


def _split(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest: list[bytes] = []
    rest_bytes = 0
    for piece in pieces:
        *lines, last = piece.split(b"\n")
        if lines:
            rest.append(lines[0])
            yield b"".join(rest)
            yield from lines[1:]
            rest, rest_bytes = [], 0
        rest.append(last)
        rest_bytes += len(last)
        if rest_bytes > LINE_BYTES_MAX:
            # A file without newlines, or a few kilobytes that unpack to gigabytes, must not fill the memory.
            raise _Corrupt(f"a line is longer than {LINE_BYTES_MAX >> 20} MiB")
    if rest_bytes:
        yield b"".join(rest)


def _plain(file: _Reader) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece


def _gunzip(file: _Reader) -> Iterator[bytes]:
    """The content of all gzip members of a file.

    By zlib itself, because `gzip` drops what it had unpacked before the place where the file is broken.
    """
    member = zlib.decompressobj(_GZIP_FORMAT)
    while True:
        if member.eof:
            packed = (member.unused_data or file.read(_CHUNK_BYTES)).lstrip(b"\0")  # RFC 1952 allows padding
            while not packed and (more := file.read(_CHUNK_BYTES)):
                packed = more.lstrip(b"\0")
            if not packed:
                return
            member = zlib.decompressobj(_GZIP_FORMAT)
        else:
            packed = member.unconsumed_tail or file.read(_CHUNK_BYTES)
        try:
            unpacked = member.decompress(packed, _PIECE_BYTES)
        except zlib.error as error:
            raise _Corrupt(f"the gzip data is corrupt ({error})") from error
        if unpacked:
            yield unpacked
        elif not packed and not member.eof:  # only now: without input it may still hold back output
            raise _Corrupt("the gzip data ends early")


def open_source(uri: str, base: Path | None = None) -> FilesSource:
    """The source that a URI names: `files:FOLDER`. A relative folder belongs to `base`, else to the current one."""
    scheme, _, rest = uri.partition(":")
    if scheme != "files" or not rest:
        raise UsageError(f"{uri!r} names no source", mend="write files:PATH, the folder of .jsonl or .jsonl.gz files")
    folder = given(rest, base or Path.cwd())
    check_name(folder, "the source")
    return FilesSource(folder, base)
