"""Who somebody is: names as they are compared, and names that nobody may bear. No I/O here.

The program believes the name that it is told; it only sees to it that one person is not told twice (N13).
"""

from __future__ import annotations

import re
import unicodedata

from tradex_ledger.domain.reason import check_text
from tradex_ledger.errors import UsageError

# Unicode 15, PropList.txt and DerivedCoreProperties.txt: letters and symbols that are drawn as nothing.
_BLANKS = dict.fromkeys(map(ord, "\u115f\u1160\u3164\uffa0\u2800\U0001d159"))
_UNSEEN = ("Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me")  # not assigned: drawn as nothing, or as a box like any other
# Alphabets that have letters of the same look (Unicode Technical Standard 39): а is not a.
_LOOKALIKES = ("ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GREEK", "LATIN")


class ActorNameError(UsageError):
    """A name that tells nobody who it is."""

    code = "actor-name"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"{name!a} is no name of a person: {why}",
            mend="say who you are in one alphabet: tradex --as NAME …, or TRADEX_ACTOR=NAME in the environment",
        )


def person(name: str) -> str:
    """A name as it is compared: two spellings of one name are one person. What cannot be seen does not tell apart."""
    # Composed first: é is a letter of its own; only marks without a letter of their own are taken off.
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).translate(_BLANKS)
    seen = "".join(c for c in plain if c.isspace() or unicodedata.category(c) not in _UNSEEN)
    return " ".join(seen.split())


def sought(name: str | None) -> str:
    """A name that somebody looks for, as it is compared; nothing where none is given.

    Raises: `UsageError` where nothing of it is seen: everybody's deeds would be shown as those of nobody.
    """
    if name is not None and not person(name):
        raise UsageError(f"{name!a} is no name of a person: nothing of it can be seen", mend="say whose: --by maria")
    return person(name or "")


def check_actor(name: str) -> str:
    """Return the name, without what surrounds it.

    Raises: `ActorNameError` when nothing of it is seen, or a word of it mixes alike alphabets; what `check_text` does.
    """
    name = check_text("actor", name.strip(" \t\r\n"))
    plain = person(name)
    if not re.search(r"\w", plain):
        raise ActorNameError(name, "nothing of it can be seen")
    for word in re.findall(r"[^\W\d_]+", plain):
        alphabets = {unicodedata.name(letter, "").partition(" ")[0] for letter in word}
        mixed = sorted(alphabets.intersection(_LOOKALIKES))
        if len(mixed) > 1:
            raise ActorNameError(name, f"{word} mixes {' and '.join(a.capitalize() for a in mixed)} letters")
    return name
