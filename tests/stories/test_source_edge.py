"""The edge of the source: what is passed over, late, unreadable or of no day is said, and opens no range."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests import worlds
from tests.kit import signing, small
from tests.kit.check import check_everything
from tests.kit.lake import events, partitions, projection, read_dataset
from tradex_ledger.cli.main import run as tradex
from tradex_ledger.domain.day import iso
from tradex_ledger.domain.incremental import NothingToRunError
from tradex_ledger.domain.policy import RunTooLargeError
from tradex_ledger.domain.request import Request
from tradex_ledger.driving.ahead import FarAheadError
from tradex_ledger.driving.extract import NothingReadableError
from tradex_ledger.errors import UsageError
from tradex_ledger.workspace import Workspace

UNDATED = "bronze_x_posts__undated"
REJECTED = "bronze_x_posts__rejected"


def post(number: int, day: int, **more: Any) -> bytes:
    """A post of January 2024, as v2 has it."""
    made = {"id": str(1741941000000000000 + number), "author_id": str(number), "text": f"up $TSLA {number}"}
    return orjson.dumps(made | {"created_at": f"2024-01-{day:02}T10:00:00.000Z"} | more)


def begin(folder: Path) -> None:
    """A workspace that has not run yet, and three posts a day."""
    (folder / "posts").mkdir()
    for day in range(1, 8):
        deliver(folder / "posts", f"2024-01-{day:02}.jsonl", *(post(day * 10 + n, day) for n in range(3)))
    worlds.define(folder / "ws" / "pipeline", without=worlds.GOLD_OF_GOLD)
    worlds.create(folder, pipeline="pipeline", from_start=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    worlds.copy("source-edge", begin, tmp_path)
    return tmp_path / "posts"


@pytest.fixture
def workspace(source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    folder = source.parent / "ws"
    monkeypatch.setenv("TRADEX_WORKSPACE", str(folder))
    monkeypatch.setenv("TRADEX_ACTOR", "ana")
    with small.reopen(folder) as made:
        yield made
        check_everything(made)


def deliver(folder: Path, name: str, *lines: bytes) -> Path:
    path = folder / name
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def source_of(workspace: Workspace) -> dict[str, Any]:
    """What the newest run that read the source says of it."""
    (*_, last) = events(workspace, "topic = 'run.layer_completed' and layer = 'bronze'")
    found: dict[str, Any] = json.loads(last["data"])["source"]
    return found


def look_of(workspace: Workspace) -> dict[str, Any]:
    """The newest look at the source."""
    return max(projection(workspace, "source_looks"), key=lambda row: row["position"])


def days_of(workspace: Workspace, dataset: str) -> set[str]:
    return {str(row["partition"]) for row in partitions(workspace) if row["dataset"] == dataset}


# -- what is passed over


def test_what_is_passed_over_is_told_by_the_run_the_status_and_propose(
    workspace: Workspace, source: Path, capsys: pytest.CaptureFixture[str]
):
    (source / "notes.txt").write_text("x")
    (source / "gone.jsonl").symlink_to(source / "nowhere")
    deliver(source, "account.js", b"window.YTD.account.part0 = [{}]")
    assert tradex(["run", "--to", "2024-01-07"]) == 0
    said = capsys.readouterr().out
    assert "passed over" in said
    assert "1 × a link to nothing: gone.jsonl" in said
    assert "1 × a part of an archive that holds no posts (account): account.js" in said
    assert source_of(workspace)["passed_over"] == 3
    (row,) = projection(workspace, "source_looks")
    assert (row["passed_over"], row["files"], row["newest"]) == (3, 8, date(2024, 1, 7))
    shutil.rmtree(source)  # who only asks does not read the source
    assert tradex(["status"]) == 0
    said = capsys.readouterr().out
    assert "source: looked at" in said
    assert "notes.txt" in said
    source.mkdir()
    (source / "other.txt").write_text("x")
    assert tradex(["backfill", "propose"]) == 0
    assert "1 at the source passed over: its suffix is none that is read (other.txt)" in capsys.readouterr().out


def test_other_usual_names_and_forms_are_read(workspace: Workspace, source: Path):
    archived = [{"tweet": json.loads(post(900 + n, 2)) | {"id_str": str(n)}} for n in range(2)]
    deliver(source, "a.JSON", json.dumps([json.loads(post(910, 2)), json.loads(post(911, 2))], indent=1).encode())
    deliver(source, "b.ndjson", post(912, 2))
    deliver(source, "c.json", b'{"data":[' + post(913, 2) + b"," + post(914, 2) + b"]}")
    deliver(source, "tweets.js", b"window.YTD.tweets.part0 = " + json.dumps(archived, indent=1).encode())
    (source / "d.json.gz").write_bytes(gzip.compress(post(915, 2)))
    (source / "e").symlink_to(shutil.copytree(source, source.parent / "linked"))
    workspace.incremental.run(last=small.day(7))
    assert source_of(workspace) | {"odd": {}} == source_of(workspace) | {
        "odd": {}, "posts": 2 * (21 + 8), "appended": 21 + 8, "rejected": 0,
    }  # fmt: skip
    places = {row[13] for row in read_dataset(workspace, "bronze_x_posts")}
    assert {"files:a.JSON:2#1", "files:c.json:1#2", "files:b.ndjson:1"} <= places


@pytest.mark.parametrize("content", [None, b"\xff\xfe no text\n", b'{"limit":{"track":1}}\n'])
def test_a_source_of_which_nothing_was_readable_does_not_move_the_state(
    workspace: Workspace, source: Path, content: bytes | None
):
    shutil.rmtree(source)
    source.mkdir()
    (source / "posts.csv").write_text("x")
    if content:
        deliver(source, "2024-01-03.jsonl", content)
    with pytest.raises(NothingReadableError, match="the state does not move") as caught:
        workspace.incremental.run(last=small.day(7))
    assert "its suffix is none that is read" in caught.value.message
    assert workspace.state.cursor is None
    rejected = read_dataset(workspace, REJECTED)
    assert len(rejected) == bool(content)  # what was no post is on record all the same
    deliver(source, "2024-01-03-again.jsonl", post(1, 3))
    workspace.incremental.run(last=small.day(7))
    assert str(workspace.state.cursor).startswith("2024-01-08")
    assert len(read_dataset(workspace, REJECTED)) == bool(content)


# -- late lines that are no posts


def test_late_lines_that_are_no_posts_are_proposed_and_on_record_after_the_next_run(
    workspace: Workspace, source: Path, capsys: pytest.CaptureFixture[str]
):
    workspace.incremental.run(last=small.day(5))
    (source / "2024-01-03-late.jsonl").write_bytes("{}\n[]".encode("utf-16"))
    deliver(source, "2024-01-04-late.jsonl", b"<html>", b'{"delete":{"timestamp_ms":"1704200000000"}}')
    deliver(source, "2024-01-07-later.jsonl", b"<html>")  # no run has been there
    items = workspace.backfills.propose()
    (item,) = [one for one in items if one.kind == "rejected"]
    assert (item.files, item.lines, item.command) == (2, 4, "tradex run")
    assert look_of(workspace)["late_rejected"] == 4
    assert (look_of(workspace)["late_posts"], look_of(workspace)["run_id"]) == (0, None)
    assert tradex(["run", "--to", "2024-01-06"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "appended 3 posts, and 4 lines that are no posts" in said
    assert "messages 1 of a stream, no posts" in said
    found = {(str(row[0]), row[1], row[3]) for row in read_dataset(workspace, REJECTED)}
    assert ("2024-01-02", "2024-01-04-late.jsonl", "control message: delete") in found
    assert len(found) == 4
    assert [one.kind for one in workspace.backfills.propose()] == []
    (run,) = [r for r in projection(workspace, "runs") if r["range_to"].startswith("2024-01-07")]
    assert (run["appended_rows"], run["rejected_rows"]) == (7, 4)
    # Nothing follows from such lines: only the days of the run were built.
    assert run["planned_partitions"] == 2


@pytest.mark.parametrize("why", ["all days are run", "it would ask"])
def test_no_run_is_proposed_that_would_not_set_out(workspace: Workspace, source: Path, why: str):
    small.set_policy(workspace.config.folder, run_ahead_days=20)
    with small.reopen(workspace.config.folder) as again:
        again.incremental.run(last=date(2024, 1, 31) if why == "all days are run" else small.day(7))
        deliver(source, "2024-01-04-late.jsonl", b"<html>")
        (item,) = again.backfills.propose()
        assert (item.kind, item.lines, item.command) == ("rejected", 1, None)
        assert "the next run, or a backfill of their day, puts them on record" in item.reason
        small.backfill(again, 4, 4)
        assert again.backfills.propose() == []


def test_a_backfill_of_their_day_puts_them_on_record_too(workspace: Workspace, source: Path):
    workspace.incremental.run(last=small.day(5))
    deliver(source, "2024-01-03-late.jsonl", b"<html>")
    small.backfill(workspace, 3, 3)
    assert [(str(row[0]), row[1]) for row in read_dataset(workspace, REJECTED)] == [
        ("2024-01-03", "2024-01-03-late.jsonl")
    ]
    assert source_of(workspace)["rejected_appended"] == 1


# -- days that nobody vouches for


def test_a_line_without_a_day_is_undated_once_and_opens_no_range(workspace: Workspace, source: Path):
    deliver(source, "stream.jsonl", b"<html>", post(1, 2, created_at="1970-01-01T00:00:00Z"), post(2, 2))
    deliver(source, "1999-12-31.jsonl", b"<html>")
    workspace.incremental.run(last=small.day(7))
    rows = read_dataset(workspace, UNDATED)
    assert sorted(row[1] for row in rows) == ["1999-12-31.jsonl", "stream.jsonl", "stream.jsonl"]
    assert {str(row[0]) for row in rows} == {"2024-02-01"}  # when they were read
    assert source_of(workspace)["undated"] == 3
    for dataset in ("silver_social_events", "gold_metrics"):
        assert min(days_of(workspace, dataset)) == "2024-01-01"
        assert max(days_of(workspace, dataset)) == "2024-01-07"
    workspace.core.clock.now = workspace.core.clock.now.replace(month=3)  # type: ignore[attr-defined]  # the clock is the test's own
    small.backfill(workspace, 1, 3)
    assert read_dataset(workspace, UNDATED) == rows
    for dataset in ("bronze", REJECTED, "silver", "gold"):
        backfill, plan = workspace.backfills.plan(
            Request(kind="dataset", dataset=dataset, override_state=False, reason="parser was fixed, INC-1")
        )
        assert (iso(backfill.request.first), iso(backfill.request.last)) == ("2024-01-01", "2024-01-07")
        assert iso(min(window.first for window in plan.windows)) == "2024-01-01"
    assert projection(workspace, "stale_partitions") == []


def test_one_post_of_1970_costs_nothing(workspace: Workspace, source: Path):
    deliver(source, "2024-01-02-x.jsonl", post(1, 2, created_at="Thu Jan 01 00:00:00 +0000 1970"))
    run = workspace.incremental.run(last=small.day(7))
    assert run.status == "SUCCESS"
    assert min(days_of(workspace, "bronze_x_posts")) == "2024-01-01"
    (row,) = read_dataset(workspace, REJECTED)
    assert (str(row[0]), row[3]) == (
        "2024-01-02",
        "created_at 1970-01-01T00:00:00Z lies before the platform's first post (2006-03-21)",
    )


def test_a_post_from_the_future_is_rejected_and_taken_once_its_time_has_come(workspace: Workspace, source: Path):
    deliver(source, "2024-01-05-x.jsonl", post(1, 5, created_at="2024-02-10T10:00:00Z"))
    workspace.incremental.run(last=small.day(7))
    (row,) = read_dataset(workspace, REJECTED)
    assert row[3] == "created_at 2024-02-10T10:00:00Z lies after its delivery"
    assert max(days_of(workspace, "bronze_x_posts")) == "2024-01-07"
    workspace.core.clock.now = workspace.core.clock.now.replace(day=12)  # type: ignore[attr-defined]  # the clock is the test's own
    workspace.incremental.run(last=date(2024, 2, 11))
    assert max(days_of(workspace, "bronze_x_posts")) == "2024-02-10"


# -- how far a run goes


def test_a_run_over_many_empty_days_asks_first(workspace: Workspace, source: Path, capsys: pytest.CaptureFixture[str]):
    small.set_policy(workspace.config.folder, run_ahead_days=20)
    before = workspace.ledger.position()
    with pytest.raises(FarAheadError, match="of 2024-01-07, and the run would go on to 2024-01-31") as caught:
        workspace.incremental.run()
    assert caught.value.mend == "tradex run --to 2024-01-07, or, if there was nothing to deliver: tradex run --yes"
    assert workspace.ledger.position() == before
    assert tradex(["run"]) == 2
    assert "--yes" in capsys.readouterr().err
    workspace.incremental.run(last=date(2024, 1, 19))  # a day that is named says as much
    with pytest.raises(FarAheadError) as caught:
        workspace.incremental.run()
    assert caught.value.mend == "if there was nothing to deliver: tradex run --yes"
    deliver(source, "2024-01-25.jsonl", post(99, 25))
    workspace.incremental.run()
    assert str(workspace.state.cursor).startswith("2024-02-01")


def test_a_run_that_was_told_to_goes_far_ahead(workspace: Workspace):
    small.set_policy(workspace.config.folder, run_ahead_days=1)
    assert workspace.incremental.run(far_ahead=True).status == "SUCCESS"


def test_a_post_from_the_future_does_not_say_that_all_is_well(workspace: Workspace, source: Path):
    small.set_policy(workspace.config.folder, run_ahead_days=20)
    deliver(source, "z.jsonl", post(99, 25, created_at="2031-01-01T10:00:00.000Z"))
    with pytest.raises(FarAheadError, match="of 2024-01-07"):
        workspace.incremental.run()


def test_a_run_that_set_out_while_nothing_was_there_asks_before_it_is_taken_up(workspace: Workspace, source: Path):
    small.set_policy(workspace.config.folder, run_ahead_days=20)
    source.rename(source.with_name("away"))
    source.mkdir()
    with pytest.raises(NothingReadableError):
        workspace.incremental.run()
    source.rmdir()
    source.with_name("away").rename(source)
    (unfinished,) = (row["run_id"] for row in projection(workspace, "runs"))
    for last in (None, date(2024, 1, 7)):
        with pytest.raises(FarAheadError, match=f"of 2024-01-07, and {unfinished} would go on to 2024-01-31") as caught:
            workspace.incremental.run(last=last)
    assert caught.value.mend == (
        f"cancel it (tradex backfill cancel {unfinished} --reason …), then tradex run --to 2024-01-07, "
        "or, if there was nothing to deliver: tradex run --yes"
    )
    workspace.runs.cancel(unfinished, reason="it set out before anything was delivered, INC-7")
    assert workspace.incremental.run(last=date(2024, 1, 7)).status == "SUCCESS"


@pytest.mark.parametrize("how", ["yes", "until"])
def test_a_run_that_set_out_while_nothing_was_there_goes_on_when_told_so(workspace: Workspace, source: Path, how: str):
    small.set_policy(workspace.config.folder, run_ahead_days=20)
    source.rename(source.with_name("away"))
    source.mkdir()
    with pytest.raises(NothingReadableError):
        workspace.incremental.run(last=date(2024, 1, 30))
    source.rmdir()
    source.with_name("away").rename(source)
    workspace.incremental.run(far_ahead=True) if how == "yes" else workspace.incremental.run(last=date(2024, 1, 30))
    assert {row["status"] for row in projection(workspace, "runs")} == {"SUCCESS"}


@pytest.mark.parametrize("remembers", [True, False])
def test_a_line_of_a_file_whose_day_is_still_to_come_is_on_record_once(
    workspace: Workspace, source: Path, remembers: bool
):
    """Files are named by the day where they are made, which may be ahead of UTC. The cache changes nothing."""
    deliver(source, "2024-02-02.jsonl", b"no post", orjson.dumps({"created_at": "2024-02-02T01:00:00.000Z"}))
    workspace.incremental.run(last=date(2024, 1, 19))
    assert len(read_dataset(workspace, UNDATED)) == 2
    clock = small.Ticking(datetime(2024, 2, 4, tzinfo=UTC))
    with Workspace.open(workspace.config.folder, actor="ana", clock=clock) as later:
        if not remembers:
            (small.caches(workspace.config.folder) / "delivered").unlink()
        later.incremental.run(last=date(2024, 2, 3))
        found = source_of(later)
        assert (found["rejected"], found["undated"], found["rejected_appended"]) == (2, 0, 0)
        assert read_dataset(later, REJECTED) == []
        assert len(read_dataset(later, UNDATED)) == 2


def test_without_a_bound_nothing_is_asked(workspace: Workspace):
    small.set_policy(workspace.config.folder, run_ahead_days=0)
    assert workspace.incremental.run().status == "SUCCESS"


def test_a_run_has_a_bound_as_a_backfill_has(workspace: Workspace):
    small.set_policy(workspace.config.folder, max_partitions=6)
    with pytest.raises(RunTooLargeError, match="the run has 14 partitions, the policy allows 6") as caught:
        workspace.incremental.run(last=small.day(7))  # of the first run the days are known once Bronze is there
    assert "tradex run --to 2024-01-03" in caught.value.mend
    (stuck,) = [row["run_id"] for row in projection(workspace, "runs")]
    assert stuck in caught.value.mend
    assert workspace.state.cursor is None
    workspace.runs.cancel(stuck, reason="too many days at once, INC-1")
    workspace.incremental.run(last=small.day(3))
    before = workspace.ledger.position()
    with pytest.raises(RunTooLargeError) as caught:
        workspace.incremental.run(last=small.day(7))  # of any other they are known before
    assert "tradex run --to 2024-01-06" in caught.value.mend
    assert workspace.ledger.position() == before
    workspace.incremental.run(last=small.day(6))


def test_how_a_cursor_is_put_back_stands_in_the_error_that_needs_it(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
):
    run = workspace.incremental.run(last=date(2024, 1, 19))
    with pytest.raises(NothingToRunError) as caught:
        workspace.incremental.run(last=small.day(7))
    way = "request forced bronze_x_posts --from … --to 2024-01-20 --override-state --cursor … --ticket … --reason …"
    assert way in caught.value.mend
    for verb in ("revert", "cancel"):
        assert tradex(["backfill", verb, run.id, "--reason", "it went too far, INC-1"]) in (3, 4)
        assert "--override-state --cursor" in capsys.readouterr().err
    forced = small.request(
        workspace,
        date(2024, 1, 8),
        date(2024, 1, 20),
        kind="forced",
        override_state=True,
        cursor="2024-01-08T00:00:00.000000Z",
        ticket="INC-1",
    )
    with small.reopen(workspace.config.folder, "ben") as ben:
        signing.approve(ben, forced)
        ben.runs.drive(forced)
    assert str(workspace.state.cursor).startswith("2024-01-08")


# -- what is said of deliveries


def test_deliveries_whose_counts_alone_differ_are_counted_and_dropped(
    workspace: Workspace, source: Path, capsys: pytest.CaptureFixture[str]
):
    popular = {"public_metrics": {"like_count": 9, "retweet_count": 4}}
    deliver(source, "2024-01-02-again.jsonl", post(20, 2, **popular), post(21, 2), post(22, 2, **popular))
    for _ in range(2):  # with the cache of delivered files, and without it
        assert tradex(["run", "--to", "2024-01-07"]) in (0, 2)
        assert source_of(workspace)["recounted"] == 2
        (row,) = [r for r in read_dataset(workspace, "bronze_x_posts") if r[1] == "1741941000000000020"]
        assert row[8] == 9  # the first by the names of the files stays
        (small.caches(workspace.config.folder) / "delivered").unlink(missing_ok=True)
    small.backfill(workspace, 1, 7)
    assert source_of(workspace)["recounted"] == 2
    assert tradex(["backfill", "show", projection(workspace, "runs")[-1]["run_id"]]) == 0
    assert "other counts" in capsys.readouterr().out


def test_odd_fields_are_counted_where_a_person_looks(
    workspace: Workspace, source: Path, capsys: pytest.CaptureFixture[str]
):
    deliver(source, "2024-01-02-odd.jsonl", post(1, 2, public_metrics={"like_count": "100+"}, author_id=None))
    assert tradex(["run", "--to", "2024-01-07"]) == 0
    assert "odd fields 1 × a count that is no number; 1 × no author" in " ".join(capsys.readouterr().out.split())
    assert source_of(workspace)["odd"] == {"a count that is no number": 1, "no author": 1}


def test_posts_of_nobody_are_not_taken_for_copies_of_each_other(workspace: Workspace, source: Path):
    deliver(source, "2024-01-02-x.jsonl", *(post(n, 2, author_id=None, text="all in $GME") for n in (1, 2)))
    workspace.incremental.run(last=small.day(7))
    found = [row for row in read_dataset(workspace, "silver_social_events") if row[2] == "GME"]
    assert len(found) == 2


# -- what is proposed can be done


def test_what_cannot_be_driven_any_more_is_proposed_with_its_cancel_and_a_new_request(
    workspace: Workspace, source: Path, capsys: pytest.CaptureFixture[str]
):
    workspace.incremental.run(last=small.day(7))
    deliver(source, "2024-01-03-late.jsonl", post(1, 3))
    stuck = small.request(workspace, 3, 3)
    workspace.backfills.approve(stuck)
    moved = source.rename(source.with_name("moved"))
    settings = workspace.config.folder / "tradex.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("files:posts", f"files:{moved}"), encoding="utf-8")
    (item,) = workspace.backfills.propose()
    assert (item.kind, item.first_cancel) == ("temporal", (stuck,))
    assert tradex(["backfill", "propose"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith(f"tradex backfill cancel {stuck} --reason ")
    assert lines[-1].startswith("tradex backfill request temporal bronze_x_posts --from 2024-01-03 --to 2024-01-03")
    workspace.runs.cancel(stuck, reason="the source was moved, INC-1")
    small.backfill(workspace, 3, 3)
    assert workspace.backfills.propose() == []


def test_an_outdated_backfill_that_mends_nothing_is_named_too(workspace: Workspace):
    workspace.incremental.run(last=small.day(7))
    run_id = small.request(workspace, 3, 3)
    workspace.backfills.approve(run_id)
    workspace.datasets.protect("gold_metrics", small.day(3), small.day(3), reason="a legal hold, LAW-7")
    (item,) = workspace.backfills.propose()
    assert (item.kind, item.run) == ("outdated", run_id)
    assert "is protected" in item.reason
    assert item.command
    assert item.command.startswith(f"tradex backfill cancel {run_id}")
    with pytest.raises(UsageError, match="future"):
        workspace.incremental.run(last=date(2030, 12, 31))
