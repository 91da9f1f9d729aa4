"""What a mirror is to whoever keeps it up: a place that holds the steps up to a position of one ledger."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tradex_ledger.errors import EnvironmentFault, RefusedError
from tradex_ledger.mirrors.step import Step

_LAST = 2**53 - 1
is_root = re.compile(r"[0-9a-f]{64}").fullmatch


class Held(NamedTuple):
    """How far a mirror has come: of which ledger, up to which position, and the root (hex) of its tree there."""

    ledger: str
    position: int
    root: str


class Taken(NamedTuple):
    """What a mirror took in: how many steps it had not yet."""

    steps: int


class Mirror(Protocol):
    """A place that is made of the ledger alone: what it holds can be made again, and is the truth of nothing."""

    def held(self) -> Held | None:
        """How far it has come; None where there is nothing yet. Raises: `StrangeMirrorError`, `EnvironmentFault`."""
        ...

    def fits(self) -> bool:
        """Whether it finds the lake where that is; a workspace may have moved. Raises what `held` raises."""
        ...

    def take(self, steps: Sequence[Step], before: Held | None, upto: Held) -> int:
        """Take in the steps behind `before`, which it held when they were worked out; returns how many it had not.

        Whoever dies in it, or has another at it at once, leaves what the next one goes on with.
        """
        ...

    def clear(self) -> None:
        """Remove what it holds, and nothing else; the end of it first, so that a crash leaves a beginning.

        Raises: `NotOursError`.
        """
        ...


class StrangeMirrorError(RefusedError):
    """What lies in a mirror's place is not what this ledger made."""

    code = "mirror-strange"

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(
            f"the mirror {name} {problem}: it is not written on",
            mend=f"nothing in it is the truth; make it again: tradex mirror rebuild {name}",
        )


def held_of(name: str, ledger: object, position: object, root: object) -> Held:
    """What lies in a mirror's place and says how far it has come: a text of somebody else, until it is held against the
    ledger. Raises `StrangeMirrorError`."""
    if isinstance(position, str) and position.isascii() and position.isdecimal() and len(position) <= len(str(_LAST)):
        position = int(position)
    if not isinstance(position, int) or isinstance(position, bool) or not 0 <= position <= _LAST:
        raise StrangeMirrorError(name, f"has come to a position that is none ({str(position)[:20]!r})")
    if not isinstance(ledger, str) or not isinstance(root, str) or not is_root(root):
        raise StrangeMirrorError(name, f"is as of position {position} of a record that is none")
    return Held(ledger, position, root)


class NotOursError(RefusedError):
    """What somebody else made lies where a mirror is to be: that is taken away by nobody."""

    code = "mirror-not-ours"

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"the mirror {name} {problem}", mend="give it another place, under [mirrors]")


class UnfitMirrorError(EnvironmentFault):
    """A mirror cannot be where, or of what, the settings say."""

    code = "mirror-unfit"

    def __init__(self, name: str, problem: str, mend: str) -> None:
        super().__init__(f"the mirror {name} {problem}", mend=mend)
