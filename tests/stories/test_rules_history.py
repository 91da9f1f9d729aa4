"""History told again: every version stays, what came twice counts once, any range can be reprocessed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.contents import contents, with_rows
from tests.kit.lake import BRONZE, DATASETS, DERIVED, events, files, partitions, projection, read_dataset
from tests.kit.lake_folder import in_lake
from tradex_ledger.datasets.graph import days_of
from tradex_ledger.domain.request import Request
from tradex_ledger.lake.storage import sha256_of
from tradex_ledger.workspace import Workspace

WHOLE, FIRST_HALF, LAST_HALF, FIRST_DAY, LAST_DAY = (0, 6), (0, 2), (3, 6), (0, 0), (6, 6)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace over a week of posts, all of them taken in. Copy it."""
    root = tmp_path_factory.mktemp("history")
    worlds.copied(root)
    return root


@pytest.fixture
def workspace(week: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy with a source of its own, to which late posts can be delivered."""
    with small.reopen(small.copied(week, tmp_path)) as opened:
        yield opened
        check_everything(opened)


def history(workspace: Workspace) -> dict[int, dict[str, Any]]:
    return {row["position"]: row for row in projection(workspace, "partition_history")}


@pytest.mark.norm("N1")
@pytest.mark.norm("N15")
def test_a_backfill_is_a_new_run_whose_versions_stand_beside_all_that_were_there(workspace: Workspace, tmp_path: Path):
    (tmp_path / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    before, known = history(workspace), files(workspace)
    runs = {row["run_id"] for row in projection(workspace, "runs")}

    backfills = [small.backfill(workspace, 3, 3), small.backfill(workspace, 3, 3, dataset="gold_metrics")]

    assert runs.isdisjoint(run.id for run in backfills)
    assert len({run.id for run in backfills}) == 2
    after = history(workspace)
    assert before.items() <= after.items()
    assert {after[position]["run_id"] for position in after.keys() - before.keys()} == {run.id for run in backfills}
    for row in after.values():
        for file in row["files"]:
            assert sha256_of(in_lake(workspace, file["path"])) == file["sha256"]
    replaced = {key for key, paths in files(workspace).items() if paths != known.get(key)}
    assert {name for name, _, _ in replaced} == set(DATASETS)
    assert {day for name, _, day in replaced if name in (DERIVED[0], "gold_metrics")} == {small.day(3)}
    versions = [row for row in after.values() if (row["dataset"], row["partition"]) == ("gold_metrics", small.day(3))]
    assert [(row["run_id"] in runs, row["state"]) for row in sorted(versions, key=lambda row: row["position"])] == [
        (True, "published"),
        (False, "published"),
        (False, "published"),
    ]


def post(number: int, text: str, *, author: int, retweets: int = 0, edits: int | None = None) -> str:
    return json.dumps(
        {
            "id": str(number),
            "author_id": str(author),
            "text": text,
            "created_at": f"2024-01-03T10:00:{number:02}.000Z",
            "public_metrics": {"like_count": 0, "retweet_count": retweets},
            "edit_history_tweet_ids": [str(number)] if edits is None else [str(edits), str(number)],
        }
    )


@pytest.mark.norm("N23")
@pytest.mark.norm("N24")
def test_what_comes_twice_or_edited_counts_once_in_metrics_and_signals(tmp_path: Path):
    source = tmp_path / "posts"
    source.mkdir()
    one, other = post(1, "long $TSLA", author=7, retweets=2), post(2, "short $TSLA", author=8, retweets=3)
    repeated = post(3, "Long  $TSLA https://t.co/x", author=7, retweets=40)
    # One of them twice in a file.
    (source / "2024-01-03.jsonl").write_text("\n".join([one, other, repeated, one]), encoding="utf-8")
    with small.create(tmp_path / "ws", f"files:{source}") as workspace:
        workspace.incremental.run(last=small.day(3))
        before, metrics, signals = told(workspace)
        assert len(read_dataset(workspace, BRONZE)) == 3
        assert [row[:5] for row in metrics] == [(small.day(3), "TSLA", 2, 2, 5)]
        assert [(*row[:3], row[4]) for row in signals] == [(small.day(3), "TSLA", 2, "normal")]

        # All of it in another file, and with it an edited version of a post.
        edited = post(4, "very long $TSLA", author=7, retweets=5, edits=1)
        (source / "2024-01-03-again.jsonl").write_text("\n".join([other, one, edited, edited]), encoding="utf-8")
        run = small.backfill(workspace, 3, 3)
        (batch,) = events(workspace, f"topic = 'run.batch_appended' and run_id = '{run.id}'")
        assert batch["rows"] == 1
        assert len(read_dataset(workspace, BRONZE)) == 4
        _, now, signals_now = told(workspace)
        # The edit took the place of the post, which stands no longer in the way of the one that repeated it.
        assert [row[:5] for row in now] == [(small.day(3), "TSLA", 3, 2, 48)]
        assert [(*row[:3], row[4]) for row in signals_now] == [(small.day(3), "TSLA", 3, "elevated")]

        # Once more, from the files and then from what is in the lake: nothing adds up.
        small.backfill(workspace, 3, 3)
        small.backfill(workspace, 3, 3, dataset="silver_social_events")
        assert told(workspace)[1:] == (now, signals_now)
        assert [read_dataset(workspace, name, before) for name in ("gold_metrics", "gold_signals")] == [
            metrics,
            signals,
        ]
        check_everything(workspace)


def told(workspace: Workspace) -> tuple[str, list[Any], list[Any]]:
    """The position, the metrics and the signals."""
    position = str(workspace.ledger.position())
    return position, read_dataset(workspace, "gold_metrics"), read_dataset(workspace, "gold_signals")


@pytest.mark.norm("N39")
@pytest.mark.parametrize("subject", DATASETS)
def test_every_day_of_any_range_is_rebuilt_and_a_range_without_news_changes_nothing(workspace: Workspace, subject: str):
    rebuilt = DERIVED[0] if subject == BRONZE else subject
    days = sorted(p["partition"] for p in partitions(workspace) if p["dataset"] == DERIVED[0])[-7:]
    order: dict[str, Any] = {"kind": "temporal", "dataset": subject, "override_state": False, "reason": small.REASON}
    for first, last in (WHOLE, FIRST_HALF, LAST_HALF, FIRST_DAY, LAST_DAY):
        _, plan = workspace.backfills.plan(Request(first=days[first], last=days[last], **order))
        planned = [date.fromordinal(day) for day in sorted(days_of(plan.windows, rebuilt))]
        assert planned == days[first : last + 1]
    before = contents(workspace)
    run = small.backfill(workspace, days[0], days[-1], dataset=subject)
    assert contents(workspace) == before
    found = events(workspace, f"topic = 'run.partition_rebuilt' and run_id = '{run.id}' and dataset = '{rebuilt}'")
    assert [event["partition"] for event in found] == days


@pytest.mark.norm("N10")
@pytest.mark.norm("N39")
def test_days_that_came_after_the_plan_are_rebuilt_on_the_late_data_too(workspace: Workspace, tmp_path: Path):
    (tmp_path / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    run_id = small.request(workspace, 3, 3)
    workspace.backfills.approve(run_id)
    workspace.incremental.run(last=small.day(9))  # the post lies behind its cursor: its baselines are made without it
    workspace.runs.drive(run_id)
    assert projection(workspace, "stale_partitions") == []
    with small.create(tmp_path / "scratch", f"files:{tmp_path / 'posts'}") as scratch:
        scratch.incremental.run(last=small.day(9))
        assert with_rows(contents(workspace)) == with_rows(contents(scratch))
