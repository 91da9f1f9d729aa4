"""What a request leads to: the closure of its days, and the days that are not there yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.lake import DERIVED, partitions, projection
from tradex_ledger.domain.day import day_of, iso
from tradex_ledger.domain.request import Request
from tradex_ledger.workspace import Workspace


def test_days_that_are_new_come_with_every_dataset_and_leave_nothing_stale(tmp_path: Path):
    """A baseline of the first new day reads older days only: it follows from no change."""
    with small.reopen(worlds.copied(tmp_path, until=4)) as workspace:
        run = small.backfill(workspace, 4, 5)
        assert {tuple(sorted(map(iso, run.candidates[name]))) for name in DERIVED} == {("2024-01-04", "2024-01-05")}
        assert projection(workspace, "stale_partitions") == []
        # Where all of them are there, just what follows from a change is planned.
        (tmp_path / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
        assert day_of("2024-01-03") not in small.backfill(workspace, 3, 3).candidates["gold_baselines"]


def test_a_request_is_returned_as_it_was_recorded(tmp_path: Path):
    with small.reopen(worlds.copied(tmp_path)) as workspace:
        order: dict[str, Any] = {
            "kind": "temporal",
            "dataset": "bronze_x_posts",
            "override_state": False,
            "reason": small.REASON,
        }
        made = workspace.backfills.request(Request(first=small.day(4), last=small.day(5), **order))
        (row,) = [row for row in projection(workspace, "runs") if row["run_id"] == made.id]
        assert made.requested_at == f"{row['requested_at'].isoformat()}+00:00"


def estimate_of(workspace: Workspace, first: int, last: int, **changes: Any) -> dict[str, Any]:
    order: dict[str, Any] = {
        "kind": "temporal",
        "dataset": "bronze_x_posts",
        "override_state": False,
        "reason": small.REASON,
        **changes,
    }
    return workspace.backfills.plan(Request(first=small.day(first), last=small.day(last), **order))[
        1
    ].estimate.to_event()


@pytest.mark.norm("N9")
def test_what_is_asked_of_the_source_may_grow_and_what_nothing_touches_stays(tmp_path: Path):
    small.deliver(tmp_path / "posts")
    with small.create(tmp_path / "ws", f"files:{tmp_path / 'posts'}") as workspace:
        assert estimate_of(workspace, 1, 3)["rows"] is None  # nothing like it was built before
        workspace.incremental.run(last=small.day(7))
        asked = estimate_of(workspace, 4, 5)
        for what in ("rows", "bytes", "seconds"):
            assert 0 <= asked[what]["low"] <= asked[what]["likely"] <= asked[what]["high"]
        assert asked["rows"]["low"] == asked["rows"]["likely"] < asked["rows"]["high"]
        days = [r for r in partitions(workspace) if r["dataset"] == "silver_social_events"]
        assert asked["rows"]["high"] >= 2 * sorted(r["rows"] for r in days)[-1]
        assert asked["seconds"]["high"] > 0
        assert estimate_of(workspace, 4, 5) == asked

        same = estimate_of(workspace, 4, 5, dataset="gold_signals")  # what it reads is what it was built from
        assert same["rows"] == dict.fromkeys(("low", "likely", "high"), same["rows"]["low"])
        assert same["rows"]["low"] > 0
        wide = estimate_of(workspace, 4, 5, dataset="gold_signals", kind="forced", ticket="INC-4300")
        assert wide["seconds"]["high"] >= same["seconds"]["high"]


@pytest.mark.norm("N9")
def test_what_new_logic_makes_is_measured_by_what_the_old_made(tmp_path: Path):
    with small.reopen(worlds.copied(tmp_path, pipeline=True)) as workspace:
        definition = tmp_path / "ws" / "pipeline" / "gold_signals.sql"
        definition.write_text(definition.read_text(encoding="utf-8").replace("z >= 3", "z >= 4"), encoding="utf-8")
        workspace.datasets.bump("gold_signals", reason="a spike needs four deviations, TRX-91")
        found = estimate_of(workspace, 1, 7, kind="logical", dataset="gold_signals")["rows"]
        held = sum(r["rows"] for r in partitions(workspace) if r["dataset"] == "gold_signals")
        assert found["low"] < found["likely"] == held < found["high"]
