"""What a person may decide on a run: said by the rules that judge it, with the reason and what applies instead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything
from tradex_ledger.domain.base import WrongStateError
from tradex_ledger.domain.incremental import NoBackfillError
from tradex_ledger.workspace import Workspace
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
