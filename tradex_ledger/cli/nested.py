"""Nested values, as the JSON that a cell shows them as, on lines of a terminal: folded between their parts.

No character is added or lost: the lines, one after the other, are the very text.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import orjson

from tradex_ledger.cli.stages import cells

_PART = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",:{}\[\]]+|[{\[](?=[}\]])|[}\]])[}\]]*[,:]?|.', re.DOTALL)
"""What one would not fold within: a text or a word, with the brackets that end there and a comma or colon."""
_WORD = re.compile(r"\S*\s+|\S+$")
_LONGEST = 1 << 20


def is_nested(text: str) -> bool:
    """Whether a text is an object or a list of JSON. One of more than a million characters is not looked at."""
    if text[:1] + text[-1:] not in ("{}", "[]") or len(text) > _LONGEST:
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def nested_folds(text: str, width: int) -> list[str]:
    """JSON as lines that are so wide: folded after a comma, where that does not do after a colon or a bracket, and in a
    text after a space. A word that is longer has a line of its own."""
    lines, here, room = list[str](), "", width
    for piece in _fitting(text, width):
        size = cells(piece.rstrip())
        if here and size > room:
            lines.append(here)
            here, room = "", width
        here += piece
        room -= cells(piece)
    return [*lines, here]


def _fitting(text: str, width: int) -> Iterator[str]:
    """Pieces from comma to comma; those that are wider than a line in their parts, and these in their words."""
    parts = _PART.findall(text)
    ends = [n for n, part in enumerate(parts, 1) if part.endswith(",") or n == len(parts)]
    for first, end in itertools.pairwise([0, *ends]):
        if cells(whole := "".join(parts[first:end])) <= width:
            yield whole
            continue
        for part in parts[first:end]:
            yield from [part] if cells(part) <= width else _WORD.findall(part)
