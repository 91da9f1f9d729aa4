"""The form of signed notes (c2sp.org/signed-note): a text, a blank line, and a line for each key that signed it.

Nothing is verified here, and nothing loaded that could: who only compares a head with the ledger needs no more.
"""

from __future__ import annotations

from typing import NamedTuple

from tradex_ledger.sealing.base64 import base64, unbase64
from tradex_ledger.sealing.note_errors import NoteError

MOST_BYTES = 1_000_000
MOST_SIGNATURES = 100
ID_BYTES = 4
_DASH = "— "


class Signature(NamedTuple):
    """One line below a note; its `value` says nothing before a key has checked it."""

    name: str
    id: bytes
    value: bytes

    @property
    def line(self) -> str:
        """The line as it stands in a note, without its end."""
        return f"{_DASH}{self.name} {base64(self.id + self.value)}"


def taken_apart(note: str) -> tuple[str, tuple[Signature, ...]]:
    """The text and the signatures of what has the form of a note; nothing is verified. Raises: `NoteError`."""
    _check_characters(note)
    end = note.rfind("\n\n")
    if end < 0:
        raise NoteError("no blank line stands before its signatures")
    text, lines = note[: end + 1], note[end + 2 :]
    if not lines.endswith("\n"):
        raise NoteError("its last line has no end" if lines else "nobody signed it")
    found = lines[:-1].split("\n")
    if len(found) > MOST_SIGNATURES:
        raise NoteError(f"it has {len(found)} signatures; at most {MOST_SIGNATURES} are looked at")
    return text, tuple(_parsed_line(line) for line in found)


def text_of(content: bytes) -> str:
    """The text of a note's file. Raises: `NoteError`."""
    if len(content) > MOST_BYTES:
        raise NoteError(f"it has {len(content):,} bytes; at most {MOST_BYTES:,} are looked at")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteError(f"byte {error.start:,} is not UTF-8") from None


def is_name(name: str) -> bool:
    """Whether a key may be called so."""
    return (
        bool(name)
        and "+" not in name
        and not any(letter.isspace() or letter < " " or "\ud800" <= letter <= "\udfff" for letter in name)
    )


def check_text(text: str) -> None:
    """Raise `NoteError` unless a text can be that of a note."""
    _check_characters(text)
    if not text.endswith("\n"):
        raise NoteError("its text does not end in a line's end")


def _check_characters(note: str) -> None:
    try:
        size = len(note.encode())
    except UnicodeEncodeError:
        raise NoteError("it cannot be written as UTF-8") from None
    if size > MOST_BYTES:
        raise NoteError(f"it has {size:,} bytes; at most {MOST_BYTES:,} are looked at")
    if strange := next((letter for letter in note if letter < " " and letter != "\n"), None):
        raise NoteError(f"it has the control character {ord(strange):#04x}")


def _parsed_line(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    value = unbase64(encoded)
    if not line.startswith(_DASH) or not space or not is_name(name) or value is None or len(value) <= ID_BYTES:
        raise NoteError(f"{line[:100]!r} is no line of a signature")
    return Signature(name, value[:ID_BYTES], value[ID_BYTES:])
