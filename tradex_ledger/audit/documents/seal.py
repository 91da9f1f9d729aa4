"""The keys and the heads of a ledger, and what witnesses know of it, as documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradex_ledger.sealing.cosigned import Cosigned
    from tradex_ledger.sealing.cut import Cut


@dataclass(frozen=True, slots=True)
class KeysDocument:
    """The keys that sign heads, as others are given them; the one of this workspace, and where its secret lies."""

    keys: list[str]
    own: str | None
    file: str


@dataclass(frozen=True, slots=True)
class ReachedDocument:
    """A place outside: how many heads of the workspace it had not, and why it has not the newest."""

    place: str
    missed: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class CutDocument:
    """The newest head: of how many events, their root (hex), whether it was signed just now, and its note."""

    origin: str
    size: int
    root: str
    is_new: bool
    file: str
    places: list[ReachedDocument]
    note: str

    @staticmethod
    def of(made: Cut) -> CutDocument:
        """Of a head that was cut."""
        head = made.checkpoint
        places = [ReachedDocument(one.place, one.missed, one.problem) for one in made.places]
        return CutDocument(head.origin, head.size, head.root.hex(), made.is_new, str(made.file), places, made.note)


@dataclass(frozen=True, slots=True)
class AskedDocument:
    """What a witness is asked: in which file, from how many events, for a head of how many."""

    file: str
    known: int
    size: int


@dataclass(frozen=True, slots=True)
class CosignedDocument:
    """A head that witnesses have cosigned: of how many events, their root (hex), by whom."""

    size: int
    root: str
    by: list[str]

    @staticmethod
    def of(found: Cosigned) -> CosignedDocument:
        """Of what was taken in."""
        return CosignedDocument(found.checkpoint.size, found.checkpoint.root.hex(), list(found.by))


@dataclass(frozen=True, slots=True)
class SeenDocument:
    """What a witness knows of a ledger: its newest head (root in hex), and when that was cosigned (UTC)."""

    origin: str
    size: int
    root: str | None
    at: str | None


@dataclass(frozen=True, slots=True)
class WitnessDocument:
    """A witness by its verifier key, and what it knows; the note that it has just cosigned, and in which file."""

    key: str
    logs: list[SeenDocument]
    note: str | None
    file: str | None
