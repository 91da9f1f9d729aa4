"""A terminal: a stream that keeps what is on its screen, and a pseudo terminal on which a command runs."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

SECONDS = 300
_TOLD = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n])")


def screen_of(raw: str, columns: int = 1_000) -> list[str]:
    """The lines on a screen that is as long as it has to be, after all of it was written."""
    lines, row, column = [""], 0, 0
    for number, deed, returned, fed, text in _TOLD.findall(raw):
        if deed == "A":
            row -= int(number or 1)
        elif deed in ("J", "K"):
            lines[row] = lines[row][:column]
            if deed == "J":
                del lines[row + 1 :]
        elif returned:
            column = 0
        elif fed or (text and column >= columns):
            row, column = row + 1, 0
            lines += [""] * (row == len(lines))
        if text:
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + 1 :]
            column += 1
    return lines


class Screen(io.StringIO):
    """A stream that is a terminal, or is none."""

    def __init__(self, *, is_terminal: bool = True) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def beside(self) -> Screen:
        """Another stream to the same screen, as standard output is beside standard error."""
        other = Screen(is_terminal=self._is_terminal)
        other.write = self.write  # type: ignore[method-assign]  # to one buffer
        return other

    def lines(self) -> list[str]:
        """What is on the screen; `\\n` goes to the beginning of the next line, as a terminal's driver has it."""
        return screen_of(self.getvalue().replace("\n", "\r\n"))


@dataclass
class Ran:
    """What a command left on a terminal of so many columns: its status, all that it wrote, and when (in seconds)."""

    status: int
    raw: str
    columns: int
    moments: list[float] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        return screen_of(self.raw, self.columns)

    def longest_silence_s(self) -> float:
        return max(after - before for before, after in zip([0.0, *self.moments], self.moments, strict=False))


def on_terminal(
    command: Sequence[str],
    *,
    columns: int = 80,
    rows: int = 50,
    environment: Mapping[str, str] = {},
    typed: bytes = b"",
    stdin: int | None = None,
    stdout: int | None = None,
) -> Ran:
    """Run a command on a pseudo terminal that controls nothing, or with its standard input or output elsewhere."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    began = time.monotonic()
    known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        command,
        stdin=slave if stdin is None else stdin,
        stdout=slave if stdout is None else stdout,
        stderr=slave,
        start_new_session=True,
        env={**known, "TERM": "xterm-256color", **environment},
    )
    os.close(slave)
    if typed:
        os.write(master, typed)
    guard = threading.Timer(SECONDS, _end, [process.pid])
    guard.start()
    raw, moments = b"", []
    while True:
        try:
            read = os.read(master, 1 << 16)
        except OSError:  # how Linux says that nobody has the other end
            break
        if not read:
            break
        raw += read
        moments.append(time.monotonic() - began)
    os.close(master)
    ended = process.wait()
    guard.cancel()
    return Ran(ended, raw.decode(), columns, moments)


def _end(group: int) -> None:
    """Of a command that never ends; whoever is left of it would keep the terminal open."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
