"""Whose a lake is: small files in it, create-only, one a publication, that name the ledger and how far it had come.

A marker's name says it all, and sorts: epoch, position, the leaf of the event at that position, the ledger's id. So one
listing tells the highest, in a folder as in an object store, and what is in the file is for people. Nobody changes a
marker. Old ones are taken away by who has just laid a higher one, and the highest ones always stay.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from tradex_ledger.lake.port import Lake

MARKS = ".tradex-lake"
"""Where a lake that is a folder has them."""
KEPT = 16
"""So many stay: who lists them while others publish sees one of them at least."""
NO_LEAF = "0" * 64
_NAME = re.compile(r"(\d{6,9})-(\d{15,18})-([0-9a-f]{64})-(.+)")


@dataclass(frozen=True, slots=True, order=True)
class Marker:
    """A ledger had come so far: its epoch, the position of an event, that event's leaf (hex), the ledger's id."""

    epoch: int
    position: int
    leaf: str
    ledger: str

    @property
    def name(self) -> str:
        """Its file's name."""
        return f"{self.epoch:06d}-{self.position:015d}-{self.leaf}-{quote(self.ledger, safe='')}"


def marker_of(name: str) -> Marker | None:
    """The marker of that name; None for a name that is none of ours."""
    match = _NAME.fullmatch(name)
    return None if match is None else Marker(int(match[1]), int(match[2]), match[3], unquote(match[4]))


def drop_old(lake: Lake) -> None:
    """Take the oldest markers away as long as more than enough higher ones are there. Whoever cannot leaves them."""
    with suppress(OSError):
        for marker in lake.markers()[:-KEPT]:
            lake.take_back(marker)
