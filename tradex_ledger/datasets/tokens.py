"""SQL as tokens of our own: what a recorded fingerprint is made of, so that no engine can change it.

Comments and white space are dropped, everything else is kept as it is written, case included. Where a reader could be
in doubt what a character belongs to (a comment within a comment, a quote that nobody closes, two strings side by side),
nothing is dropped: such a text is one token. So texts with equal tokens have the same meaning; texts with other tokens
may still have it, which is for an engine's parser to say.
"""

from __future__ import annotations

import re

SCHEME = "tokens-1"
"""The name that fingerprints over these tokens bear; another way of cutting gets another name."""

_TOKEN = re.compile(
    r"""
    (?P<space> [ \t\n\r\f\v]+ )
  | (?P<line> -- [^\n]* )
  | (?P<block> /\* .*? \*/ )
  | (?P<string> [eE] ' (?: [^'\\] | \\. | '' )* '
              | (?: [xXbBnNrR] | [uU]& )? ' (?: [^'] | '' )* '
              | \$ (?P<tag> (?: [^\W\d] \w* )? ) \$ .*? \$ (?P=tag) \$ )
  | (?P<identifier> (?: [uU]& )? " (?: [^"] | "" )* " )
  | (?P<word> [^\W\d] \w* )
  | (?P<number> \.? [0-9] (?: [eE][+-](?=[0-9]) | [\w.] )* )
  | (?P<parameter> \$ \w+ )
  | (?P<operator> (?: (?! -- | /\* ) [-+*/<>=~!@\#%^&|?:] )+ )
  | (?P<other> [()\[\]{},;.\\`] )
    """,
    re.VERBOSE | re.DOTALL,
)
_NESTED = re.compile(r"/\*.*/\*", re.DOTALL)
_LONE_RETURN = re.compile(r"\r(?!\n|$)")


def tokens(sql: str) -> tuple[str, ...]:
    """The tokens of a text, whatever it holds; the whole text as one where it leaves doubt."""
    found = _cut(sql)
    return (sql,) if found is None else tuple(sql[start:end] for start, end in found)


def statement(sql: str) -> str:
    """A text without the semicolons about its statement and what stands outside of them: it becomes a part of another.

    A text that leaves doubt loses those at its very end alone.
    """
    found = _cut(sql)
    if found is None:
        return sql.strip().rstrip(";")
    inside = [place for place in found if sql[slice(*place)] != ";"]
    if not inside:
        return ""
    before = [start for start, _ in found if start < inside[0][0]]
    after = [start for start, _ in found if start > inside[-1][0]]
    return sql[before[-1] + 1 if before else 0 : after[0] if after else len(sql)].strip()


def _cut(sql: str) -> list[tuple[int, int]] | None:
    """Where each token begins and ends; None where a text leaves doubt."""
    found: list[tuple[int, int]] = []
    position, before = 0, ""
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        if match is None:
            return None
        kind, text, position = str(match.lastgroup), match[0], match.end()
        if _is_doubtful(kind, text, before, sql[position : position + 1]):
            return None
        if kind not in ("space", "line", "block"):
            found.append(match.span())
            before = kind
    return found


def _is_doubtful(kind: str, text: str, before: str, follows: str) -> bool:
    """Whether readers may differ over a token: where it ends, or what it is beside its neighbours."""
    if kind == "line":
        return _LONE_RETURN.search(text) is not None
    if kind == "block":
        return _NESTED.search(text) is not None
    if kind == "string":
        # 'a' 'b' is one string where a line ends between the two, and else is not.
        return before == "string" or follows == "'"
    if kind == "word" and text in "eE" and follows == "'":
        return True  # an E'…' that nobody closes
    return kind in ("word", "number", "parameter") and follows == "$"
