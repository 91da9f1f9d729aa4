"""A delivered file, packed or not, cut into records: read as far as it went when it was opened, in constant memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.sources.packed import PIECE_BYTES, Corrupt, unpacked
from tradex_ledger.sources.source import Digest, NothingInside

LINE_BYTES_MAX = 16 << 20
T = TypeVar("T")

Cut = Callable[[Iterator[bytes], str], Iterator[T]]
"""Cuts the pieces of a file, whose name (in lower case) it is told. Raises: `Corrupt`, `NothingInside`."""


class LeftForLater(NothingInside):
    """The end of a file was not read: it grew meanwhile. Told after its last whole record."""

    def __init__(self) -> None:
        super().__init__("it grew while it was read: what came meanwhile is left for the next time")


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


class _Opened:
    """An open file, read as far as it went when it was opened: one that grows has an end all the same.

    What is read is counted and digested: these very bytes, whoever replaces the file meanwhile.
    """

    def __init__(self, descriptor: int, digest: Digest | None) -> None:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Corrupt("it is no file any more, but a pipe, a socket, a device or a folder")
        self._descriptor, self._digest, self._size = descriptor, digest, found.st_size
        self.taken = 0

    def read(self, n_bytes: int, /) -> bytes:
        piece = os.read(self._descriptor, min(n_bytes, self._size - self.taken))
        self.taken += len(piece)
        if self._digest is not None:
            self._digest.update(piece)
        return piece

    def grew(self) -> bool:
        """Whether there is more of it now than when it was opened."""
        return os.fstat(self._descriptor).st_size > self._size


def read_file(path: Path, cut: Cut[T], digest: Digest | None = None) -> Iterator[T]:
    """Each record of a file, in its order, as `cut` cuts it.

    At the end, `digest` (when given) has taken in all bytes of the file.

    Raises:
        FileUnreadable: after the last record that could be read whole.
        NothingInside: what `cut` raises.
        LeftForLater: after the last whole record of a file that grew while it was read.
    """
    n_records = 0
    try:
        # A pipe in its place would hold up who opens it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            file = _Opened(descriptor, digest)
            for record in _whole(file, cut, path.name.lower()):
                n_records += 1
                yield record
        finally:
            os.close(descriptor)
    except Corrupt as corrupt:
        raise FileUnreadable(path, str(corrupt), n_records) from corrupt
    except OSError as error:
        why, is_denied = error.strerror or type(error).__name__, isinstance(error, PermissionError)
        raise FileUnreadable(path, why, n_records, is_denied=is_denied) from error


def _whole(file: _Opened, cut: Cut[T], name: str) -> Iterator[T]:
    """The records, without what may be half of one because more of the file is coming. Raises: `LeftForLater`."""
    last: T | None = None
    is_cut = False
    try:
        for record in cut(unpacked(file, name), name):
            if last is not None:
                yield last
            last = record
    except Corrupt:
        if not file.grew():
            if last is not None:
                yield last
            raise
        is_cut = True
    while file.read(PIECE_BYTES):
        pass  # what no record needed is part of the file all the same
    if is_cut or file.grew():
        raise LeftForLater
    if last is not None:
        yield last


def lines_of(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a file, each without its newline, blank ones too. Raises: `Corrupt` for one that is too long."""
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
