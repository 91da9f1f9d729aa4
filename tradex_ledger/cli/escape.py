"""Text of others as it is shown: what would draw on the screen, or cannot be seen, is spelled out."""

from __future__ import annotations

import re
from functools import cache

from tradex_ledger.paths import readable

# C0, DEL and C1; line and paragraph separators; what has no width, turns the direction, or is ignored when it is drawn
# (Unicode 15: Cc, Zl, Zp, Cf, Default_Ignorable_Code_Point); what is no character.
_UNSEEN = (
    r"\x00-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    r"\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_DRAWS = f"[{_UNSEEN}]"
_DRAWS_IN_JSON = f"(?!\n)[{_UNSEEN}]"
_NOT_ASCII = f"(?!\n)[{_UNSEEN}]|[^\\x00-\\x7f]"
# Of a path that was normalized, one of the slashes is gone; then only a colon tells a name from a password. A name
# alone may be a token, but not to PostgreSQL; and what is to be written into settings must be whole.
_USER = r"(?:(?<=://)(?:[^\s/]*:\S*|(?<!postgresql://)[^\s/@]+)|(?<=:/)(?!/)[^\s/]*:\S*)@"
_SECRET = r"[\w.-]*(?:pass|pwd|token|secret|key|sig|signature|credential|auth)[\w.-]*"
_PARAMETER = rf"(?i)((?:[?&;#]|%3f|%26){_SECRET}(?:=|%3d))(?:(?!%26)[^\s&'\"])+"
LONGEST = 4_000
_SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def shown(text: str) -> str:
    r"""A text that is one line and draws nothing: an escape is `\x1b`, a newline `\n`, a turn of direction `\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return _made(_DRAWS).sub(_spelled, readable(text))


def masked(text: str) -> str:
    """A text about something, without the passwords of the URLs in it."""
    return _made(_PARAMETER).sub(r"\1***", _made(_USER).sub("***@", text)) if ":/" in text or "?" in text else text


def clipped(text: str) -> str:
    """A text about something, short enough for a screen: what somebody gave may be as long as a file."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def shown_json(document: str, *, ascii_only: bool = False) -> str:
    """A JSON document that draws nothing, equal in value: its writer escapes C0 only. Its newlines are its layout."""
    return _made(_NOT_ASCII if ascii_only else _DRAWS_IN_JSON).sub(_as_json, document)


@cache
def _made(pattern: str) -> re.Pattern[str]:
    """A pattern, made when somebody needs it: most calls need none, and they cost each start a millisecond."""
    return re.compile(pattern)


def _spelled(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _as_json(found: re.Match[str]) -> str:
    """A character as JSON says it in ASCII: as one or two UTF-16 units."""
    units = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
