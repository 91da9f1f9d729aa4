"""Two months of the real posts as they could have been lived: an outage and its backfill, a run that failed, two new
versions, a rejection, a request that was given up, something taken back, a review, and requests that wait."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.kit import real, small
from tradex_ledger.domain.request import Request
from tradex_ledger.errors import TradexError
from tradex_ledger.workspace import Workspace

DESK = ["maria", "chen", "joão"]
HALF = "2014-02-18"
"""Of that day half is delivered ten days late."""


class Clock:
    """It stands where the story is, and goes on by some milliseconds whenever it is looked at."""

    now = datetime(2014, 1, 12, 5, 50, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=37)
        return self.now

    def at(self, month: int, day: int, hour: int, minute: int = 0) -> None:
        """Go on to a time of 2014."""
        self.now = datetime(2014, month, day, hour, minute, tzinfo=UTC)


class Story:
    """A workspace over real posts, and who does what in it."""

    def __init__(self, folder: Path, posts: Path) -> None:
        self.folder, self.source, self.posts, self.clock = folder / "ws", folder / "posts", posts, Clock()
        self.source.mkdir(parents=True)

    @contextmanager
    def of(self, actor: str) -> Iterator[Workspace]:
        """The workspace, used by somebody."""
        with Workspace.open(self.folder, actor=actor, clock=self.clock) as workspace:
            yield workspace

    def deliver(self, first: date, last: date) -> None:
        """What X delivered on some days, but for the day of which half comes late."""
        days = (first + timedelta(number) for number in range((last - first).days + 1))
        names = [f"{day}.jsonl.gz" for day in days if str(day) != HALF]
        real.deliver(self.posts, self.source, [name for name in names if (self.posts / name).exists()])

    def run(self, until: date) -> None:
        """Incrementally."""
        with self.of("worker-1") as workspace:
            workspace.incremental.run(last=until - timedelta(1))

    def ask(self, actor: str, reason: str, **order: Any) -> str:
        """Request a backfill; its id."""
        with self.of(actor) as workspace:
            return workspace.backfills.request(Request(**{"override_state": False, "reason": reason, **order})).id

    def build(self, run_id: str) -> str:
        """Approve it, and drive it."""
        with self.of("maria") as workspace:
            workspace.backfills.approve(run_id)
        with self.of("worker-1") as workspace:
            workspace.runs.drive(run_id)
        return run_id


def tell(folder: Path, posts: Path) -> dict[str, str]:
    """Live through it; returns a run of each status that there is in the end, by status."""
    story = Story(folder, posts)
    story.deliver(date(2014, 1, 1), date(2014, 1, 11))
    source = f"files:{story.source}"
    Workspace.create(story.folder, source=source, actor="platform-team", clock=story.clock, pipeline="pipeline").close()
    small.propose_policy(
        story.folder, may_approve=DESK, may_force=["ana", *DESK], signed=[], anomaly_min_rows=5000, expire_days=0
    )
    with story.of("platform-team") as workspace:
        workspace.policy.set(reason="the desk approves, four eyes for what is forced (OPS-1)")
    story.clock.at(1, 12, 6)
    story.run(date(2014, 1, 12))
    return {**_first_weeks(story), **_last_week(story)}


def _first_weeks(story: Story) -> dict[str, str]:
    """A file that cannot be read, an outage of six days and its backfill, a rejection."""
    story.deliver(date(2014, 1, 12), date(2014, 2, 2))
    story.deliver(date(2014, 2, 9), date(2014, 2, 16))
    bad = story.source / "2014-01-20.jsonl.gz"
    bad.unlink()
    bad.write_bytes(b"\x1f\x8b no gzip")
    story.clock.at(2, 17, 6)
    with suppress(TradexError):
        story.run(date(2014, 2, 17))
    bad.unlink()
    story.deliver(date(2014, 1, 20), date(2014, 1, 20))
    story.run(date(2014, 2, 17))
    story.deliver(date(2014, 2, 3), date(2014, 2, 8))
    bronze = {"kind": "temporal", "dataset": "bronze_x_posts", "priority": "high"}
    outage = {**bronze, "first": date(2014, 2, 3), "last": date(2014, 2, 8), "ticket": "INC-4211"}
    built = story.build(story.ask("ana", "X API outage 3-8 Feb, delivered afterwards, INC-4211", **outage))
    silver = {
        "kind": "dataset",
        "dataset": "silver_social_events",
        "first": date(2014, 1, 2),
        "last": date(2014, 1, 20),
    }
    rejected = story.ask("ana", "The whole of Silver again, the lexicon may have changed", **silver)
    with story.of("chen") as workspace:
        workspace.backfills.reject(rejected, reason="The lexicon has not changed: see the definition")
    return {"SUCCESS": built, "REJECTED": rejected}


def _last_week(story: Story) -> dict[str, str]:
    """Versions 2 and 3 of the signals, what was taken back and given up; a review, and two requests wait in the end."""
    lines = gzip.decompress((story.posts / f"{HALF}.jsonl.gz").read_bytes()).splitlines(keepends=True)
    (story.source / f"{HALF}.jsonl").write_bytes(b"".join(lines[: len(lines) // 2]))
    story.deliver(date(2014, 2, 17), date(2014, 2, 27))
    story.clock.at(2, 28, 6)
    story.run(date(2014, 2, 28))
    with story.of("joão") as workspace:
        small.edit(workspace, "gold_signals", "z >= 3 and mentions >= 5", "z >= 4 and mentions >= 5")
        workspace.datasets.bump("gold_signals", reason="Spikes start at z = 4, not 3 (RES-88)")
    signals = {"kind": "logical", "dataset": "gold_signals"}
    story.build(story.ask("joão", "Publish all days under signal version 2 (RES-88)", **signals))
    with story.of("joão") as workspace:
        workspace.datasets.deprecate("gold_signals", 1, reason="Version 2 is published for all days (RES-88)")
        workspace.datasets.protect(
            "silver_social_events", date(2014, 1, 6), date(2014, 1, 10), reason="Legal hold of that week, LEG-7"
        )
    silver = {
        "kind": "dataset",
        "dataset": "silver_social_events",
        "first": date(2014, 2, 10),
        "last": date(2014, 2, 12),
    }
    reverted = story.build(story.ask("ana", "Recompute three days, the lexicon has two new words", **silver))
    with story.of("maria") as workspace:
        workspace.backfills.revert(reverted, reason="The new words were meant for March only")
    two_days = {"kind": "temporal", "dataset": "bronze_x_posts", "first": date(2014, 2, 1), "last": date(2014, 2, 2)}
    cancelled = story.ask("ana", "The vendor may have lost two days, to be sure", **two_days)
    with story.of("ana") as workspace:
        workspace.runs.cancel(cancelled, reason="The vendor says that nothing was lost")
    story.clock.at(2, 28, 9)
    with story.of("joão") as workspace:
        small.edit(workspace, "gold_signals", "z >= 2 and mentions >= 3", "z >= 2 and mentions >= 4")
        workspace.datasets.bump("gold_signals", reason="Elevated needs four mentions (RES-91)")
    january = {"first": date(2014, 1, 1), "last": date(2014, 1, 31), "review": True, "ticket": "RES-91"}
    held = story.build(story.ask("joão", "January under version 3 first: compare (RES-91)", **signals, **january))
    (story.source / f"{HALF}-late.jsonl").write_bytes(b"".join(lines[len(lines) // 2 :]))
    story.clock.at(3, 1, 7, 5)
    late = {**two_days, "first": date(2014, 2, 18), "last": date(2014, 2, 18), "ticket": "INC-4302", "priority": "high"}
    planned = story.ask("ana", "Half of 18 February came ten days late, INC-4302", **late, allow_overlap=[held])
    days = {"first": date(2014, 2, 24), "last": date(2014, 2, 27), "cursor": "2014-02-24T00:00:00.000000Z"}
    order = {**two_days, **days, "kind": "forced", "override_state": True, "ticket": "INC-4310"}
    forced = story.ask("ana", "X redelivered 24-27 Feb: the cursor goes back", **order, allow_overlap=[held, planned])
    return {"REVERTED": reverted, "CANCELLED": cancelled, "HELD": held, "PLANNED": planned, "forced": forced}
