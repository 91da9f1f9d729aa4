"""A clock that is wrong by hours, days or years stops nothing else than what is asked of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit import signing, small
from tests.kit.check import check_everything, read_record
from tests.kit.lake import projection
from tests.kit.tree import CLI
from tradex_ledger.cli.main import run as call
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.backfill_errors import ExpiredRequestError
from tradex_ledger.domain.incremental import CursorAheadError, NothingToRunError
from tradex_ledger.driving.clocks import ClockDoubtfulError
from tradex_ledger.driving.lease import DrivenElsewhereError, held
from tradex_ledger.workspace import Workspace

TODAY = datetime(2024, 1, 8, 2, tzinfo=UTC)
"""The night after the last day of posts."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that ran in the night, as it should."""
    root = tmp_path_factory.mktemp("clocks")
    small.deliver(root / "posts", days=8)
    (root / "posts" / "2024-01-08.jsonl.gz").rename(root / "of-the-eighth.jsonl.gz")
    started = small.Ticking(TODAY - timedelta(days=1))
    Workspace.create(root / "ws", source=f"files:{root / 'posts'}", actor="ana", clock=started, start=small.FIRST)
    settings = root / "ws" / "tradex.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("# workers = 2", "workers = 1 #"), encoding="utf-8")
    with at(root / "ws", TODAY) as workspace:
        workspace.incremental.run()
    return root


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return small.copied(template, tmp_path / "here")


def at(folder: Path, moment: datetime, actor: str = "ana") -> Workspace:
    """The workspace under a clock."""
    return Workspace.open(folder, actor=actor, clock=small.Ticking(moment))


def topics(workspace: Workspace) -> list[str]:
    return [entry.topic for entry in read_record(workspace).entries]


FAR = [timedelta(days=4), timedelta(days=11), timedelta(days=365), timedelta(days=365 * 900)]


@pytest.mark.parametrize("ahead", FAR, ids=str)
@pytest.mark.parametrize("named", [False, True], ids=["until today", "that day named"])
def test_a_run_under_a_clock_that_is_far_ahead_is_refused_and_records_nothing(
    folder: Path, ahead: timedelta, named: bool
):
    with at(folder, TODAY + ahead) as workspace:
        before = workspace.ledger.position()
        with pytest.raises(ClockDoubtfulError, match=r"the newest post is of 2024-01-07: more than the 72 hours") as it:
            workspace.incremental.run(last=(TODAY + ahead).date() - timedelta(1) if named else None, far_ahead=True)
        assert (it.value.exit_status, "--clock-is-right" in it.value.mend) == (3, True)
        assert workspace.ledger.position() == before
    with at(folder, TODAY + timedelta(days=1)) as workspace:
        assert workspace.incremental.run().status == "SUCCESS", "the next night is like any other"


def test_other_work_under_that_clock_does_not_vouch_for_it(folder: Path):
    """An event of 2025 is no evidence that it is 2025."""
    with at(folder, TODAY + timedelta(days=365)) as workspace:
        small.request(workspace)
        with pytest.raises(ClockDoubtfulError):
            workspace.incremental.run(far_ahead=True)
    with at(folder, TODAY + timedelta(days=1)) as workspace:
        assert workspace.incremental.run().status == "SUCCESS"


def test_a_workspace_that_nobody_touched_for_months_goes_on_if_its_source_was_filled(folder: Path):
    late = '{"id":"1790000000000000001","text":"late $TSLA","author_id":"9","created_at":"2024-05-14T10:00:00.000Z"}\n'
    (folder.parent / "posts" / "2024-05-14.jsonl").write_text(late, encoding="utf-8")
    with at(folder, datetime(2024, 5, 16, 2, tzinfo=UTC)) as workspace:
        assert workspace.incremental.run().status == "SUCCESS"
        assert "ledger.clock_accepted" not in topics(workspace)


def test_a_day_of_long_ago_needs_no_clock(folder: Path):
    with at(folder, TODAY + timedelta(days=365)) as workspace:
        assert workspace.incremental.run(last=date(2024, 1, 8)).status == "SUCCESS"


def test_the_bound_is_a_setting_and_zero_switches_it_off(folder: Path):
    small.set_policy(folder, clock_hours=20)
    with at(folder, TODAY + timedelta(hours=23)) as workspace, pytest.raises(ClockDoubtfulError):
        workspace.incremental.run()
    settings = folder / "tradex.toml"
    text = settings.read_text(encoding="utf-8").replace("clock_hours = 20", "clock_hours = 0", 1)
    settings.write_text(text, encoding="utf-8")
    with at(folder, TODAY) as workspace:
        workspace.policy.set(reason="nobody has the right time here, INC-4302")
    with at(folder, TODAY + timedelta(days=20)) as workspace:
        assert workspace.incremental.run().status == "SUCCESS"


def test_after_a_run_of_next_year_the_cursor_is_said_alerted_and_put_back(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    with at(folder, TODAY + timedelta(days=40)) as wrong:
        wrong.incremental.run(clock_is_right=True, far_ahead=True)
        (vouched,) = (e for e in read_record(wrong).entries if e.topic == "ledger.clock_accepted")
        assert (vouched.by, vouched.data["newest_post"], vouched.data["clock"][:10]) == (
            "ana",
            "2024-01-07",
            "2024-02-17",
        )
    shutil.copy(folder.parent / "of-the-eighth.jsonl.gz", folder.parent / "posts" / "2024-01-08.jsonl.gz")
    night = TODAY + timedelta(days=1)
    for _ in range(2):
        with at(folder, night) as workspace, pytest.raises(CursorAheadError) as ahead:
            workspace.incremental.run()
    assert "--from 2024-01-07 --to 2024-01-07 --override-state --cursor 2024-01-08" in ahead.value.mend
    with at(folder, night) as workspace:
        (alert,) = (a for a in projection(workspace, "alerts") if a["alert"] == "cursor in the future")
        assert "stands at 2024-02-17, and the clock at 2024-01-09" in alert["message"]
        run_id = small.request(
            workspace, 7, 7, kind="forced", override_state=True, cursor="2024-01-08T00:00:00.000000Z", ticket="INC-1"
        )
    with at(folder, night, "ben") as ben:
        signing.approve(ben, run_id)
        assert ben.runs.drive(run_id).status == "SUCCESS"
    for days in (0, 1, 2):
        with at(folder, night + timedelta(days=days)) as workspace:
            assert workspace.incremental.run().status == "SUCCESS"
    with at(folder, night + timedelta(days=3)) as workspace:
        check_everything(workspace)
        bronze = [row for row in projection(workspace, "partitions") if row["dataset"] == "bronze_x_posts"]
        assert date(2024, 1, 8) in {row["partition"] for row in bronze}
        assert topics(workspace).count("ledger.clock_accepted") == 1


def test_status_says_that_a_cursor_lies_in_the_future(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
):
    monkeypatch.setattr("tradex_ledger.clock.utc_now", lambda: TODAY - timedelta(days=1))
    assert call(["-C", str(folder), "status"]) == 0
    said = capsys.readouterr().out
    assert "cursor in the future: the cursor of x stands at 2024-01-08" in said
    assert "mend: if the clock is wrong, set it right" in said
    monkeypatch.setattr("tradex_ledger.clock.utc_now", lambda: TODAY)
    assert call(["-C", str(folder), "status"]) == 0
    assert "in the future" not in capsys.readouterr().out


def test_a_clock_that_is_behind_is_told_in_the_save_and_a_common_difference_is_not(folder: Path):
    with at(folder, TODAY - timedelta(seconds=20)) as workspace:
        other = small.request(workspace, 3, 3)
        assert "ledger.clock_held_back" not in topics(workspace)
    with at(folder, TODAY - timedelta(hours=7)) as workspace:
        before = read_record(workspace).entries[-1]
        made = workspace.ledger.position()
        small.request(workspace, 5, 5, allow_overlap=[other])
        told, *rest = read_record(workspace).entries[made:]
        assert (told.topic, told.by, told.at) == ("ledger.clock_held_back", "ana", before.at)
        assert (told.data["last_at"], told.data["clock"][:13]) == (before.at, "2024-01-07T19")
        assert {entry.at for entry in rest} == {before.at}
        assert [entry.topic for entry in rest] == ["backfill.requested", "backfill.planned"]
        check_everything(workspace)
        with pytest.raises((CursorAheadError, NothingToRunError)):
            workspace.incremental.run()


def posts_of(workspace: Workspace, number: int) -> int:
    """How many rows of posts Bronze has of a day of January."""
    rows = projection(workspace, "partitions")
    return sum(r["rows"] for r in rows if (r["dataset"], r["partition"]) == ("bronze_x_posts", date(2024, 1, number)))


def deliver_late(folder: Path, name: str, moment: str) -> None:
    late = f'{{"id":"7{name}","text":"late $TSLA","author_id":"9","created_at":"2024-01-{moment}:00.000Z"}}\n'
    (folder.parent / "posts" / f"late-{name}.jsonl").write_text(late, encoding="utf-8")


@pytest.mark.parametrize("behind", [timedelta(hours=7), timedelta(days=5), timedelta(days=400)], ids=str)
def test_a_backfill_that_is_driven_under_a_clock_that_is_behind_loses_no_post(folder: Path, behind: timedelta):
    """The example: posts of the days that were asked for were no posts, being later than the wrong clock."""
    deliver_late(folder, "1", "05T10:00")
    deliver_late(folder, "2", "07T23:50")
    with at(folder, TODAY) as workspace:
        before = posts_of(workspace, 5), posts_of(workspace, 7)
        run_id = small.request(workspace, 5, 7)
        workspace.backfills.approve(run_id)
    with at(folder, TODAY - behind) as wrong:
        assert wrong.runs.drive(run_id).status == "SUCCESS"
        assert (posts_of(wrong, 5), posts_of(wrong, 7)) == (before[0] + 1, before[1] + 1)
        (look,) = [row for row in projection(wrong, "source_looks") if row["run_id"] == run_id]
        assert (look["rejected"], look["odd"]) == (0, "{}")
        assert "ledger.clock_held_back" in topics(wrong)
    with at(folder, TODAY) as workspace:
        check_everything(workspace)


def test_posts_that_are_later_than_all_that_is_known_of_the_time_are_told_and_come_in_later(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
):
    deliver_late(folder, "1", "08T09:00")
    with at(folder, TODAY) as workspace:
        run_id = small.request(workspace, 8, 8)
        workspace.backfills.approve(run_id)
        for _ in range(2):  # in truth it is noon
            workspace.runs.drive(run_id)
            run_id = small.request(workspace, 8, 8)
            workspace.backfills.approve(run_id)
        (alert,) = projection(workspace, "alerts")
        assert (alert["alert"], "1 posts at files:" in alert["message"]) == ("posts later than the clock", True)
        assert "if that clock is behind, set it right" in alert["message"]
        assert posts_of(workspace, 8) == 0
        workspace.runs.cancel(run_id, reason="asked for a third time by mistake")
    monkeypatch.setattr("tradex_ledger.clock.utc_now", lambda: TODAY)
    assert call(["-C", str(folder), "status"]) == 0
    assert "later than the clock: 1 post, to be read again; see: tradex alerts" in capsys.readouterr().out
    with at(folder, TODAY + timedelta(days=1)) as workspace:
        assert workspace.incremental.run().status == "SUCCESS"
        assert posts_of(workspace, 8) == 1
        check_everything(workspace)
    assert call(["-C", str(folder), "status"]) == 0
    assert "later than the clock" not in capsys.readouterr().out


def test_how_long_a_run_took_is_unknown_where_its_times_are_those_of_others(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
):
    """The example: a run under a clock that is behind took 0.0 s."""
    with at(folder, TODAY) as workspace:
        run_ids = [small.request(workspace, 3, 3)]
        run_ids += [small.request(workspace, 5, 5, allow_overlap=run_ids)]
        for run_id in run_ids:
            workspace.backfills.approve(run_id)
    with at(folder, TODAY - timedelta(hours=7)) as wrong:
        wrong.runs.drive(run_ids[0])
    monkeypatch.setattr("tradex_ledger.clock.utc_now", lambda: TODAY)
    clock = small.Ticking(TODAY + timedelta(hours=9))

    def set_back(stage: str, done: int, total: int) -> None:
        clock.now = TODAY

    with Workspace.open(folder, actor="ana", clock=clock) as wrong:
        wrong.runs.drive(run_ids[1], progress=set_back)
        took = {row["run_id"]: row["duration_ms"] for row in projection(wrong, "runs")}
        night = next(run_id for run_id in took if run_id.startswith("run-"))
        assert (took[run_ids[0]], took[run_ids[1]]) == (None, None), "all of it, or its end"
        assert took[night] > 0, "the event that the others were held back to is of its own time"
    assert call(["-C", str(folder), "backfill", "show", run_ids[0]]) == 0
    assert "unknown: the clock was behind the last event" in capsys.readouterr().out
    assert call(["-C", str(folder), "backfill", "list"]) == 0
    said = capsys.readouterr().out
    assert (said.count("unknown"), "0.0 s" in said) == (2, False)


def test_requests_expire_by_what_is_on_record(folder: Path):
    with at(folder, TODAY) as workspace:
        run_id = small.request(workspace, 3, 3)
    with at(folder, TODAY + timedelta(days=365), "ben") as wrong:
        assert wrong.runs.sweep() == []
        with pytest.raises(ExpiredRequestError):
            wrong.backfills.approve(run_id)
    with at(folder, TODAY, "ben") as ben:
        assert ben.ledger.get(Backfill, run_id).status == "PLANNED", "a wrong clock closed nothing"
        signing.approve(ben, run_id)


def test_no_clock_takes_a_lease_away(folder: Path):
    with at(folder, TODAY) as workspace, held(workspace.core.execution(), "bf-1"):
        for moment in (TODAY + timedelta(days=3650), TODAY - timedelta(days=3650)):
            with (
                at(folder, moment, "ben") as other,
                pytest.raises(DrivenElsewhereError),
                held(other.core.execution(), "bf-1"),
            ):
                pass


def faked(moment: str) -> dict[str, str]:
    """The environment in which programs see another time; skips where there is no libfaketime."""
    named = os.environ.get("TRADEX_TEST_FAKETIME")
    places = [named] if named else [str(p) for p in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")]
    if not places:
        pytest.skip("there is no libfaketime (Debian: faketime), and TRADEX_TEST_FAKETIME names none")
    return {**os.environ, "LD_PRELOAD": places[0], "FAKETIME": f"@{moment}", "TZ": "UTC", "FAKETIME_NO_CACHE": "1"}


def test_the_command_refuses_under_the_wrong_clock_of_a_machine(folder: Path):
    environment = faked("2027-06-01 02:00:00")

    def asked(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(CLI), "-C", str(folder), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    refused = asked("run", "--yes")
    assert (refused.returncode, "the clock says 2027-06-01" in refused.stderr) == (3, True), refused.stderr
    with at(folder, TODAY) as workspace, held(workspace.core.execution(), "pipeline-x"):
        elsewhere = asked("run", "--yes", "--clock-is-right")
    assert (elsewhere.returncode, "driven by another process" in elsewhere.stderr) == (5, True), elsewhere.stderr
