"""The rows of the projections that pictures are drawn of: the calendar, the moments, windows of plans."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from tradex_ledger.relations.relation import Relation

FILLS = (
    "published",
    "nothing came",
    "stale",
    "missing",
    "not processed yet",
    "only in an older version",
    "deprecated",
    "nothing under this version yet",
)
"""What readers get of a day; one of these, always."""
SIGNS = (
    "failed",
    "late at the source",
    "being built",
    "candidate",
    "planned",
    "taken back",
    "strange volume",
)
"""What is going on with a day, the most urgent first."""


class CalendarCell(NamedTuple):
    """A day of a dataset (and version): what readers get, and what is going on."""

    dataset: str
    layer: str
    version: int | None
    standing: str
    day: date
    fill: str
    sign: str | None
    is_protected: bool
    why: str
    sign_why: str | None
    run_id: str | None
    position: int | None
    sign_run_id: str | None
    sign_position: int | None
    logic_version: int | None
    rows: int | None
    protected_why: str | None


class Moment(NamedTuple):
    """A moment that who goes through the past stops at."""

    position: int
    at: datetime
    moment: str
    run_id: str | None
    dataset: str | None
    logic_version: int | None
    reason: str | None
    by: str


class PlannedWindow(NamedTuple):
    """A window of what a run is to build, and what came of it."""

    run_id: str
    layer: str
    dataset: str
    logic_version: int | None
    first: date
    last: date
    partitions: int
    extends: bool
    number: int
    position: int
    built: int
    written: int
    identical: int
    reused: int
    rows: int
    bytes: int
    work_ms: int
    began_at: datetime | None
    began_is_told: bool
    workers: list[str]
    ended_at: datetime | None
    ended_position: int | None


CALENDAR = Relation("calendar", CalendarCell)
MOMENTS = Relation("moments", Moment)
PLANS = Relation("plans", PlannedWindow)
