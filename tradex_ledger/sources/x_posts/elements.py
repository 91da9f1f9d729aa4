"""A JSON document cut into its elements, in constant memory: each object of it, and each element of its lists. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tradex_ledger.sources.packed import Corrupt
from tradex_ledger.sources.records import LINE_BYTES_MAX

VALUES_MAX = 2_000_000
"""A line (or an element) with more values than these is not unfolded: of posts, 16 MiB hold a third of them."""
# A whole string, a bracket, or a string that has not ended yet.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}]|"', re.DOTALL)
_BETWEEN = b" \t\r\n,;"


class Record(NamedTuple):
    """One line, or one element of a document: the line that it begins in (from 1), which element it is, its bytes.

    `item` counts from 1 within a document; None for a line.
    """

    line: int
    item: int | None
    raw: bytes


def has_too_many_values(raw: bytes) -> bool:
    """Whether it would fill the memory: 16 MiB of `[{},{},…]` are half a gigabyte once they are unfolded."""
    # Each value follows a comma, or opens what it is in, or is the first in there.
    return len(raw) > VALUES_MAX and sum(raw.count(mark) for mark in (b",", b"[", b"{")) > VALUES_MAX


def elements(pieces: Iterator[bytes]) -> Iterator[Record]:
    """The elements of a document. What stands between them, commas apart, is an element, too: nothing is left out.

    Raises: `Corrupt` for one that is too long.
    """
    cutter = _Cutter()
    for piece in pieces:
        yield from cutter.take_in(piece, is_last=False)
    yield from cutter.take_in(b"", is_last=True)
    yield from cutter.cut(len(cutter.buffer))


class _Cutter:
    """What of a document was not handed out yet, and how deep in brackets it has been looked at."""

    def __init__(self) -> None:
        self.buffer = b""
        self._at = self._depth = self._start = self._item = 0
        self._line = 1

    def take_in(self, piece: bytes, *, is_last: bool) -> Iterator[Record]:
        """The elements that end in this piece. Raises: `Corrupt` for one that is too long."""
        self.buffer += piece
        for token in _TOKEN.finditer(self.buffer, self._at):
            found = token[0]
            if found == b'"' and not is_last:
                break  # the string goes on in the next piece
            self._at = token.end()
            if found in (b"[", b"{"):
                yield from self._open(found, token.start())
            elif found in (b"]", b"}"):
                yield from self._close(token.start())
        self.buffer, self._at, self._start = self.buffer[self._start :], self._at - self._start, 0
        if len(self.buffer) > LINE_BYTES_MAX:
            raise Corrupt(f"an element is longer than {LINE_BYTES_MAX >> 20} MiB")

    def _open(self, bracket: bytes, start: int) -> Iterator[Record]:
        if self._depth == 0:
            yield from self.cut(start)
            if bracket == b"[":  # a list of the document: its elements are what counts
                self._start = self._at
                return
        self._depth += 1

    def _close(self, start: int) -> Iterator[Record]:
        if self._depth == 0:  # the end of a list of the document
            yield from self.cut(start)
            self._start = self._at
            return
        self._depth -= 1
        if self._depth == 0:
            yield from self.cut(self._at)

    def cut(self, end: int) -> Iterator[Record]:
        """What was taken in up to `end`, when it is more than white space."""
        raw = self.buffer[self._start : end]
        said = raw.lstrip(_BETWEEN)
        if said:
            self._item += 1
            before = raw[: len(raw) - len(said)].count(b"\n")
            yield Record(self._line + before, self._item, said.rstrip(_BETWEEN))
        self._line += raw.count(b"\n")
        self._start = end
