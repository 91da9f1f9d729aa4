"""What a logic version reads, as it stands in a row and as a value."""

# No `from __future__ import annotations`: as in `data.py`.
from collections.abc import Iterable
from typing import NamedTuple, TypedDict

from tradex_ledger.domain.facts import facts_of


class Read(TypedDict):
    """A `Reads`, as it stands in a row."""

    dataset: str
    first: int
    last: int


class Reads(NamedTuple):
    """A dataset that is read, and which days relative to a partition's own."""

    dataset: str
    first: int
    last: int


def reads_of(reads: Iterable[Read] | None) -> list[Reads]:
    """What is read, as values; nothing is read by what reads nothing."""
    return [facts_of(Reads, {**read}) for read in reads or ()]
