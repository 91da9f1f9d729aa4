"""What a person decides on the page is decided by the same rules as everywhere."""

from __future__ import annotations

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.visits import Visit
from tradex_ledger.domain.request import Request
from tradex_ledger.workspace import Workspace

REASON = "nothing of it is needed any more"


def waiting(visit: Visit) -> str:
    """The run that waits for an approval."""
    return visit.site.look.runs(status="PLANNED")[0].id


def status(visit: Visit, run_id: str) -> str:
    return visit.site.workspace.runs[run_id].status


def test_an_approval_is_bound_to_what_was_shown(fresh: Visit):
    run_id = waiting(fresh)
    shown = fresh.site.store.position()
    fields = fresh.form(f"/runs/{run_id}", "approve")
    assert fields["seen"] == str(shown)
    found = fresh.send(run_id, "approve", {**fields, "comment": "as agreed on Monday", "accepted": "yes"})
    assert found.status_code == 303, found.text
    assert found.headers["location"] == f"/runs/{run_id}?done=approve"
    page = fresh.text(found.headers["location"])
    assert "Now on record: " in page
    assert "as agreed on Monday" in page
    (row,) = fresh.site.look.query(f"select decided_by, seen from approvals where run_id = '{run_id}'").rows
    assert row == ("maria", shown)


def test_an_approval_of_another_plan_is_refused(fresh: Visit):
    run_id = waiting(fresh)
    fields = {**fresh.form(f"/runs/{run_id}", "approve"), "accepted": "yes", "digest": "0" * 64}
    found = fresh.send(run_id, "approve", fields)
    assert found.status_code == 403
    assert "plan-mismatch" in found.text
    assert status(fresh, run_id) == "PLANNED"


def test_an_approval_may_hold_the_run(fresh: Visit):
    run_id = waiting(fresh)
    fields = {**fresh.form(f"/runs/{run_id}", "approve"), "accepted": "yes", "hold": "yes"}
    assert fresh.send(run_id, "approve", fields).status_code == 303
    with small.reopen(fresh.folder) as workspace:
        assert workspace.runs.drive(run_id).status == "HELD"
    page = fresh.text(f"/runs/{run_id}")
    assert "Release: publish" in page
    fields = {**fresh.form(f"/runs/{run_id}", "release"), "reason": "compared, all of it is as expected"}
    assert fresh.send(run_id, "release", fields).status_code == 303
    assert status(fresh, run_id) == "APPROVED"


@pytest.mark.parametrize("deed", ["reject", "cancel"])
def test_a_no_needs_a_reason(fresh: Visit, deed: str):
    run_id = waiting(fresh)
    fields = fresh.form(f"/runs/{run_id}", deed)
    found = fresh.send(run_id, deed, {**fields, "reason": "no"})
    assert found.status_code in (400, 403)
    assert status(fresh, run_id) == "PLANNED"
    assert fresh.send(run_id, deed, {**fields, "reason": REASON}).status_code == 303
    assert status(fresh, run_id) == {"reject": "REJECTED", "cancel": "CANCELLED"}[deed]
    assert REASON in fresh.text(f"/runs/{run_id}")


def test_pause_resume_and_revert(fresh: Visit):
    run_id = waiting(fresh)
    fresh.send(run_id, "approve", {**fresh.form(f"/runs/{run_id}", "approve"), "accepted": "yes"})
    fields = {**fresh.form(f"/runs/{run_id}", "pause"), "reason": "the lake is being moved tonight"}
    assert fresh.send(run_id, "pause", fields).status_code == 303
    assert status(fresh, run_id) == "PAUSED"
    assert fresh.send(run_id, "resume", fresh.form(f"/runs/{run_id}", "resume")).status_code == 303
    with small.reopen(fresh.folder) as workspace:
        assert workspace.runs.drive(run_id).status == "SUCCESS"
    fields = {**fresh.form(f"/runs/{run_id}", "revert"), "reason": "the posts were a redelivery of spam"}
    assert fresh.send(run_id, "revert", fields).status_code == 303
    assert status(fresh, run_id) == "REVERTED"


def test_who_may_not_is_told_why_and_the_domain_refuses(tmp_path):
    folder = worlds.copied(tmp_path, may_approve=["chen"])
    with small.reopen(folder) as workspace:
        run_id = small.request(workspace)
    visit = Visit.to(folder)
    page = visit.text(f"/runs/{run_id}")
    assert "maria may not approve" in page
    assert f'action="/runs/{run_id}/approve"' not in page
    chen = Visit.to(folder, "chen")
    fields = {**chen.form(f"/runs/{run_id}", "approve"), "accepted": "yes"}
    token = visit.form(f"/runs/{run_id}", "cancel")["token"]
    found = visit.send(run_id, "approve", {**fields, "token": token})
    assert found.status_code == 403
    assert "not-allowed" in found.text
    assert status(visit, run_id) == "PLANNED"
    assert chen.send(run_id, "approve", fields).status_code == 303
    chen.close()
    visit.close()


def test_a_consequence_is_ticked_or_nothing_is_approved(tmp_path):
    folder = worlds.copied(tmp_path, pipeline=True)
    with small.reopen(folder) as workspace:
        small.edit(workspace, "gold_signals", "z >= 3", "z >= 4")
        workspace.datasets.bump("gold_signals", reason="spikes begin at four, RES-88")
        run_id = small.request(workspace, 4, 4)
    visit = Visit.to(folder)
    page = visit.text(f"/runs/{run_id}")
    assert "there under an older version only" in page
    assert page.index("there under an older version only") < page.index("Approve this plan")
    fields = visit.form(f"/runs/{run_id}", "approve")
    refused = visit.send(run_id, "approve", fields)
    assert refused.status_code == 400
    assert "not-ticked" in refused.text
    other = visit.send(run_id, "approve", {**fields, "accepted": "yes", "warned": "0" * 16})
    assert other.status_code == 409
    assert "other-consequence" in other.text
    assert status(visit, run_id) == "PLANNED"
    assert visit.send(run_id, "approve", {**fields, "accepted": "yes"}).status_code == 303
    visit.close()


def test_there_is_no_other_deed(fresh: Visit):
    run_id = waiting(fresh)
    fields = fresh.form(f"/runs/{run_id}", "reject")
    assert fresh.send(run_id, "delete", fields).status_code == 404
    assert fresh.client.get(f"/runs/{run_id}/approve").status_code in (404, 405)


def test_what_was_decided_elsewhere_meanwhile_is_told(fresh: Visit):
    run_id = waiting(fresh)
    fields = {**fresh.form(f"/runs/{run_id}", "approve"), "accepted": "yes"}
    with Workspace.open(fresh.folder, actor="chen", clock=small.Ticking()) as workspace:
        workspace.backfills.reject(run_id, reason=REASON)
    found = fresh.send(run_id, "approve", fields)
    assert found.status_code in (403, 409)
    assert status(fresh, run_id) == "REJECTED"


def test_a_reversal_is_seen_before_it_is_done(fresh: Visit):
    with small.reopen(fresh.folder) as workspace:
        workspace.backfills.reject(waiting(fresh), reason=REASON)
        run_id = small.backfill(workspace, 4, 5).id
        other = small.backfill(workspace, 5, 5).id
    before = fresh.site.store.position()
    blocked = fresh.text(f"/runs/{run_id}")
    assert f'href="/runs/{run_id}/reversal"' in blocked
    assert "In the way" in fresh.text(f"/runs/{run_id}/reversal")
    assert f'action="/runs/{run_id}/revert"' not in fresh.text(f"/runs/{run_id}/reversal")
    page = fresh.text(f"/runs/{other}/reversal")
    assert "In the way" not in page
    assert "Readers would get again" in page
    assert fresh.site.store.position() == before
    fields = {**fresh.form(f"/runs/{other}/reversal", "revert"), "reason": REASON}
    assert fresh.send(other, "revert", fields).status_code == 303
    assert status(fresh, other) == "REVERTED"
    assert fresh.get(f"/runs/{other}/reversal").status_code == 403


@pytest.fixture
def split(tmp_path):
    """A request that was split in three, seen by maria."""
    folder = worlds.copied(tmp_path)
    small.set_policy(folder, max_partitions=16)
    with small.reopen(folder) as workspace:
        asked = Request(kind="temporal", dataset="bronze_x_posts", first=small.day(1), last=small.day(3),
                        override_state=False, reason=small.REASON)  # fmt: skip
        ids = [one.id for one in workspace.backfills.request_split(asked)]
    visit = Visit.to(folder)
    yield visit, ids
    visit.close()


def test_all_parts_of_a_request_are_approved_at_once_or_none(split):
    visit, ids = split
    page = visit.text(f"/runs/{ids[1]}")
    assert f"one of {len(ids)} parts" in page
    fields = {**visit.form(f"/runs/{ids[1]}/parts", "approve-all"), "accepted": "yes"}
    other = visit.send(ids[1], "approve-all", {**fields, "parts": "0" * 32})
    assert other.status_code == 409
    assert "other-consequence" in other.text
    assert {status(visit, one) for one in ids} == {"PLANNED"}
    assert visit.send(ids[1], "approve-all", fields).status_code == 303
    assert {status(visit, one) for one in ids} == {"APPROVED"}


def test_a_part_that_was_rejected_meanwhile_is_not_approved_with_the_others(split):
    visit, ids = split
    fields = {**visit.form(f"/runs/{ids[0]}/parts", "approve-all"), "accepted": "yes"}
    with small.reopen(visit.folder) as workspace:
        workspace.backfills.reject(ids[-1], reason=REASON)
    assert visit.send(ids[0], "approve-all", fields).status_code == 409
    assert [status(visit, one) for one in ids] == ["PLANNED"] * (len(ids) - 1) + ["REJECTED"]
