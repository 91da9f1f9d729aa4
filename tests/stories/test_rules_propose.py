"""What should be reprocessed is proposed: late data, half-done runs, new logic; submitting it twice does no harm."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.faults import Crash, Interruption
from tests.kit.lake import BRONZE, listing, one_process, projection
from tests.kit.real import UNTIL, deliver
from tradex_ledger.cli.main import run as tradex
from tradex_ledger.domain.advice import Advice
from tradex_ledger.domain.day import day_of
from tradex_ledger.driving.fence import EndedMeanwhileError
from tradex_ledger.driving.lease import held
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.relations.data import StalePartition
from tradex_ledger.upkeep.late import find_late
from tradex_ledger.upkeep.propose import propose
from tradex_ledger.upkeep.requests import NEW_LOGIC, STALE, Wanted, requests
from tradex_ledger.workspace import Workspace

WITHHELD = "2014-01-15.jsonl.gz"


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A week of posts. Copy it."""
    root = tmp_path_factory.mktemp("propose")
    worlds.copied(root)
    return root


@pytest.fixture
def workspace(week: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy with a source of its own, to which late posts can be delivered."""
    with small.reopen(small.copied(week, tmp_path)) as opened:
        yield opened
        check_everything(opened)


def deliver_late(workspace: Workspace, *days: int) -> None:
    """A late post of each of those days of January, and two of the last: the same one twice."""
    posts = [small.LATE.replace("2024-01-03", f"2024-01-{d:02}").replace("000001", f"0000{d:02}") for d in days]
    source = workspace.config.folder.parent / "posts"
    (source / "2024-01-09-late.jsonl").write_text("".join([*posts, posts[-1]]), encoding="utf-8")


def told(proposed: Sequence[Advice]) -> list[tuple[Any, ...]]:
    return shown([item.to_document() for item in proposed])


def shown(proposed: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The same of what `--json` shows."""
    return [(p["kind"], p.get("run") or (p["dataset"], p["first"], p["last"], p.get("posts"))) for p in proposed]


def asked(kind: str, dataset: str, first: str, last: str, posts: int | None = None) -> tuple[Any, ...]:
    return kind, (dataset, first, last, posts)


def do(workspace: Workspace, item: Advice) -> str:
    (made,) = workspace.backfills.submit([item])
    assert made.requested
    run_id = made.requested
    workspace.backfills.approve(run_id)
    assert workspace.runs.drive(run_id).status == "SUCCESS"
    return run_id


def call(workspace: Workspace, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = tradex(["-C", str(workspace.config.folder), "--as", "ana", "backfill", "propose", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


# -- late data


def only_in(withheld: Path, others: list[Path]) -> Counter[date]:
    """How many posts (id and text) only that file has, by created day (UTC); read without the pipeline."""
    with duckdb.connect() as connection:
        found = connection.execute(
            "with posts as (select distinct json ->> '$.id_str' as id, json ->> '$.text' as text,"
            " strptime(json ->> '$.created_at', '%a %b %d %H:%M:%S +0000 %Y')::date as day, filename = $1 as late"
            " from read_json_objects($2, format = 'newline_delimited', filename = true))"
            " select day, count(*) from (select id, text, day from posts where late"
            " except select id, text, day from posts where not late) group by day",
            [str(withheld), [str(path) for path in (withheld, *others)]],
        ).fetchall()
    return Counter(dict(found))


@pytest.mark.norm("N10")
def test_a_withheld_file_is_proposed_as_its_very_days_and_doing_it_leaves_nothing(real_posts: Path, tmp_path: Path):
    source = tmp_path / "posts"
    source.mkdir()
    others = sorted(path for path in real_posts.glob("*.jsonl.gz") if path.name != WITHHELD)
    deliver(real_posts, source, [path.name for path in others])
    late = only_in(real_posts / WITHHELD, others)
    assert sum(late.values()) > 50
    Workspace.create(tmp_path / "ws", source=f"files:{source}", actor="ana").close()
    one_process(tmp_path / "ws")
    with Workspace.open(tmp_path / "ws", actor="ana") as workspace:
        workspace.incremental.run(last=UNTIL - timedelta(1))
        assert workspace.backfills.propose() == []
        deliver(real_posts, source, [WITHHELD])
        before, position = listing(workspace), workspace.ledger.position()
        (item,) = workspace.backfills.propose()
        first, last = min(late), max(late)
        assert (last - first).days == len(late) - 1  # one run of consecutive days
        assert told([item]) == [asked("temporal", BRONZE, str(first), str(last), sum(late.values()))]
        assert item.reason.startswith(f"{sum(late.values())} posts of {first}")
        assert "delivered after the run" in item.reason
        assert (listing(workspace), workspace.ledger.position()) == (before, position + 1)  # the look is on record
        assert workspace.backfills.propose(source=False) == []

        run_id = do(workspace, item)
        assert workspace.backfills.propose() == []
        (row,) = [row for row in projection(workspace, "runs") if row["run_id"] == run_id]
        assert row["appended_rows"] == sum(late.values())
        (cost,) = projection(workspace, "costs")
        for what in ("rows", "bytes"):  # after one run only, so from little experience
            assert cost[f"{what}_low"] <= cost[f"{what}_actual"] <= cost[f"{what}_high"], cost


def test_late_days_that_are_not_neighbours_are_requests_of_their_own_and_a_repeated_post_counts_once(
    workspace: Workspace,
):
    deliver_late(workspace, 2, 3, 6)
    proposed = workspace.backfills.propose()
    assert told(proposed) == [
        asked("temporal", BRONZE, "2024-01-02", "2024-01-03", 2),
        asked("temporal", BRONZE, "2024-01-06", "2024-01-06", 1),
    ]
    assert [item.reason for item in proposed] == [
        "2 posts of 2024-01-02..2024-01-03 were delivered after the runs that covered those days",
        "1 post of 2024-01-06 was delivered after the run that covered that day",
    ]


def test_what_an_incremental_run_will_still_find_is_not_late(workspace: Workspace):
    deliver_late(workspace, 8)
    assert workspace.backfills.propose() == []


def test_days_before_the_start_of_a_pipeline_are_none_of_its_business(week: Path, tmp_path: Path):
    with Workspace.create(
        tmp_path / "ws", source=f"files:{week / 'posts'}", start=small.day(5), actor="ana", clock=small.Ticking()
    ) as workspace:
        assert workspace.backfills.propose() == []
        workspace.incremental.run(last=small.day(7))
        assert workspace.backfills.propose() == []


def test_what_follows_from_late_posts_is_not_asked_for_beside_them(workspace: Workspace):
    run = small.backfill(workspace, 3, 3, dataset="gold_metrics")
    deliver_late(workspace, 3)
    late = small.backfill(workspace, 3, 3)
    workspace.backfills.revert(late.id, reason="the redelivery was broken, INC-4290")
    assert run.status == "SUCCESS"
    assert told(workspace.backfills.propose()) == [
        asked("temporal", "silver_social_events", "2024-01-03", "2024-01-03")
    ]
    deliver_late(workspace, 1, 3)  # of the first; Bronze has that of the third
    assert told(workspace.backfills.propose()) == [
        asked("temporal", BRONZE, "2024-01-01", "2024-01-01", 1),
        asked("temporal", "silver_social_events", "2024-01-03", "2024-01-03"),
    ]


def test_a_source_that_cannot_be_read_is_said_with_the_way_round_it(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
):
    source = workspace.config.folder.parent / "posts" / "2024-01-03.jsonl.gz"
    with small.broken(source, b"\x1f\x8b no gzip"):
        with pytest.raises(EnvironmentFault):
            workspace.backfills.propose()
        status, _, error = call(workspace, capsys)
        assert (status, "--no-source" in error) == (6, True)
        assert call(workspace, capsys, "--no-source")[0] == 0
    assert not list(workspace.core.lake.staged())


# -- half-done runs


@pytest.mark.norm("N34")
def test_a_run_that_was_interrupted_is_named_unless_somebody_drives_it(workspace: Workspace):
    deliver_late(workspace, 3)
    run_id = small.request(workspace, 3, 3)
    workspace.backfills.approve(run_id)

    def interrupt() -> None:
        raise Crash

    with pytest.raises(Crash):
        workspace.runs.drive(run_id, progress=Interruption("silver", interrupt))
    (item,) = workspace.backfills.propose()  # its Silver is stale, too: it will mend that
    assert (item.kind, item.status, item.command) == ("resume", "RUNNING", f"tradex backfill run {run_id}")
    assert "interrupted" in item.reason
    with held(workspace.core.execution(), run_id):
        assert ("resume", run_id) not in told(propose(workspace.ledger))
    workspace.runs.drive(run_id)
    assert workspace.backfills.propose() == []


@pytest.mark.norm("N34")
def test_a_paused_run_is_named_and_the_time_that_it_sat_is_no_work(workspace: Workspace):
    deliver_late(workspace, 3)
    run_id = small.request(workspace, 3, 3)
    workspace.backfills.approve(run_id)

    def pause() -> None:
        workspace.backfills.pause(run_id, reason="the machine is needed for something else")

    with pytest.raises(EndedMeanwhileError):
        workspace.runs.drive(run_id, progress=Interruption("silver", pause))
    (item,) = workspace.backfills.propose()
    assert (item.status, item.command) == ("PAUSED", f"tradex backfill resume {run_id}")
    workspace.core.clock.now += timedelta(hours=3)  # type: ignore[attr-defined]  # the clock is the test's own
    workspace.backfills.resume(run_id)
    (item,) = workspace.backfills.propose()
    assert item.command == f"tradex backfill run {run_id}"
    workspace.runs.drive(run_id)
    assert workspace.backfills.propose() == []
    (cost,) = projection(workspace, "costs")
    assert cost["duration_ms"] > 3 * 3600 * 1000
    assert cost["seconds_actual"] < 60  # the pause is not work
    assert cost["source_calls_high"] == cost["source_calls_actual"] == 0


# -- submitting


def test_submitting_twice_requests_once_and_says_what_waits(workspace: Workspace, capsys: pytest.CaptureFixture[str]):
    deliver_late(workspace, 2, 5)
    status, out, _ = call(workspace, capsys, "--submit", "--json")
    first = json.loads(out)
    assert status == 0
    assert [item["status"] for item in first] == ["PLANNED", "PLANNED"]  # although what follows from them overlaps
    for arguments in (("--submit", "--json"), ("--json",)):
        status, out, _ = call(workspace, capsys, *arguments)
        assert (status, shown(json.loads(out))) == (0, [("waiting", item["requested"]) for item in first])
    status, out, _ = call(workspace, capsys, "--submit")
    assert status == 0
    assert f"tradex backfill approve {first[0]['requested']}" in out
    assert "waits for its approval" in out
    for item in first:
        workspace.backfills.approve(item["requested"])
        workspace.runs.drive(item["requested"])
    assert workspace.backfills.propose() == []


def test_one_refused_request_does_not_stop_the_others(workspace: Workspace, capsys: pytest.CaptureFixture[str]):
    deliver_late(workspace, 2, 5)
    workspace.datasets.protect("gold_metrics", small.day(2), small.day(2), reason="a legal hold, TRX-17")
    status, out, _ = call(workspace, capsys, "--submit", "--json")
    refused, requested = json.loads(out)
    assert status == 1
    assert (refused["first"], refused["refused"]["code"]) == ("2024-01-02", "protected")
    assert refused["refused"]["mend"]
    assert (requested["first"], requested["status"]) == ("2024-01-05", "PLANNED")
    status, out, error = call(workspace, capsys, "--submit")
    assert (status, requested["requested"] in out, "not requested" in error) == (1, True, True)


# -- new logic


@pytest.mark.norm("N12")
def test_days_that_only_an_older_version_has_are_logical_requests():
    """The rows of `stale_partitions` as they come: two days under new logic, then one with a changed input."""
    days = []
    for n in (1, 2, 3):
        why = NEW_LOGIC if n < 3 else "input changed"
        inputs = ("gold_metrics", small.day(n), "bf-1", why)
        row = StalePartition("gold_signals", "gold", small.day(n), 2, None, None, *inputs)
        days.append(Wanted(day_of(small.day(n)), NEW_LOGIC if n < 3 else STALE, stale=row))
    found = requests("gold_signals", days, "spikes start at z = 4")
    assert told(found) == [
        asked("logical", "gold_signals", "2024-01-01", "2024-01-02"),
        asked("temporal", "gold_signals", "2024-01-03", "2024-01-03"),
    ]
    assert "new logic version, 2 (spikes start at z = 4)" in found[0].reason
    assert found[1].reason == "gold_signals is stale: gold_metrics changed by bf-1"
    assert "request logical gold_signals" in (found[0].command or "")


def test_what_a_held_incremental_run_will_publish_is_not_asked_for(tmp_path: Path):
    small.deliver(tmp_path / "posts", days=42)
    policy = {"anomaly_min_rows": 1, "hold_on_anomaly": True}
    small.create(tmp_path / "ws", f"files:{tmp_path / 'posts'}", **policy).close()  # type: ignore[arg-type]  # settings of a policy, by their names
    clock = small.Ticking(datetime(2024, 2, 20, tzinfo=UTC))
    with Workspace.open(tmp_path / "ws", actor="ana", clock=clock) as workspace:
        run = workspace.incremental.run(last=date(2024, 2, 10))
        assert run.status == "HELD"
        (item,) = workspace.backfills.propose()
        assert (item.kind, item.run) == ("waiting", run.id)
        assert item.command == f'tradex backfill release {run.id} --reason "…"'
        workspace.runs.release(run.id, reason="looked at it: a made-up month")
        assert "tradex run" in {item.command for item in workspace.backfills.propose()}
        workspace.incremental.run(last=date(2024, 2, 10))
        assert workspace.backfills.propose() == []


def test_the_day_after_what_was_asked_for_is_none_that_a_run_has_passed(tmp_path: Path):
    small.deliver(tmp_path / "posts")
    source, clock = f"files:{tmp_path / 'posts'}", small.Ticking()
    with Workspace.create(tmp_path / "ws", source=source, start=small.day(5), actor="ana", clock=clock) as workspace:
        workspace.incremental.run(last=small.day(7))
        small.backfill(workspace, 2, 2)
        deliver_late(workspace, 2, 3)
        (late,) = find_late(workspace.core.execution())
        # Days before the pipeline's start are proposed only where a run has asked for them.
        assert (set(late.rows), late.passed) == ({day_of(small.day(2))}, {day_of(small.day(2))})
