"""The statuses of a run in words, with the sign and the tone of each, and how urgent it is that somebody looks."""

from __future__ import annotations

from typing import NamedTuple

from tradex_ledger.relations.runs import Run


class Status(NamedTuple):
    """How a status is said. `asks`: what it asks of a person, if anything; the higher `urgency`, the sooner."""

    words: str
    sign: str
    tone: str
    asks: str | None = None
    urgency: int = 0


STATUSES = {
    "PLANNED": Status("waits for approval", "planned", "decide", "Review", 2),
    "APPROVED": Status("waits for a worker", "waiting", "work"),
    "RUNNING": Status("running", "running", "work"),
    "FAILED": Status("failed", "failed", "bad", "Look into it", 4),
    "PAUSED": Status("paused", "paused", "decide", "Resume or cancel", 1),
    "HELD": Status("held", "held", "decide", "Compare and release", 3),
    "SUCCESS": Status("published", "published", "good"),
    "CANCELLED": Status("cancelled", "cancelled", "quiet"),
    "REJECTED": Status("rejected", "rejected", "quiet"),
    "EXPIRED": Status("expired", "expired", "quiet"),
    "REVERTED": Status("taken back", "reverted", "warn"),
}
_OTHER = Status("asked for", "planned", "quiet")


def status_of(run: Run) -> Status:
    """How the status of a run is said."""
    return STATUSES.get(run.status, _OTHER)


def title(run: Run) -> str:
    """What a run is called: the reason that somebody gave; of an incremental one what it does."""
    return run.reason or f"Processes the pipeline to {run.last_day}"


def urgency(run: Run) -> tuple[int, bool, int]:
    """By which the runs that wait are sorted, the most urgent first."""
    return (-status_of(run).urgency, run.kind != "forced", -run.position)
