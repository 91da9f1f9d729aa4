"""Retracted posts: on record in Bronze, left out of Silver and Gold from the next run on; as of before, still there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import orjson
import pytest

from tests.kit import small, x_platform
from tests.kit.check import check_everything
from tests.stories import retracting
from tradex_ledger.cli.main import run
from tradex_ledger.domain.request import RangeError
from tradex_ledger.pipelines.x.demo.compliance import Jobs
from tradex_ledger.pipelines.x.notices import NoRetractionsError
from tradex_ledger.pipelines.x.retract import Checked, UnknownPostError, check, retract
from tradex_ledger.sources.source import Rejected, Row
from tradex_ledger.sources.x_api.answers import StrangeAnswerError
from tradex_ledger.sources.x_posts.retractions import notice_of
from tradex_ledger.sources.x_posts.time import time_us
from tradex_ledger.workspace import BUILT_IN, Workspace

CLAUSES = (
    """held as (
    select post_id, revision
    from bronze_x_retractions
    group by post_id, revision, quarantine
    having not bool_or(is_released)
),
""",
    """    where not exists (
        from held where held.post_id = bronze_x_posts.post_id and held.revision in ('', bronze_x_posts.revision)
    )
""",
    ', bronze_x_retractions = "0d"',
)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with retracting.created(tmp_path) as made:
        yield made


def test_the_example_is_the_built_in_pipeline_and_what_leaves_posts_out():
    built_in = (BUILT_IN / "silver_social_events.sql").read_text("utf-8")
    mine = (retracting.EXAMPLE / "silver_social_events.sql").read_text("utf-8")
    for clause in CLAUSES:
        assert mine.count(clause) == 1
        mine = mine.replace(clause, "")
    assert mine == built_in


@pytest.mark.norm("N6")
@pytest.mark.norm("N16")
def test_a_retracted_post_is_left_out_from_the_next_run_on_and_bronze_keeps_it(workspace: Workspace):
    sql = "select post_id, count(*) from silver_social_events where event_date = '2024-01-03' group by 1 order by 1"
    before = workspace.query(sql).rows
    position = workspace.ledger.position()
    (gone, _), *rest = before
    notice = {"id": gone, "action": "delete", "created_at": "2024-01-03T10:00:00.000Z"}
    told = {**notice, "redacted_at": "2024-01-09T08:00:00.000Z", "reason": "deleted"}
    (workspace.config.folder.parent / "retractions" / "1.jsonl").write_bytes(orjson.dumps(told) + b"\n")
    run = workspace.incremental.run(last=small.day(9))
    assert run.status == "SUCCESS"
    assert list(workspace.query(sql).rows) == rest
    assert list(workspace.query(sql, as_of=str(position)).rows) == list(before)
    assert list(workspace.query(f"select count(*) > 0 from bronze_x_posts where post_id = '{gone}'").rows) == [(True,)]
    (row,) = workspace.query("select post_id, event_date, reason, run_id from bronze_x_retractions").rows
    assert row == (gone, date(2024, 1, 3), "deleted", run.id)
    check_everything(workspace)


DELIVERED = time_us("2024-02-01T00:00:00.000Z") or 0
ID = "1742500000000000000"
"""Of 3 January 2024."""


@pytest.mark.parametrize(
    "notice",
    [
        {"id": ID, "action": "delete", "redacted_at": "2024-01-09T08:00:00.000Z", "reason": "suspended"},
        {"delete": {"status": {"id_str": ID, "id": int(ID)}, "timestamp_ms": "1704787200000"}},
        {"delete": {"tweet": {"id": ID}, "event_at": "2024-01-09T08:00:00.000Z"}},
        {"post_delete": {"post": {"id": ID}, "event_at": "2024-01-09T08:00:00.000Z"}},
    ],
)
def test_every_kind_of_notice_names_its_post_and_lies_in_its_day(notice: dict[str, object]):
    found = notice_of(orjson.dumps(notice), DELIVERED)
    assert isinstance(found, Row)
    assert (found.values[1], found.moment) == (ID, time_us("2024-01-09T08:00:00.000Z"))
    assert found.day == (time_us("2024-01-03T00:00:00.000Z") or 0) // 86_400_000_000


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"id":"1742500000000000000","action":"delete"}',
        b'{"id":"1742500000000000000","action":"withhold","redacted_at":"2024-01-09T08:00:00.000Z"}',
        b'{"id":"x","action":"delete","redacted_at":"2024-01-09T08:00:00.000Z"}',
        b'{"id":"17","action":"delete","redacted_at":"2024-01-09T08:00:00.000Z"}',
        b'{"id":"1742500000000000000","action":"delete","redacted_at":"2025-01-09T08:00:00.000Z"}',
        b'{"delete":{"status":null}}',
        b"\xff",
    ],
)
def test_what_is_no_notice_is_rejected(line: bytes):
    assert isinstance(notice_of(line, DELIVERED), Rejected)


def test_a_person_retracts_a_post_and_the_ledger_says_who_why_and_which(workspace: Workspace):
    (gone,) = workspace.query("select min(post_id) from silver_social_events").rows[0]
    told = retract(workspace, [str(gone)], reason="its author asked for it, LEGAL-17")
    (event,) = [entry for entry in workspace.events() if entry.topic == "retraction.told"]
    assert (event.by, event.data["rows"], event.data["reason"]) == ("ana", [gone], "its author asked for it, LEGAL-17")
    assert (workspace.config.folder.parent / "retractions" / f"{told.id}.jsonl").exists()
    retracting.tomorrow(workspace)
    workspace.incremental.run(last=date(2024, 2, 1))
    assert list(workspace.query(f"select 1 from silver_social_events where post_id = '{gone}'").rows) == []
    with pytest.raises(UnknownPostError):
        retract(workspace, ["17"], reason="its author asked for it, LEGAL-17")
    check_everything(workspace)


def test_a_compliance_job_of_the_platform_retracts_what_is_gone_there(workspace: Workspace):
    posts = [str(post_id) for (post_id,) in workspace.query("select distinct post_id from bronze_x_posts").rows]
    with x_platform.platform() as platform:
        platform.posts = {post_id: x_platform.held(1) for post_id in posts[2:]}
        found = check(workspace, small.day(1), small.day(7))
        assert found.retraction is not None
        assert (found.posts, found.retraction.rows) == (len(posts), sorted(posts[:2]))
        assert platform.strangers == 0
    retracting.tomorrow(workspace)
    workspace.incremental.run(last=date(2024, 2, 1))
    (count,) = workspace.query("select count(*) from bronze_x_retractions where reason = 'deleted'").rows[0]
    assert count == 2


def test_days_without_posts_are_no_question_and_days_in_the_wrong_order_a_mistake(workspace: Workspace):
    with x_platform.platform() as platform:
        assert check(workspace, date(2023, 1, 1), date(2023, 1, 2)) == Checked(0, None)
        with pytest.raises(RangeError):
            check(workspace, small.day(7), small.day(1))
        assert not platform.jobs.asked


def test_a_notice_about_a_post_that_nobody_asked_about_is_none(workspace: Workspace):
    stranger = {"id": ID, "action": "delete", "redacted_at": "2024-01-09T08:00:00.000Z", "reason": "deleted"}
    with x_platform.platform() as platform, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Jobs, "notices", lambda *_: orjson.dumps(stranger))
        with pytest.raises(StrangeAnswerError):
            check(workspace, small.day(1), small.day(7))
        assert platform.jobs.uploaded
    assert [entry for entry in workspace.events() if entry.topic == "retraction.told"] == []


@pytest.mark.parametrize(
    "said",
    [
        (),
        (ID,),
        (ID, "--check"),
        (ID, "--reason", "asked for, LEGAL-17", "--from", "2024-01-01"),
        ("--check", "--from", "2024-01-01"),
        ("--check", "--from", "2024-01-01", "--to", "2024-01-02", "--reason", "asked for, LEGAL-17"),
    ],
)
def test_what_the_shell_would_pass_over_it_refuses(plain: Path, said: tuple[str, ...]):
    assert run(["-C", str(plain), "retract", *said]) == 2


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose pipeline has no retractions: what is no mistake of the call is refused with another status."""
    root = tmp_path_factory.mktemp("plain")
    small.deliver(root / "posts", days=1)
    small.create(root / "ws", f"files:{root / 'posts'}").close()
    assert run(["-C", str(root / "ws"), "retract", ID, "--reason", "asked for, LEGAL-17"]) == 3
    return root / "ws"


def test_a_pipeline_without_retractions_is_told_how_to_get_them(tmp_path: Path):
    small.deliver(tmp_path / "posts", days=2)
    with small.create(tmp_path / "plain", f"files:{tmp_path / 'posts'}") as workspace:
        workspace.incremental.run(last=small.day(1))
        (post_id,) = workspace.query("select min(post_id) from bronze_x_posts").rows[0]
        for one in (str(post_id), "1"):  # nor is it asked which post that is: there may be none of X at all
            with pytest.raises(NoRetractionsError):
                retract(workspace, [one], reason="its author asked for it, LEGAL-17")
