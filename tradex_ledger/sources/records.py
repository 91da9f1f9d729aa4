"""A delivered file as records: one a line, or one an element of a longer JSON document; packed or not.

A file holds a document, not lines, when its first line alone is no JSON: a list or a page over several lines, or a part
of the platform's archive (`window.YTD.tweets.part0 = […]`). Everything is read in constant memory.
"""

from __future__ import annotations

import bz2
import re
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import orjson
import pyarrow as pa

from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.sources.elements import LINE_BYTES_MAX, Corrupt, Record, elements

_CHUNK_BYTES = 1 << 18
_PIECE_BYTES = 1 << 20
_GZIP_FORMAT = 31  # zlib's wbits for a gzip member whose checksum and length are verified
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ARCHIVE = re.compile(rb"\s*window\.YTD\.([A-Za-z0-9_-]+)\.part[0-9]+\s*=\s*")
_ARCHIVED_POSTS = (b"tweet", b"tweets", b"post", b"posts")


class NoPostsInside(Exception):
    """Why nothing of a file is read, though its name ends as if it should be."""


class Digest(Protocol):
    """A digest that takes in bytes, such as `hashlib.sha256()`."""

    def update(self, data: bytes, /) -> None: ...


class FileUnreadable(EnvironmentFault):
    """A delivered file ends early, is corrupt, or cannot be opened."""

    code = "source-file-unreadable"

    def __init__(self, path: Path, why: str, n_lines: int, *, is_denied: bool = False) -> None:
        mend = "Let this user read it" if is_denied else "Deliver the file again"
        lines = "1 line was" if n_lines == 1 else f"{n_lines} lines were"
        super().__init__(
            f"{path.name} cannot be read to its end: {why}; {lines} readable.",
            mend=f"{mend}, or move it out of {path.parent}.",
        )


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


def read_records(path: Path, digest: Digest | None = None) -> Iterator[Record]:
    """Each record of a file, in its order; blank lines of a file of lines count and are handed out, too.

    At the end, `digest` (when given) has taken in all bytes of the file.

    Raises:
        FileUnreadable: after the last record that could be read whole.
        NoPostsInside: before the first, for a part of an archive that holds something else.
    """
    n_records = 0
    try:
        with path.open("rb") as opened:
            file: _Reader = opened if digest is None else _Digested(opened, digest)
            for record in _records(_unpacked(file, path.name.lower()), path.name.lower()):
                n_records += 1
                yield record
            while digest is not None and file.read(_PIECE_BYTES):
                pass  # what no record needed is part of the file all the same
    except Corrupt as corrupt:
        raise FileUnreadable(path, str(corrupt), n_records) from corrupt
    except OSError as error:
        why, is_denied = error.strerror or type(error).__name__, isinstance(error, PermissionError)
        raise FileUnreadable(path, why, n_records, is_denied=is_denied) from error


def _unpacked(file: _Reader, name: str) -> Iterator[bytes]:
    unpack = {".gz": _gunzip, ".bz2": _bunzip2, ".zst": _unzstd}.get(name[name.rfind(".") :], _plain)
    return unpack(file)


def _records(pieces: Iterator[bytes], name: str) -> Iterator[Record]:
    head = _head(pieces).removeprefix(_BYTE_ORDER_MARK)
    archive = _ARCHIVE.match(head)
    if archive is not None:
        if archive[1].lower() not in _ARCHIVED_POSTS:
            raise NoPostsInside(f"a part of an archive that holds no posts ({archive[1].decode()})")
        yield from elements(chain([head[archive.end() :]], pieces))
    elif _is_document(head, name):
        yield from elements(chain([head], pieces))
    else:
        for number, line in enumerate(_split(chain([head], pieces)), start=1):
            yield Record(number, None, line.removesuffix(b"\r"))


def _head(pieces: Iterator[bytes]) -> bytes:
    """The beginning of a file, up to its second line that is not blank (or as much as a line may hold)."""
    head = b""
    for piece in pieces:
        head += piece
        if head.lstrip().count(b"\n") > 1 or len(head) > LINE_BYTES_MAX:
            break
    return head


def _is_document(head: bytes, name: str) -> bool:
    first, _, rest = head.lstrip().partition(b"\n")
    if first[:1] not in (b"[", b"{") or _is_json(first):
        return False
    # One broken line does not make a document of the lines that follow; what is told on over lines ends its first so.
    second = rest.lstrip().partition(b"\n")[0]
    if first.rstrip()[-1:] in (b"[", b"{", b",", b":"):
        return first[:1] == b"[" or not _is_json(second)
    return not _is_json(second) and (first[:1] == b"[" or ".json" in name.replace(".jsonl", ""))


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


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
            raise Corrupt(f"a line is longer than {LINE_BYTES_MAX >> 20} MiB")
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
            raise Corrupt(f"the gzip data is corrupt ({error})") from error
        if unpacked:
            yield unpacked
        elif not packed and not member.eof:  # only now: without input it may still hold back output
            raise Corrupt("the gzip data ends early")


def _bunzip2(file: _Reader) -> Iterator[bytes]:
    """The content of all bzip2 streams of a file."""
    stream = bz2.BZ2Decompressor()
    fresh = True  # a file ends between two streams, never within one
    while True:
        packed = b"" if not stream.needs_input and not stream.eof else file.read(_CHUNK_BYTES)
        if stream.eof:
            packed = stream.unused_data + packed
            if not packed:
                return
            stream, fresh = bz2.BZ2Decompressor(), True
        elif stream.needs_input and not packed:
            raise Corrupt("the bzip2 data ends early" if not fresh else "the bzip2 data is empty")
        try:
            unpacked = stream.decompress(packed, _PIECE_BYTES)
        except (OSError, ValueError) as error:
            raise Corrupt(f"the bzip2 data is corrupt ({error})") from error
        fresh = False
        if unpacked:
            yield unpacked


class _ArrowFile:
    """A reader as Arrow wants one; it remembers whether there was anything at all."""

    closed = False

    def __init__(self, file: _Reader) -> None:
        self._file, self.bytes = file, 0

    def close(self) -> None:
        """It is closed by who opened it."""

    def read(self, n_bytes: int = -1) -> bytes:
        piece = self._file.read(n_bytes if n_bytes >= 0 else _CHUNK_BYTES)
        self.bytes += len(piece)
        return piece


def _unzstd(file: _Reader) -> Iterator[bytes]:
    """The content of all Zstandard frames of a file, unpacked by Arrow."""
    packed: Any = _ArrowFile(file)
    stream = pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), "zstd")
    while True:
        try:
            unpacked = stream.read(_PIECE_BYTES)
        except OSError as error:
            early = "Truncated" in str(error)
            raise Corrupt("the zstd data ends early" if early else f"the zstd data is corrupt ({error})") from error
        if not unpacked:
            break
        yield unpacked
    if not packed.bytes:
        raise Corrupt("the zstd data is empty")
