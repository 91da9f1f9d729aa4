"""Types of columns as they are written: `BIGINT`, `DECIMAL(10, 2)`, `STRUCT(a INTEGER, "b c" VARCHAR[])`.

They stand in headers and events, and go into statements; so nothing that is not wholly a type passes as one. What is
read here is what DuckDB itself writes when it describes a column, and the other names that it has for these types.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tradex_ledger.datasets.judged import TYPES

_TOKEN = re.compile(
    r"""[ ]*(?:
    (?P<quoted> " (?: [^"\x00-\x1f] | "" )+ " )
  | (?P<string> ' (?: [^'\x00-\x1f] | '' )* ' )
  | (?P<word> [A-Za-z_][A-Za-z0-9_]* )
  | (?P<number> [0-9]{1,9} )
  | (?P<sign> [()\[\],] )
    )[ ]*""",
    re.VERBOSE,
)
_NESTED = frozenset({"array", "enum", "list", "map", "row", "struct", "tuple", "union"})
_SIMPLE = TYPES | {"timestamptz", "timestamptz_ns", "timetz"}
_ZONE = ("with", "time", "zone")
_DEEPEST = 50


class _NoTypeError(ValueError):
    """What is read is no type."""


def is_type(text: str) -> bool:
    """Whether a text is a column type and nothing else."""
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return False
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        position = match.end()
    reader = _Reader(tokens)
    try:
        reader.type(0)
    except _NoTypeError:
        return False
    return not reader.left


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.left = tokens[::-1]

    def type(self, depth: int) -> None:
        """Read one type, with what makes it a list: `[]`, `[3]`."""
        kind, text = self._next()
        word = text.lower() if kind == "word" else ""
        if depth > _DEEPEST or not (word in _SIMPLE or (kind, text) == ("quoted", '"NULL"')):
            raise _NoTypeError
        if word in _NESTED:
            self._nested(word, depth + 1)
        elif word:
            self._rest_of_name(word)
            if self._takes("("):
                self._list(lambda: self._one_of("number", "string"))
        while self._takes("["):
            if not self._takes("]"):
                self._one_of("number")
                self._sign("]")

    def _nested(self, word: str, depth: int) -> None:
        self._sign("(")
        if word == "enum":
            self._list(lambda: self._one_of("string"))
        elif word in ("struct", "row", "union"):
            self._list(lambda: self._member(depth))
        elif word in ("map", "tuple"):
            self._list(lambda: self.type(depth))
        else:
            raise _NoTypeError  # lists are written with brackets

    def _member(self, depth: int) -> None:
        self._one_of("word", "quoted")
        self.type(depth)

    def _rest_of_name(self, word: str) -> None:
        following = tuple(text.lower() for kind, text in self.left[:-4:-1] if kind == "word")
        more: tuple[str, ...] = ()
        if word in ("timestamp", "time") and following[:1] in (("with",), ("without",)):
            more = (following[0], *_ZONE[1:])
        if word == "double" and following[:1] == ("precision",):
            more = ("precision",)
        if following[: len(more)] != more:
            raise _NoTypeError
        del self.left[len(self.left) - len(more) :]

    def _list(self, item: Callable[[], None]) -> None:
        """Read what stands in brackets, and the closing one."""
        item()
        while self._takes(","):
            item()
        self._sign(")")

    def _next(self) -> tuple[str, str]:
        if not self.left:
            raise _NoTypeError
        return self.left.pop()

    def _one_of(self, *kinds: str) -> None:
        if self._next()[0] not in kinds:
            raise _NoTypeError

    def _sign(self, sign: str) -> None:
        if self._next() != ("sign", sign):
            raise _NoTypeError

    def _takes(self, sign: str) -> bool:
        if self.left[-1:] != [("sign", sign)]:
            return False
        self.left.pop()
        return True
