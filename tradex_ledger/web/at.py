"""Which position a page is as of, and how its links say so: `?at=338.89c16246` is a position and its head.

Eight digits of the root over all events up to the position tell a link that was made on another ledger, or on a record
that was changed since, from one of this ledger.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from tradex_ledger.errors import ConflictError
from tradex_ledger.ledger.roots import root_of
from tradex_ledger.ledger.select import Store
from tradex_ledger.views import AsOf, resolve

DIGITS = 8
_PERMALINK = re.compile(r"([0-9]{1,18})\.([0-9a-f]{8})").fullmatch


class OtherHeadError(ConflictError):
    """A link was made where the events up to its position were others."""

    code = "other-head"

    def __init__(self, position: int, asked: str, here: str) -> None:
        super().__init__(
            f"the link is as of position {position} under the head {asked}, and here that position has the head "
            f"{here}: it was made on another ledger, or the record has been changed since",
            mend="ask who sent it which ledger was meant; whether this one is whole: tradex audit verify",
        )


@dataclass(frozen=True, slots=True)
class At:
    """A position, the first digits of its head, and whether the page stays there: `asked` is what its links carry."""

    as_of: AsOf
    head: str
    is_pinned: bool

    @property
    def position(self) -> int:
        """The position itself."""
        return self.as_of.position

    @property
    def token(self) -> str:
        """What a permalink carries."""
        return f"{self.position}.{self.head}"

    def link(self, path: str, **query: object) -> str:
        """An address within the site: of a page that is pinned, it is pinned, too. What is None is left out."""
        said = {name: str(value) for name, value in query.items() if value is not None}
        if self.is_pinned:
            said["at"] = self.token
        return f"{path}?{urlencode(said)}" if said else path

    def there(self, path: str, position: int | str, **query: object) -> str:
        """An address as of another position, whose head is told when it is opened."""
        said = {name: str(value) for name, value in query.items() if value is not None}
        return f"{path}?{urlencode({**said, 'at': str(position)})}"

    def pinned(self) -> At:
        """The same, to stay."""
        return replace(self, is_pinned=True)


def at_of(store: Store, asked: str | None) -> At:
    """What `?at=` means: a permalink, or a position, a day, a time or a run; nothing: the newest, and not pinned.

    Raises: `OtherHeadError`, and what `resolve` raises.
    """
    said = (asked or "").strip()
    permalink = _PERMALINK(said)
    as_of = resolve(store, (permalink[1] if permalink else said) or None, by_file=False)
    head = root_of(store, as_of.position).hex()[:DIGITS]
    if permalink and permalink[2] != head:
        raise OtherHeadError(as_of.position, permalink[2], head)
    return At(as_of, head, is_pinned=bool(said))
