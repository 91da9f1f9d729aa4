"""JSON lines in a file: appended, durable, each once.

What was appended last stands in the file itself, so a crash between the line and the position that is kept doubles
nothing: a line that is there is not written again, and one that was cut off is taken away first.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import orjson

from tradex_ledger.domain.facts import facts_of
from tradex_ledger.feeds.errors import FeedFileError
from tradex_ledger.feeds.port import TAKEN, Answer, Holds, Message
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.ask import at_positions
from tradex_ledger.ledger.select import Store
from tradex_ledger.paths import sync

_STEP = 1 << 16
_LONGEST = 1 << 26
_BEGUN = b'{"eventTime":'
"""How each line begins: what stands in a file without a whole line is ours, and half, if it begins so."""
FACET = "tradex_ledger"
"""Where a line says of which ledger, position and part it is."""


class _Said(NamedTuple):
    ledger: object
    leaf: object
    position: str | int
    part: str | int


class Lines:
    """A file that messages are appended to. Raises: `FeedFileError`, `EnvironmentFault`."""

    def __init__(self, path: Path, store: Store) -> None:
        self._path, self._store = path, store
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
            if is_new:
                sync(path.parent)
        except OSError as error:
            raise translate(error, f"opening {path}") from error
        try:
            self._last = self._whole()
        except BaseException:
            os.close(self._file)
            raise

    def deliver(self, message: Message) -> Answer:
        """Append a line, unless it is there."""
        if (message.position, message.part) <= self._last:
            return TAKEN
        try:
            _write(self._file, message.body + b"\n")
            os.fsync(self._file)
        except OSError as error:
            self._whole()  # half a line is none
            return Answer(error.strerror or str(error))
        self._last = Holds(message.position, message.part)
        return TAKEN

    def holds(self) -> Holds | None:
        """What the last line is of."""
        return self._last if self._last.position else None

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)

    def _whole(self) -> Holds:
        """What the last line is of, once half a line behind it is gone. In a file of somebody else nothing is cut."""
        try:
            size = os.fstat(self._file).st_size
            end, line = _last_line(self._file, size)
            said = self._known(line) if end else Holds(0, 0)
            if end < size:
                half = os.pread(self._file, len(_BEGUN), end)
                if end == 0 and not (half == _BEGUN[: len(half)] and size < _LONGEST):
                    raise FeedFileError(self._path, "begins with what no feed of a ledger wrote")
                os.ftruncate(self._file, end)
                os.fsync(self._file)
        except OSError as error:
            raise translate(error, f"reading {self._path}") from error
        return said

    def _known(self, line: bytes) -> Holds:
        """What a line of ours is of: an event that this ledger has. Where it was put back to an earlier state and went
        on otherwise, positions mean something else by now, and a line that is there would be passed over in silence.
        """
        try:
            said = facts_of(_Said, orjson.loads(line)["run"]["facets"][FACET])
            ledger, leaf, last = str(said.ledger), said.leaf, Holds(int(said.position), int(said.part))
        except (ValueError, KeyError, TypeError, OverflowError):
            raise FeedFileError(self._path, "ends with a line that no feed of a ledger wrote") from None
        if ledger != self._store.ledger:
            raise FeedFileError(self._path, f"is of the ledger {ledger}, and this is {self._store.ledger}")
        is_there = 0 < last.position <= self._store.position()
        if not is_there or leaf not in [row.leaf.hex() for row in at_positions(self._store, [last.position])]:
            raise FeedFileError(self._path, f"tells of an event at position {last.position} that this ledger has not")
        return last


def _last_line(file: int, size: int) -> tuple[int, bytes]:
    """Where the last whole line ends, and the line."""
    tail, begin = b"", size
    while begin and len(tail) < _LONGEST:
        step = min(_STEP, begin)
        begin -= step
        tail = os.pread(file, step, begin) + tail
        end = tail.rfind(b"\n")
        start = tail.rfind(b"\n", 0, max(end, 0))
        if end >= 0 and (start >= 0 or begin == 0):
            return begin + end + 1, tail[start + 1 : end]
    return 0, b""


def _write(file: int, line: bytes) -> None:
    while line:
        line = line[os.write(file, line) :]
