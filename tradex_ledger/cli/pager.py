"""A pager for what is longer than the screen, as people have it set: TRADEX_PAGER, PAGER, or less.

It is started by the line that the screen has no room for, and takes what comes after as it comes. Who leaves it has
seen enough: that is no error, and the command ends as it would have.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from tradex_ledger.cli.bars import BARS
from tradex_ledger.cli.loudness import LOUDNESS
from tradex_ledger.cli.show import Show
from tradex_ledger.cli.stages import cells
from tradex_ledger.cli.terminal import is_drawn_on, size_of

_COLOURED = re.compile(r"\x1b\[[0-9;]*m")
_HOW = {"LESS": "FRX", "LV": "-c"}
"""As Git has it: what fits is left on the screen, colours are colours."""


@contextmanager
def paged(show: Show) -> Iterator[None]:
    """What is shown within goes to a pager once it is longer than the screen; only on a terminal with a keyboard."""
    command = _command() if LOUDNESS.pages and is_drawn_on(show.out) and _has_keyboard() else []
    if not command:
        yield
        return
    out, err = show.out, show.err
    with BARS.rest():
        pages = _Pages(out, command)
        show.out = pages
        if err.isatty():  # what is said beside it would be drawn into the pager's screen
            show.err = _Beside(pages)
        try:
            with suppress(_SeenEnough):
                yield
        finally:
            show.out, show.err = out, err
            pages.end()


def _command() -> list[str]:
    """The pager and its arguments; nothing where none is wanted, or there."""
    said = os.environ.get("TRADEX_PAGER", os.environ.get("PAGER"))
    try:
        words = shlex.split("less" if said is None else said)
    except ValueError:  # a quote that is not closed
        return []
    found = shutil.which(words[0]) if words and words != ["cat"] else None
    return [found, *words[1:]] if found else []


def _has_keyboard() -> bool:
    """Whether somebody can turn the pages; a job whose output alone is a terminal would wait for a key for ever."""
    if os.isatty(0):
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


class _SeenEnough(Exception):
    """Who read has left the pager."""


class _Pages(io.TextIOBase):
    """A terminal, until it is full; from then on a pager."""

    def __init__(self, out: TextIO, command: list[str]) -> None:
        self._out, self._command = out, command
        self._columns, self._room = size_of(out)
        self._kept: list[str] = []
        self._pager: subprocess.Popen[bytes] | None = None
        self._handler: object = None

    @property
    def encoding(self) -> str:  # type: ignore[override]  # it is what the terminal has
        return self._out.encoding

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._out.fileno()

    def write(self, text: str, /) -> int:
        if self._pager is None:
            self._kept.append(text)
            self._room -= sum(self._rows(line) for line in text.split("\n")[:-1])
            if self._room < 1:
                self._start()
        else:
            self._hand(text)
        return len(text)

    def end(self) -> None:
        """Show what there is, and wait until it is read."""
        if self._pager is None:
            self._out.write("".join(self._kept))
            self._out.flush()
            return
        assert self._pager.stdin is not None
        with suppress(BrokenPipeError):
            self._pager.stdin.close()
        self._pager.wait()
        if _is_main():
            signal.signal(signal.SIGINT, self._handler)  # type: ignore[arg-type]  # what it was

    def _rows(self, line: str) -> int:
        return max(1, -(-cells(_COLOURED.sub("", line)) // self._columns))

    def _start(self) -> None:
        known = {**_HOW, **os.environ}
        self._out.flush()
        self._pager = subprocess.Popen(self._command, stdin=subprocess.PIPE, env=known)
        if _is_main():  # Ctrl-C is for the pager: who left it behind would have it draw over the prompt
            self._handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._hand("".join(self._kept))

    def _hand(self, text: str) -> None:
        assert self._pager is not None
        assert self._pager.stdin is not None
        try:
            self._pager.stdin.write(text.encode(self.encoding or "utf-8", "backslashreplace"))
            self._pager.stdin.flush()
        except BrokenPipeError:
            raise _SeenEnough from None


class _Beside(io.TextIOBase):
    """What is said beside the result, in its place among it."""

    def __init__(self, pages: _Pages) -> None:
        self._pages = pages

    def isatty(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        return self._pages.write(text)


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()
