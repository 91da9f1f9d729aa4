"""Packed files, unpacked piece by piece in constant memory. No I/O of its own."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from tradex_ledger.offered import Late

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = Late("pyarrow")

PIECE_BYTES = 1 << 20
"""About so much is handed on at a time."""
_CHUNK_BYTES = 1 << 18
_GZIP_FORMAT = 31  # zlib's wbits for a gzip member whose checksum and length are verified
RATIO_MAX = 200
"""A packed file may unpack to so many times its size: texts come to 8 to 20, what is to fill a disk to thousands."""
UNPACKED_FREE = 64 << 20
"""So many bytes are unpacked before that is asked."""


class Corrupt(Exception):
    """Why the bytes of a file are not what was delivered."""


class Reader(Protocol):
    """What is read piece by piece; `taken` counts what was."""

    taken: int

    def read(self, n_bytes: int, /) -> bytes: ...


def unpacked(file: Reader, name: str) -> Iterator[bytes]:
    """The content of a file, piece by piece, packed or not, as its name (in lower case) says. Raises: `Corrupt`."""
    unpack = {".gz": _gunzip, ".bz2": _bunzip2, ".zst": _unzstd}.get(name[name.rfind(".") :])
    if unpack is None:
        yield from _plain(file)
        return
    n_bytes = 0
    for piece in unpack(file):
        n_bytes += len(piece)
        if n_bytes > UNPACKED_FREE + RATIO_MAX * file.taken:
            raise Corrupt(
                f"{file.taken} bytes of it unpack to {n_bytes >> 20} MiB, more than {RATIO_MAX} times as much"
            )
        yield piece


def _plain(file: Reader) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece


def _gunzip(file: Reader) -> Iterator[bytes]:
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
            unpacked = member.decompress(packed, PIECE_BYTES)
        except zlib.error as error:
            raise Corrupt(f"the gzip data is corrupt ({error})") from error
        if unpacked:
            yield unpacked
        elif not packed and not member.eof:  # only now: without input it may still hold back output
            raise Corrupt("the gzip data ends early")


def _bunzip2(file: Reader) -> Iterator[bytes]:
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
            unpacked = stream.decompress(packed, PIECE_BYTES)
        except (OSError, ValueError) as error:
            raise Corrupt(f"the bzip2 data is corrupt ({error})") from error
        fresh = False
        if unpacked:
            yield unpacked


class _ArrowFile:
    """A reader as Arrow wants one; it remembers whether there was anything at all."""

    closed = False

    def __init__(self, file: Reader) -> None:
        self._file, self.bytes = file, 0

    def close(self) -> None:
        """It is closed by who opened it."""

    def read(self, n_bytes: int = -1) -> bytes:
        piece = self._file.read(n_bytes if n_bytes >= 0 else _CHUNK_BYTES)
        self.bytes += len(piece)
        return piece


def _unzstd(file: Reader) -> Iterator[bytes]:
    """The content of all Zstandard frames of a file, unpacked by Arrow."""
    packed = _ArrowFile(file)
    stream = pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), "zstd")
    while True:
        try:
            unpacked = stream.read(PIECE_BYTES)
        except OSError as error:
            early = "Truncated" in str(error)
            raise Corrupt("the zstd data ends early" if early else f"the zstd data is corrupt ({error})") from error
        if not unpacked:
            break
        yield unpacked
    if not packed.bytes:
        raise Corrupt("the zstd data is empty")
