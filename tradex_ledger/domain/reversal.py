"""What taking back a publication would do, as values. No I/O here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple


class Again(NamedTuple):
    """A day of a dataset that readers would get otherwise: what they get now, and then (None: nothing)."""

    dataset: str
    partition: date
    run_id: str | None
    logic_version: int | None
    rows: int | None
    run_id_then: str | None
    logic_version_then: int | None
    rows_then: int | None


class Outdated(NamedTuple):
    """A partition that would be stale, and is not now."""

    dataset: str
    partition: date
    reason: str


class InTheWay(NamedTuple):
    """What refuses the reversal, by its code, in words, with what helps."""

    code: str
    message: str
    mend: str


@dataclass(frozen=True, slots=True)
class Reversal:
    """What taking back what a run published would do: days that would be read as before, days that would be stale, and
    what stands in its way."""

    id: str
    again: list[Again]
    stale: list[Outdated]
    in_the_way: list[InTheWay]
