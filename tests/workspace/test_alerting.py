"""Alerts as they are told: a message a run, cleared by what mends them, acknowledged, sent once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small, story_of_rules
from tests.kit.check import check_everything
from tradex_ledger.errors import TradexError
from tradex_ledger.relations.messages import Message
from tradex_ledger.upkeep.alerts import deliver
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace.alerts import NoSuchAlertError

KNOWN = "the desk is at it, INC-4300"


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    root = worlds.copied(tmp_path, days=5, until=5, thin=True)
    (tmp_path / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    with small.reopen(root) as opened:
        yield opened
        check_everything(opened)


def about(workspace: Workspace, name: str) -> dict[str, Message]:
    return {one.state: one for one in workspace.alerts.messages() if one.about == name}


def failed(workspace: Workspace, run_id: str) -> None:
    late = workspace.config.folder.parent / "posts" / "2024-01-09-late.jsonl"
    with small.broken(late.with_suffix(".jsonl.gz"), b"\x1f\x8b no gzip"), pytest.raises(TradexError):
        workspace.runs.drive(run_id)


def test_a_plan_that_waits_is_an_alert_until_somebody_decides_and_none_where_a_rule_did(ws: Workspace):
    run_id = small.request(ws, 3, 3)
    told = about(ws, run_id)["open"]
    assert (told.severity, told.command) == ("notice", f"tradex backfill approve {run_id}")
    assert "a temporal backfill of bronze_x_posts (2024-01-03 to 2024-01-03), asked for by ana" in told.message
    waited = str(ws.ledger.position())
    ws.backfills.approve(run_id)
    assert set(about(ws, run_id)) == {"cleared"}
    assert [one.state for one in ws.alerts.messages(waited) if one.about == run_id] == ["open"]  # as of then
    ws.runs.cancel(run_id, reason="asked for the wrong days")
    small.set_policy(ws.config.folder, needs_approval=["forced"])
    assert about(ws, small.request(ws, 3, 3)) == {}


def test_what_is_told_of_a_run_is_one_message_that_goes_out_once_with_what_is_to_be_done(ws: Workspace):
    run_id, other = small.request(ws, 3, 3), small.request(ws, 1, 1)
    ws.backfills.approve(run_id)
    failed(ws, run_id)
    with story_of_rules.receiver() as (url, got):
        assert deliver(ws.core.execution(), (url,)) == 2  # what waits, and what failed; that it had waited is mended
        assert deliver(ws.core.execution(), (url,)) == 0
    texts = [one.decode() for one in got]
    assert len(texts) == 2
    (text,) = [one for one in texts if run_id in one]
    assert "tradex: error: " in text
    assert f"next: tradex backfill show {run_id}" in text
    assert "waits for approval" not in text
    assert all(one.delivered for one in ws.alerts.messages())
    assert about(ws, other)["open"].delivered


def test_what_is_acknowledged_stays_listed_is_not_sent_and_comes_back_with_a_new_fault(ws: Workspace):
    run_id = small.request(ws, 3, 3)
    ws.backfills.approve(run_id)
    failed(ws, run_id)
    told = ws.alerts.acknowledge(run_id[:9], reason=KNOWN)
    assert (told.state, told.acknowledged_by, told.acknowledged_why) == ("acknowledged", "ana", KNOWN)
    with pytest.raises(NoSuchAlertError):
        ws.alerts.acknowledge("bf-zzzz", reason=KNOWN)
    with story_of_rules.receiver() as (url, got):
        assert deliver(ws.core.execution(), (url,)) == 0
        failed(ws, run_id)  # again: a new fault, and the first is mended by the attempt
        assert about(ws, run_id)["open"].alerts == 1
        assert deliver(ws.core.execution(), (url,)) == len(got) == 1
    ws.runs.drive(run_id)
    assert set(about(ws, run_id)) == {"cleared"}


def test_an_acknowledgement_holds_until_its_time(ws: Workspace):
    run_id = small.request(ws, 3, 3)
    assert ws.alerts.acknowledge(run_id, reason=KNOWN, until="2024-02-02").state == "acknowledged"
    ws.core.clock = small.Ticking(ws.core.clock().replace(day=3))
    assert about(ws, run_id)["open"].acknowledged_by == "ana"


def test_a_day_until_which_an_alert_is_known_counts_as_a_whole(ws: Workspace):
    known = ws.alerts.acknowledge(small.request(ws, 3, 3), reason=KNOWN, until="2024-02-02")
    assert str(known.acknowledged_until)[:19] == "2024-02-03 00:00:00"


def test_a_cursor_that_lags_is_told_once_a_place_and_cleared_by_the_run_that_brings_it_on(ws: Workspace):
    ws.runs.sweep()
    before = ws.ledger.position()
    ws.runs.sweep()
    assert ws.ledger.position() == before
    told = about(ws, "cursor lags")["open"]
    assert (told.severity, told.command) == ("warning", "tradex run")
    assert "the cursor of x stands at 2024-01-05, 27 days behind the clock" in told.message
    ws.incremental.run(last=small.day(5))
    assert set(about(ws, "cursor lags")) == {"cleared"}
    ws.runs.sweep()
    assert set(about(ws, "cursor lags")) == {"cleared", "open"}  # another place


def test_late_posts_are_told_when_a_look_finds_more_and_cleared_once_it_finds_none(ws: Workspace):
    ws.backfills.propose()
    (told,) = [one for one in ws.alerts.messages() if one.about == "late posts"]
    assert "1 posts at " in told.message
    assert "were delivered after the runs that covered their days (2024-01-03 to 2024-01-03)" in told.message
    assert told.command == "tradex backfill propose"
    ws.backfills.propose()
    assert about(ws, "late posts")["open"].alerts == 1
    small.backfill(ws, 3, 3)
    ws.backfills.propose()
    assert set(about(ws, "late posts")) == {"cleared"}


def test_several_receivers_hear_each_message_once_though_runs_alternate(ws: Workspace):
    first, second = small.request(ws, 3, 3), small.request(ws, 1, 1)
    for run_id in (first, second):
        ws.backfills.approve(run_id, hold=True)
    for run_id in (first, second):
        ws.runs.drive(run_id)
    with story_of_rules.receiver() as (one, heard), story_of_rules.receiver() as (other, heard_there):
        assert deliver(ws.core.execution(), (one, other)) == 2
        assert deliver(ws.core.execution(), (one, other)) == 0
        assert len(heard) == len(heard_there) == 2
