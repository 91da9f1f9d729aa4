"""The demo whose source is called: what it promises to show is there, after a limit, a fault, a kill and a budget."""

from __future__ import annotations

import os
from pathlib import Path

from tests.kit.check import check_everything
from tradex_ledger.pipelines.x.demo.api_story import BUDGET, tell
from tradex_ledger.workspace import Workspace


def test_the_story_ends_with_the_plain_demos_posts_and_the_platforms_invoice(tmp_path: Path):
    told: list[str] = []
    steps = tell(str(tmp_path / "demo"), actor="ana", progress=lambda stage, done, total: told.append(stage))
    _, limits, killed, planned, stopped, resumed, equal, invoice = steps
    assert any("503" in stage for stage in told)
    assert any("limit" in stage for stage in told)
    assert limits.rows[0]["calls"] == 5  # three pages, a fault, a limit
    assert [row["page"] for row in killed.rows] == [1, 2, 3, 4, 5]
    assert "about 2 calls" in planned.text[0]
    assert f"{BUDGET} rows are spent" in stopped.text[0]
    assert resumed.rows[0]["status"] == "SUCCESS"
    (same,) = equal.rows
    assert same["posts here"] == same["posts of the plain demo"] == same["equal"]
    assert same["edits beside them"] == 1
    (bill,) = invoice.rows
    assert bill["expected on the invoice"] == bill["counted by the platform"]
    assert "TRADEX_X_API" not in os.environ
    with Workspace.open(tmp_path / "demo") as workspace:
        check_everything(workspace)
