"""Two texts beside each other, line by line."""

from __future__ import annotations

from difflib import unified_diff
from typing import NamedTuple


class TextLine(NamedTuple):
    """A line of a difference: whether it is new (`add`), gone (`cut`), a heading (`at`) or as it was."""

    kind: str
    text: str


_KINDS = {"+": "add", "-": "cut", "@": "at"}


def diff_of(before: str, after: str) -> list[TextLine]:
    """What is other in a text, with three lines around."""
    found = unified_diff(before.splitlines(), after.splitlines(), lineterm="")
    return [TextLine(_KINDS.get(line[:1], "same"), line) for line in found if not line.startswith(("---", "+++"))]
