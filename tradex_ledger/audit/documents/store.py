"""A ledger as a whole, as documents: who may what in its database, a move, a backup, what was put back."""

from __future__ import annotations

from dataclasses import dataclass

from tradex_ledger.domain.waiting import EpochPlan


@dataclass(frozen=True, slots=True)
class GrantsDocument:
    """The roles of a ledger's database, and the SQL that gives each its rights; whether it was said."""

    schema: str
    owner: str
    writer: str
    reader: str
    sql: str
    said: bool


@dataclass(frozen=True, slots=True)
class MovedDocument:
    """A ledger that goes on in another database: how many events it took along, their root (hex), the epoch there."""

    ledger: str
    to: str
    events: int
    root: str
    epoch: int
    next: str


@dataclass(frozen=True, slots=True)
class BackupDocument:
    """A backup of a ledger: how many events are in it, and their root (hex); the bytes of the file."""

    file: str
    ledger: str
    events: int
    root: str
    bytes: int


@dataclass(frozen=True, slots=True)
class RestoredDocument:
    """A ledger that was put back from a backup: the same events, the same root (hex), and the epoch that waits."""

    ledger: str
    events: int
    root: str
    epoch: EpochPlan
