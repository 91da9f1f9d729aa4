"""What a person may decide on a run: said by the rules that judge it, with the reason and what applies instead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.faults import Crash
from tests.kit.lake import projection
from tradex_ledger import Request
from tradex_ledger.audit.documents.run import RunDocument
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.base import WrongStateError
from tradex_ledger.domain.incremental import NoBackfillError
from tradex_ledger.domain.remark import CommentError
from tradex_ledger.views import NoSuchPositionError
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace.approving import NotAllApprovedError, StaleKnowledgeError
from tradex_ledger.workspace.deciding import DEEDS

WRONG = "the redelivery was broken, INC-4290"


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    root = worlds.copied(tmp_path, days=5, until=5, thin=True)
    (tmp_path / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    with small.reopen(root) as opened:
        yield opened
        check_everything(opened)


def allowed(workspace: Workspace, actor: str, run_id: str) -> set[str]:
    found = workspace.backfills.may(actor, run_id)
    assert tuple(found) == DEEDS
    assert all(bool(one) == (one.code == "") and bool(one) == (one.why == "") for one in found.values())
    return {deed for deed, one in found.items() if one}


def test_what_may_be_decided_on_a_run_follows_its_life_and_nothing_is_recorded(ws: Workspace):
    run_id = small.request(ws, 3, 3)
    before = ws.ledger.position()
    assert allowed(ws, "maria", run_id) == {"approve", "reject", "cancel"}
    assert ws.ledger.position() == before
    ws.backfills.approve(run_id)
    assert allowed(ws, "maria", run_id[:9]) == {"cancel", "pause"}
    ws.backfills.pause(run_id, reason=WRONG)
    assert allowed(ws, "maria", run_id) == {"cancel", "resume"}
    ws.backfills.resume(run_id)
    ws.runs.drive(run_id)
    assert allowed(ws, "maria", run_id) == {"revert"}
    ws.datasets.protect("gold_metrics", small.day(3), small.day(3), reason="a legal hold, case 2024-7")
    held = ws.backfills.may("maria", run_id)["revert"]
    assert (held.code, "legal hold" in held.why, "unprotect" in held.mend) == ("protected", True, True)


def test_the_reason_for_no_is_that_of_the_policy_of_the_second_person_and_of_the_signature(ws: Workspace):
    forced = small.request(ws, 3, 3, **small.FORCED)
    assert ws.backfills.may("Ana ", forced)["approve"].code == "self-approval"
    unsigned = ws.backfills.may("maria", forced)["approve"]
    assert (unsigned.code, "--sign KEYFILE" in unsigned.mend) == ("unsigned-approval", True)
    small.set_policy(ws.config.folder, may_approve=["boss"])
    found = ws.backfills.may("maria", forced)
    assert (found["approve"].code, found["reject"].code) == ("not-allowed", "not-allowed")
    assert found["reject"].why.startswith("maria may not approve: the policy allows it to boss")
    assert allowed(ws, "boss", forced) == {"reject", "cancel"}


def test_of_an_incremental_run_it_is_said_what_applies(ws: Workspace):
    (run,) = ws.runs
    found = ws.backfills.may("maria", run.id)
    assert not any(found.values())
    assert {found[deed].code for deed in ("approve", "reject", "pause", "resume", "revert")} == {"no-backfill"}
    assert "it is published, and its posts stay" in found["revert"].mend


@pytest.mark.parametrize("deed", ["reject", "revert", "pause"])
def test_what_is_for_backfills_says_of_an_incremental_run_what_applies_to_that(ws: Workspace, deed: str):
    (run,) = ws.runs
    with pytest.raises(NoBackfillError) as refused:
        getattr(ws.backfills, deed)(run.id, reason=WRONG)
    assert "if its cursor went too far" in refused.value.mend


def test_a_deed_in_the_wrong_state_says_what_it_is_for_and_what_applies_instead(ws: Workspace):
    run_id = small.request(ws, 3, 3)
    ws.backfills.approve(run_id)
    with pytest.raises(WrongStateError) as refused:
        ws.backfills.reject(run_id, reason=WRONG)
    told = f"reject is for requests that wait; this one is approved; to end it: tradex backfill cancel {run_id}"
    assert refused.value.mend.startswith(told)
    with pytest.raises(WrongStateError, match="cannot be reverted"):
        ws.backfills.revert(run_id, reason=WRONG)
    ws.runs.drive(run_id)
    with pytest.raises(WrongStateError) as done:
        ws.runs.cancel(run_id, reason=WRONG)
    assert done.value.mend.endswith(f"to take that back: tradex backfill revert {run_id} --reason …")


def test_an_approval_says_what_was_seen_with_a_comment_and_a_hold_and_the_run_is_held(ws: Workspace):
    run_id = small.request(ws, 3, 3)
    seen = ws.ledger.position()
    approved = ws.backfills.approve(run_id, comment="  as agreed\non Monday ", hold=True, seen=seen)
    assert (approved.status, approved.is_to_be_held) == ("APPROVED", True)
    (told,) = [row for row in projection(ws, "approvals") if row["run_id"] == run_id]
    assert (told["comment"], told["hold"], told["seen"]) == ("as agreed on Monday", True, seen)
    held = ws.runs.drive(run_id)
    assert held.status == "HELD"
    alert = ws.alerts.all()[-1]
    assert "ana, who approved it, wants to look before it is published" in alert.message
    ws.runs.release(run_id, reason="compared: only what came late is new")
    assert ws.runs.drive(run_id).status == "SUCCESS"


@pytest.mark.parametrize("comment", ["", "  \n ", "x" * 2001])
def test_a_comment_says_something_and_not_too_much(ws: Workspace, comment: str):
    run_id = small.request(ws, 3, 3)
    with pytest.raises(CommentError):
        ws.backfills.approve(run_id, comment=comment)
    assert ws.ledger.get(Backfill, run_id).status == "PLANNED"


def test_stale_knowledge_that_matters_refuses_and_what_does_not_matter_is_let_pass(ws: Workspace):
    before = ws.ledger.position()
    run_id = small.request(ws, 3, 3)
    seen = ws.ledger.position()
    with pytest.raises(StaleKnowledgeError, match="since then: it was planned"):
        ws.backfills.approve(run_id, seen=before)
    with pytest.raises(NoSuchPositionError):
        ws.backfills.approve(run_id, seen=seen + 1)
    ws.incremental.run(last=small.day(5))
    ws.datasets.protect("gold_metrics", small.day(3), small.day(3), reason="a legal hold, case 2024-7")
    with pytest.raises(StaleKnowledgeError, match="gold_metrics is protected from 2024-01-03 to 2024-01-03"):
        ws.backfills.approve(run_id, seen=seen)
    assert ws.ledger.get(Backfill, run_id).status == "PLANNED"
    ws.datasets.unprotect("gold_metrics", small.day(3), small.day(3), reason="the case is closed, 2024-7")
    assert ws.backfills.approve(run_id, seen=seen).status == "APPROVED"


def test_the_parts_of_a_request_are_approved_together_or_none_is(ws: Workspace):
    small.set_policy(ws.config.folder, max_partitions=5)
    made = ws.backfills.request_split(
        Request(kind="temporal", dataset="bronze_x_posts", first=small.day(1), last=small.day(3),
                override_state=False, reason=small.REASON)
    )  # fmt: skip
    assert len(made) > 1
    ids = [one.id for one in made]
    assert ws.backfills.parts(ids[-1]) == sorted(ids)
    ws.runs.cancel(ids[0], reason="asked for twice, INC-4211")
    before = ws.ledger.position()
    with pytest.raises(NotAllApprovedError, match=f"1 of {len(ids)} backfills cannot be approved, so none was"):
        ws.backfills.approve_all(ids)
    assert ws.ledger.position() == before
    waiting = ws.backfills.parts(ids[-1])
    assert waiting == sorted(ids[1:])
    assert {one.status for one in ws.backfills.approve_all(waiting, comment="all of it")} == {"APPROVED"}
    assert {ws.ledger.get(Backfill, one).status for one in waiting} == {"APPROVED"}


def test_what_is_approved_is_told_as_its_effects_on_readers(ws: Workspace):
    run_id = small.request(ws, 3, 3)
    found = ws.audit.run(run_id).effects
    assert found is not None
    silver = next(one for one in found.by_dataset if one.dataset == "silver_social_events")
    assert (silver.version_before, silver.version_after, silver.days, silver.new_days) == (1, 1, 1, 0)
    assert (found.protections, found.state, found.allow_overlap) == ([], None, [])
    ws.backfills.approve(run_id)
    assert ws.audit.run(run_id).effects is None


def test_what_a_reversal_would_do_is_what_it_does_and_asking_records_nothing(ws: Workspace):
    run_id = small.request(ws, 3, 3)
    with pytest.raises(WrongStateError, match="cannot be reverted"):
        ws.backfills.reversal(run_id)
    ws.backfills.approve(run_id)
    current = {(r["dataset"], r["partition"]): r["run_id"] for r in projection(ws, "partitions")}
    ws.runs.drive(run_id)
    before = ws.ledger.position()
    told = ws.backfills.reversal(run_id)
    assert ws.ledger.position() == before
    assert told.again
    assert {one.run_id for one in told.again} == {run_id}
    assert told.in_the_way == []
    ws.backfills.revert(run_id, reason=WRONG)
    after = {(r["dataset"], r["partition"]): r["run_id"] for r in projection(ws, "partitions")}
    assert {(one.dataset, one.partition): one.run_id_then for one in told.again} == {
        key: current[key] for key in ((one.dataset, one.partition) for one in told.again)
    }
    assert all(after[one.dataset, one.partition] == one.run_id_then for one in told.again)
    stale = {(r["dataset"], r["partition"], r["reason"]) for r in projection(ws, "stale_partitions")}
    assert ("silver_social_events", small.day(3), "input changed") in stale
    assert set(told.stale) == stale


def test_all_that_stands_in_the_way_of_a_reversal_is_said_at_once(ws: Workspace):
    first = small.backfill(ws, 3, 3)
    (ws.config.folder.parent / "posts" / "2024-01-10-late.jsonl").write_text(
        small.LATE.replace("0001", "0002"), encoding="utf-8"
    )
    second = small.backfill(ws, 3, 3)
    ws.datasets.protect("gold_metrics", small.day(3), small.day(3), reason="a legal hold, case 2024-7")
    small.set_policy(ws.config.folder, may_revert=["boss"])
    told = ws.backfills.reversal(first.id)
    assert [one.code for one in told.in_the_way] == ["not-allowed", "built-upon", "protected"]
    assert second.id in told.in_the_way[1].message


def test_each_ending_is_told_with_who_when_and_why(ws: Workspace):
    run_id = small.request(ws, 3, 3)
    ws.backfills.approve(run_id, comment="as agreed")
    ws.backfills.pause(run_id, reason="the machine is needed elsewhere")
    ws.runs.cancel(run_id, reason="the vendor delivered other days")
    told = [(one.step, one.status, one.by, one.why) for one in ws.audit.run(run_id).steps]
    assert told[2:] == [
        ("approved", "APPROVED", "ana", "as agreed"),
        ("paused", "PAUSED", "ana", "the machine is needed elsewhere"),
        ("cancelled", "CANCELLED", "ana", "the vendor delivered other days"),
    ]
    rejected = small.request(ws, 3, 3)
    ws.backfills.reject(rejected, reason="the vendor delivered other days")
    assert ws.audit.run(rejected).steps[-1].why == "the vendor delivered other days"


def test_of_a_run_that_runs_it_is_told_whether_its_driver_lives(ws: Workspace):
    run_id = small.request(ws, 3, 3)
    ws.backfills.approve(run_id)

    def interrupted(stage: str, done: int, total: int) -> None:
        found.append(ws.audit.run(run_id))
        if found[-1].driver is None:  # it has no lease yet
            return
        raise Crash(f"{stage} {done} of {total}")

    found: list[RunDocument] = []
    with pytest.raises(Crash):
        ws.runs.drive(run_id, progress=interrupted)
    at_work = found[-1].driver
    assert at_work is not None
    assert (at_work.lives, at_work.process) == (True, os.getpid())
    assert ws.audit.run(run_id).driver == (False, None, None)
    assert ws.audit.run(run_id, str(ws.ledger.position())).driver is None
    ws.runs.drive(run_id)
    assert ws.audit.run(run_id).driver is None
