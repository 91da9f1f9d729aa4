"""PromQL, as far as rules and boards of ours speak it: which metrics an expression asks for, by which labels.

Selectors, functions, aggregations with `by` before or behind what they are over, numbers, operators. What is none of
these is an error: a new word is learned here before a rule uses it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

AGGREGATIONS = frozenset({"sum", "max", "min", "avg", "count"})
FUNCTIONS = frozenset({"rate", "increase", "time", "abs"})
_TOKEN = re.compile(
    r'\s*(?:(?P<name>[a-zA-Z_:][\w:]*)|(?P<number>[0-9.]+)|(?P<text>"[^"\\]*")|(?P<range>\[[0-9]+[smhdw]\])|'
    r"(?P<sign>=~|!~|!=|>=|<=|==|[-+*/%><=(){},]))"
)
_OPERATORS = frozenset({"or", "and", "unless", ">", "<", ">=", "<=", "==", "!=", "+", "-", "*", "/", "%"})


@dataclass(frozen=True)
class Selector:
    """A metric as it is asked for: (label, operator, value); `by`: the labels that are left of it (None: all)."""

    name: str
    matchers: tuple[tuple[str, str, str], ...] = ()
    by: tuple[str, ...] | None = None


@dataclass
class Parsed:
    selectors: list[Selector] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.selectors]


def parse(expression: str) -> Parsed:
    """Raises `ValueError` for what it does not know."""
    tokens, at = [], 0
    text = expression.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"{text[at:]!r} in {expression!r}")
        tokens.append(match[0].strip())
        at = match.end()
    reading = _Reading(tokens)
    found = reading.expression()
    if reading.left:
        raise ValueError(f"{reading.left} is left of {expression!r}")
    return Parsed(found)


class _Reading:
    def __init__(self, tokens: list[str]) -> None:
        self.left = tokens

    def next(self) -> str:
        return self.left[0] if self.left else ""

    def take(self, wanted: str = "") -> str:
        if not self.left or (wanted and self.left[0] != wanted):
            raise ValueError(f"{wanted or 'more'} is wanted at {self.left}")
        return self.left.pop(0)

    def expression(self) -> list[Selector]:
        found = self.term()
        while self.next() in _OPERATORS:
            self.take()
            found += self.term()
        return found

    def term(self) -> list[Selector]:
        word = self.take()
        if word[0].isdigit():
            return []
        if word == "(":
            found = self.expression()
            self.take(")")
            return found
        if word in AGGREGATIONS:
            return self.aggregation()
        if word in FUNCTIONS:
            return self.call()
        if self.next() == "(":
            raise ValueError(f"{word} is no function that is known")
        found = [Selector(word, tuple(self.matchers()))]
        if self.next().startswith("["):
            self.take()
        return found

    def call(self) -> list[Selector]:
        self.take("(")
        found = [] if self.next() == ")" else self.expression()
        self.take(")")
        return found

    def aggregation(self) -> list[Selector]:
        by = self.by()
        found = self.call()
        by = by or self.by()
        return [replace(one, by=by) for one in found]

    def by(self) -> tuple[str, ...]:
        if self.next() != "by":
            return ()
        self.take()
        self.take("(")
        labels = [self.take()]
        while self.next() == ",":
            self.take()
            labels.append(self.take())
        self.take(")")
        return tuple(labels)

    def matchers(self) -> list[tuple[str, str, str]]:
        found: list[tuple[str, str, str]] = []
        if self.next() != "{":
            return found
        self.take()
        while self.next() != "}":
            label, operator, value = self.take(), self.take(), self.take()
            if operator not in ("=", "!=", "=~", "!~") or not value.startswith('"'):
                raise ValueError(f"{label} {operator} {value} is no matcher")
            found.append((label, operator, value.strip('"')))
            if self.next() == ",":
                self.take()
        self.take("}")
        return found
