"""Standard Base 64 (RFC 4648, section 4) in its one form: what has another is none."""

from __future__ import annotations

from base64 import b64decode, b64encode


def base64(data: bytes) -> str:
    """The text of some bytes."""
    return b64encode(data).decode("ascii")


def unbase64(text: str) -> bytes | None:
    """The bytes of a text in the one form; None for any other text."""
    try:
        found = b64decode(text, validate=True)
    except ValueError:  # not of the alphabet, or cut
        return None
    return found if base64(found) == text else None
