"""What readers got at a position, as a mirror is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from tradex_ledger.domain.day import Day
from tradex_ledger.domain.lake_file import LakeFile


class Column(NamedTuple):
    """A column of a dataset: its name, and its type as DuckDB writes it."""

    name: str
    type: str


class Shown(NamedTuple):
    """A file that readers have, and the day that it is of."""

    file: LakeFile
    day: Day


class Change(NamedTuple):
    """What became other of a dataset: files that readers have no more, and those that they have from here on.

    `logic_version` is the version that they get; `columns` are those of it, where it has just become that one.
    """

    dataset: str
    partition_column: str
    logic_version: int
    columns: tuple[Column, ...] | None
    removed: tuple[Shown, ...]
    added: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A position at which readers got something else: by which event, when, by whom, why, and of which run."""

    position: int
    topic: str
    at: str
    by: str
    reason: str
    run_id: str | None
    changes: tuple[Change, ...] = field(repr=False)
