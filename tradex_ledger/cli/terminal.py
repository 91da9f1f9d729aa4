"""What a terminal can do, as far as a stream tells."""

from __future__ import annotations

import os
from typing import TextIO

_DUMB = ("", "dumb", "unknown")


def is_drawn_on(stream: TextIO) -> bool:
    """Whether a stream is a terminal on which lines can be drawn over."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in _DUMB


def size_of(stream: TextIO) -> tuple[int, int]:
    """Columns and rows: as the environment says, else as the terminal does, whatever TERM says.

    It is asked of the stream: `shutil` asks one that is detached where Python has no buffers, and believes in 80.
    """
    try:
        size = os.get_terminal_size(stream.fileno())
        columns, rows = size.columns or 80, size.lines or 24
    except (OSError, ValueError):
        columns, rows = 80, 24
    return int(os.environ.get("COLUMNS") or columns), int(os.environ.get("LINES") or rows)


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream takes every character."""
    encoding: str | None = getattr(stream, "encoding", None)
    return encoding is None or encoding.lower().replace("_", "-").startswith(("utf-8", "utf8", "utf-16", "utf-32"))
