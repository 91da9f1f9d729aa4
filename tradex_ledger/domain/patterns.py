"""Lists of patterns as OpenSSH has them (PATTERNS in ssh_config(5)): `a,b*,!c`. No I/O here."""

from __future__ import annotations

import re


def matches(patterns: str, text: str) -> bool:
    """Whether a text matches one of the patterns, and none that a `!` stands before. `*` and `?` are wildcards."""
    found = False
    for pattern in patterns.split(","):
        wanted = pattern.removeprefix("!")
        if re.fullmatch("".join(_WILD.get(c) or re.escape(c) for c in wanted), text, re.DOTALL):
            if wanted != pattern:
                return False
            found = True
    return found


_WILD = {"*": ".*", "?": "."}
