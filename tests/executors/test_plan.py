"""What a request leads to: the closure of its days, and the days that are not there yet."""

from __future__ import annotations

from pathlib import Path

from tests import small
from tests.lake import DERIVED, projection
from tests.stories.test_rules_life import LATE


def test_days_that_are_new_come_with_every_dataset_and_leave_nothing_stale(tmp_path: Path):
    """A baseline of the first new day reads older days only: it follows from no change."""
    small.deliver(tmp_path / "posts")
    with small.create(tmp_path / "ws", f"files:{tmp_path / 'posts'}") as workspace:
        workspace.run(small.day(4))
        run = small.backfill(workspace, 4, 5)
        assert {tuple(sorted(run.candidates[name])) for name in DERIVED} == {("2024-01-04", "2024-01-05")}
        assert projection(workspace, "stale_partitions") == []
        # Where all of them are there, just what follows from a change is planned.
        (tmp_path / "posts" / "2024-01-09-late.jsonl").write_text(LATE, encoding="utf-8")
        assert "2024-01-03" not in small.backfill(workspace, 3, 3).candidates["gold_baselines"]


def test_a_request_is_returned_as_it_was_recorded(tmp_path: Path):
    small.deliver(tmp_path / "posts")
    with small.create(tmp_path / "ws", f"files:{tmp_path / 'posts'}") as workspace:
        workspace.run(small.day(8))
        order = {"kind": "temporal", "dataset": "bronze_x_posts", "override_state": False, "reason": small.REASON}
        made = workspace.request(first=small.day(4), last=small.day(5), **order)
        (row,) = [row for row in projection(workspace, "runs") if row["run_id"] == made.id]
        assert made.requested_at == f"{row['requested_at'].isoformat()}+00:00"
