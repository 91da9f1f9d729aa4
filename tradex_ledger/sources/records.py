"""A delivered file as records: one a line, or one an element of a longer JSON document; packed or not.

A file holds a document, not lines, when its first line alone is no JSON: a list or a page over several lines, or a part
of the platform's archive (`window.YTD.tweets.part0 = […]`). Everything is read in constant memory.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Protocol

import orjson

from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.sources.elements import LINE_BYTES_MAX, Corrupt, Record, elements, has_too_many_values
from tradex_ledger.sources.packed import PIECE_BYTES, unpacked

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ARCHIVE = re.compile(rb"\s*window\.YTD\.([A-Za-z0-9_-]+)\.part[0-9]+\s*=\s*")
_ARCHIVED_POSTS = (b"tweet", b"tweets", b"post", b"posts")


class NoPostsInside(Exception):
    """Why nothing of a file is read, though its name ends as if it should be."""


class LeftForLater(NoPostsInside):
    """The end of a file was not read: it grew meanwhile. Told after its last whole record."""

    def __init__(self) -> None:
        super().__init__("it grew while it was read: what came meanwhile is left for the next time")


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


def read_records(path: Path, digest: Digest | None = None) -> Iterator[Record]:
    """Each record of a file, in its order; blank lines of a file of lines count and are handed out, too.

    At the end, `digest` (when given) has taken in all bytes of the file.

    Raises:
        FileUnreadable: after the last record that could be read whole.
        NoPostsInside: before the first, for a part of an archive that holds something else.
        LeftForLater: after the last whole record of a file that grew while it was read.
    """
    n_records = 0
    try:
        # A pipe in its place would hold up who opens it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            file = _Opened(descriptor, digest)
            for record in _whole_records(file, path.name.lower()):
                n_records += 1
                yield record
        finally:
            os.close(descriptor)
    except Corrupt as corrupt:
        raise FileUnreadable(path, str(corrupt), n_records) from corrupt
    except OSError as error:
        why, is_denied = error.strerror or type(error).__name__, isinstance(error, PermissionError)
        raise FileUnreadable(path, why, n_records, is_denied=is_denied) from error


def _whole_records(file: _Opened, name: str) -> Iterator[Record]:
    """The records, without what may be half of one because more of the file is coming. Raises: `LeftForLater`."""
    last: Record | None = None
    is_cut = False
    try:
        for record in _records(unpacked(file, name), name):
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
    if len(line) > LINE_BYTES_MAX:
        return False  # a longer document's beginning
    if has_too_many_values(line):
        return True  # never unfolded; it is rejected as a line
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
