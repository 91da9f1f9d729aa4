"""A reason is evidence: what counts as one."""

from __future__ import annotations

import re

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


def check_reason(reason: str) -> str:
    """Return the reason, trimmed. Raises `PlaceholderReasonError` when it is too short or a placeholder."""
    text = " ".join(reason.split())
    words = set(re.findall(r"[^\W\d_]+", text.casefold()))
    says_nothing = words <= PLACEHOLDER_WORDS or len(set("".join(words))) <= FEW_LETTERS
    if len(text) < REASON_MIN_CHARACTERS or says_nothing:
        raise PlaceholderReasonError(reason)
    return text
