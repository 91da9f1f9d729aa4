"""Texts, sizes and durations for people."""

from __future__ import annotations

TEXT_MAX = 72


def short(text: object, length: int = TEXT_MAX) -> str:
    """A text on one line, cut where it would run on."""
    flat = " ".join(str(text if text is not None else "-").split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"


def bytes_text(count: int | None) -> str:
    """A number of bytes for people: 1.4 MiB."""
    size = float(count or 0)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def seconds_text(milliseconds: int | None) -> str:
    """A duration for people: 3.2 s, 4 min 10 s."""
    if milliseconds is None:
        return "-"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
