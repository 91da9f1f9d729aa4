"""A workspace that the pages speak of: ten days of February 2014, of which the API had not delivered six at first."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Protocol

from tests.kit.examples import Stage
from tradex_ledger.domain.request import Request
from tradex_ledger.domain.run import Run
from tradex_ledger.pipelines.x.demo.posts import deliver_days
from tradex_ledger.workspace import Workspace

FIRST, LAST = date(2014, 2, 1), date(2014, 2, 10)
OUTAGE = date(2014, 2, 3), date(2014, 2, 8)
REASON = "X API outage 3-8 Feb, INC-4211"


class Staged(Protocol):
    """A stage of a page, in a world: one that was `run`, one that was `mended` by a backfill, or `none`; in a folder of
    that name."""

    def __call__(self, page: str, world: str = "mended", name: str = "at") -> Stage: ...


def deliver(posts: Path, *days: tuple[int, int]) -> None:
    """What X delivered on some days of February."""
    posts.mkdir(exist_ok=True)
    for first, last in days:
        deliver_days(posts, 7, FIRST, 10, 12, (date(2014, 2, first), date(2014, 2, last)))


def ordered(ws: Path, **more: object) -> str:
    """A backfill that ana asks for and that nobody has approved; returns its id."""
    asked = {"kind": "temporal", "dataset": "bronze_x_posts", "first": OUTAGE[0], "last": OUTAGE[1], "reason": REASON}
    order = Request(**{"override_state": False, **asked, **more})  # type: ignore[arg-type]  # facts of several types
    with Workspace.open(ws, actor="ana") as workspace:
        return workspace.backfills.request(order).id


def driven(ws: Path, run_id: str) -> Run:
    """A backfill that maria approves and drives."""
    with Workspace.open(ws, actor="maria") as workspace:
        workspace.backfills.approve(run_id)
        return workspace.runs.drive(run_id)


def one_process(folder: Path) -> None:
    """Have a workspace that was made as a page says work in this very process."""
    settings = folder / "tradex.toml"
    text = settings.read_text("utf-8")
    assert "# workers = 2" in text
    settings.write_text(text.replace("# workers = 2", "workers = 1 #"), "utf-8")
