"""What settings say of mirrors: the lake for readers of other kinds, over its own files. No I/O here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

DELTA, DUCKLAKE = "delta", "ducklake"
KINDS = (DELTA, DUCKLAKE)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}").fullmatch
_SERVER = re.compile(r"postgres(?:ql)?(?:\+psycopg)?://").match


class MirrorSetting(NamedTuple):
    """A mirror by its name: of which kind, and where."""

    name: str
    kind: str
    place: str

    @property
    def follower(self) -> str:
        """What the note of a failed attempt at it is kept under."""
        return f"mirror {self.name}"


def mirrors_of(values: Mapping[str, object]) -> tuple[MirrorSetting, ...]:
    """What settings say under [mirrors], in their order. Raises `ValueError` with what is wrong."""
    found = []
    for name, one in values.items():
        kind, place = (one.get("kind"), one.get("place")) if isinstance(one, Mapping) else (None, None)
        if not _NAME(name):
            raise ValueError("a mirror must have a name (a-z, 0-9, _, -)")
        if not isinstance(kind, str) or kind not in KINDS:
            raise ValueError(f"{name}: kind must be one of {', '.join(KINDS)}")
        if not isinstance(place, str) or not place or "\0" in place:
            raise ValueError(f"{name}: place must be a text, where the mirror is to be")
        if "://" in place and (kind == DELTA or not _SERVER(place)):
            raise ValueError(f"{name}: place must be a path{'' if kind == DELTA else ', or postgresql://…'}")
        found.append(MirrorSetting(name, kind, place))
    places = [one.place for one in found]
    if twice := next((one for one in places if places.count(one) > 1), None):
        raise ValueError(f"two mirrors have the place {twice}")
    return tuple(found)
