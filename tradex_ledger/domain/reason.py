"""A reason is evidence: what counts as one."""

from __future__ import annotations

import re
import unicodedata

from tradex_ledger.errors import UsageError

REASON_MIN_CHARACTERS = 10
FEW_LETTERS = 3
PLACEHOLDER_WORDS = frozenset(
    """
    a an and asdf asdfasdf backfill bar because baz blah change data dummy fix fixed fixme foo for it just lorem ipsum
    me my na n needed no none nothing null of ok okay please placeholder qwerty qwertyuiop reason reprocess rerun run
    see some something temp test testing tests that the this tbd todo to update whatever why wip x xxx yes
    """.split()  # noqa: SIM905 — a text is easier to read and to extend than eighty quoted words
)


class PlaceholderReasonError(UsageError):
    """A reason is evidence: it must say something."""

    code = "placeholder-reason"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the reason {reason!r} says nothing: at least {REASON_MIN_CHARACTERS} characters of substance are needed",
            mend='say what happened and why it must be redone, for example --reason "X API outage 1-15 Dec, INC-4211"',
        )


class NotUtf8Error(UsageError):
    """What cannot be written as UTF-8 cannot be recorded."""

    code = "not-utf8"

    def __init__(self, what: str, text: str) -> None:
        super().__init__(
            f"the {what} {text!a} is not valid UTF-8",
            mend="write it in UTF-8: see to it that the terminal and the file it comes from use that encoding",
        )


_LINE_ENDS = re.compile(r"[\t\r\n]")  # a reason is often written on several lines; it is kept on one
# Unicode 15: Cc, Zl, Zp and Bidi_Control. They say nothing; they move the cursor, or turn what stands around them.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class ControlCharacterError(UsageError):
    """What is given to be read by others holds nothing that draws on their screen."""

    code = "control-character"

    def __init__(self, what: str, character: str) -> None:
        name = unicodedata.name(character, "a control character")
        super().__init__(
            f"the {what} has the character U+{ord(character):04X} ({name}), which no text may have",
            mend="leave it out: write it as one line of plain text",
        )


_PASSWORD = re.compile(r"://[^\s/@:]*:[^\s/@]+@")


class SecretInTextError(UsageError):
    """What is given to be recorded stays for good, for all who read the ledger."""

    code = "secret-in-text"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the {what} has a URL with a password in it, which would be on record for good",
            mend="leave out what stands between :// and @",
        )


def check_text(what: str, text: str) -> str:
    """Return the text. Raises: `NotUtf8Error` when it holds half a character (bytes that were no UTF-8);
    `ControlCharacterError`; `SecretInTextError`."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise NotUtf8Error(what, text) from None
    if _PASSWORD.search(text):
        raise SecretInTextError(what)
    if found := _CONTROLS.search(text):
        raise ControlCharacterError(what, found[0])
    return text


def check_reason(reason: str) -> str:
    """Return the reason, on one line. Raises `PlaceholderReasonError` when it is too short or a placeholder."""
    text = " ".join(check_text("reason", _LINE_ENDS.sub(" ", reason)).split())
    words = set(re.findall(r"[^\W\d_]+", text.casefold()))
    says_nothing = words <= PLACEHOLDER_WORDS or len(set("".join(words))) <= FEW_LETTERS
    if len(text) < REASON_MIN_CHARACTERS or says_nothing:
        raise PlaceholderReasonError(reason)
    return text
