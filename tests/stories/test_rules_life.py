"""The life of a backfill beside its way through: dataset wide, paused, cancelled, reviewed, split, expired, bounded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.contents import contents
from tests.kit.faults import Interruption
from tests.kit.lake import digests, partitions, projection
from tradex_ledger.audit.query import query
from tradex_ledger.cli.main import run
from tradex_ledger.domain.backfill_errors import ExpiredRequestError, OverlapError
from tradex_ledger.domain.base import WrongStateError
from tradex_ledger.domain.dataset_errors import ProtectedError
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.policy import PeakHoursError, TooLargeError
from tradex_ledger.domain.request import Request
from tradex_ledger.driving.drive import PlanOutdatedError
from tradex_ledger.driving.fence import EndedMeanwhileError
from tradex_ledger.workspace import Workspace

WHY = "the vendor asked us to wait, INC-4212"


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace over a week of posts, with a pipeline folder of its own. Copy it."""
    root = tmp_path_factory.mktemp("life")
    worlds.copied(root, pipeline=True)
    return root


@pytest.fixture
def folder(week: Path, tmp_path: Path) -> Path:
    """A copy with a source of its own, to which late posts can be delivered."""
    return small.copied(week, tmp_path)


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    with small.reopen(folder) as opened:
        yield opened
        check_everything(opened)


def deliver_late(workspace: Workspace) -> None:
    (workspace.config.folder.parent / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")


def approved(workspace: Workspace, **changes: Any) -> str:
    run_id = small.request(workspace, **changes)
    workspace.backfills.approve(run_id)
    return run_id


def status_of(workspace: Workspace, run_id: str) -> str:
    return next(str(row["status"]) for row in projection(workspace, "runs") if row["run_id"] == run_id)


def states_of(workspace: Workspace, run_id: str) -> set[str]:
    """The states of what a run built, Bronze aside."""
    history = projection(workspace, "partition_history")
    return {row["state"] for row in history if row["run_id"] == run_id and row["layer"] != "bronze"}


def visible(workspace: Workspace) -> dict[str, Any]:
    return {name: days for name, days in contents(workspace).items() if not name.startswith("bronze_")}


def stop_at(workspace: Workspace, run_id: str, stage: str, action: Callable[[Workspace], object]) -> None:
    """Drive until a stage is heard of, and have another person do something just then."""

    def elsewhere() -> None:
        with small.reopen(workspace.config.folder, "maria") as other:
            action(other)

    with pytest.raises(EndedMeanwhileError):
        workspace.runs.drive(run_id, progress=Interruption(stage, elsewhere))


@pytest.mark.norm("N11")
@pytest.mark.parametrize(("subject", "rebuilt"), [("silver_social_events", 4), ("gold", 3), ("gold_baselines", 2)])
def test_a_dataset_backfill_rebuilds_every_partition_and_the_closure_downstream(
    workspace: Workspace, subject: str, rebuilt: int
):
    order: dict[str, Any] = {"kind": "dataset", "dataset": subject, "override_state": False, "reason": small.REASON}
    made = workspace.backfills.request(Request(**order))
    days = {p["partition"] for p in partitions(workspace) if p["dataset"] == "silver_social_events"}
    planned: dict[str, int] = {}
    for window in made.windows:
        planned[window.dataset] = planned.get(window.dataset, 0) + window.partitions
    assert len(planned) == rebuilt
    # The baseline of the first day reads the days before it, of which there are none.
    assert planned.pop("gold_baselines") in (len(days), len(days) - 1)
    assert set(planned.values()) == {len(days)}
    workspace.backfills.approve(made.id)
    before = visible(workspace)
    assert workspace.runs.drive(made.id).status == "SUCCESS"
    assert visible(workspace) == before


def paused(run_id: str, workspace: Workspace) -> None:
    """Somebody pauses it."""
    workspace.backfills.pause(run_id, reason=WHY)


@pytest.mark.norm("N14")
def test_a_paused_backfill_stops_between_windows_and_ends_as_if_it_never_had(week: Path, folder: Path, tmp_path: Path):
    small.set_policy(folder, window_partitions=2)
    other = small.copied(folder.parent, tmp_path / "undisturbed")
    found = []
    for root in (folder, other):
        with small.reopen(root) as workspace:
            deliver_late(workspace)
            run_id = approved(workspace, first=2, last=3)
            if root == folder:
                before = visible(workspace)
                stop_at(workspace, run_id, "gold_metrics", partial(paused, run_id))
                assert status_of(workspace, run_id) == "PAUSED"
                assert visible(workspace) == before
                with pytest.raises(WrongStateError):
                    workspace.runs.drive(run_id)
                workspace.backfills.resume(run_id)
            workspace.runs.drive(run_id)
            found.append(digests(workspace))
            check_everything(workspace)
    assert found[0] == found[1]


@pytest.mark.norm("N15")
def test_a_cancelled_backfill_leaves_each_candidate_abandoned_and_nothing_visible(workspace: Workspace):
    deliver_late(workspace)
    run_id = approved(workspace, first=2, last=3)
    before = visible(workspace)
    stop_at(workspace, run_id, "gold_signals", lambda ws: ws.runs.cancel(run_id, reason=WHY))
    assert status_of(workspace, run_id) == "CANCELLED"
    assert states_of(workspace, run_id) == {"abandoned"}
    assert visible(workspace) == before
    with pytest.raises(WrongStateError):
        workspace.runs.drive(run_id)


@pytest.mark.norm("N35")
def test_a_reviewed_backfill_is_held_compared_released_and_only_then_seen(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
):
    deliver_late(workspace)
    run_id = approved(workspace, first=3, last=3, review=True)
    before = visible(workspace)
    assert workspace.runs.drive(run_id).status == "HELD"
    assert visible(workspace) == before
    assert states_of(workspace, run_id) == {"candidate"}
    with pytest.raises(WrongStateError):
        workspace.runs.drive(run_id)

    folder = str(workspace.config.folder)
    assert run(["-C", folder, "audit", "diff", "--candidate", run_id, "--json"]) == 1
    differences = json.loads(capsys.readouterr().out)["rows"]
    silver = [d for d in differences if d["dataset"] == "silver_social_events" and d["partition"] == "2024-01-03"]
    assert [(d["rows_after"] - d["rows_before"], d["rows_new"], d["rows_gone"]) for d in silver] == [(1, 1, 0)]
    count = "select count(*) from silver_social_events where post_id = '1741941000000000001'"
    assert run(["-C", folder, "query", count, "--candidate", run_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == [[1]]
    assert query(workspace.ledger.store, workspace.core.lake, count).rows == [(0,)]

    workspace.runs.release(run_id, reason="compared: one late post, as expected")
    assert query(workspace.ledger.store, workspace.core.lake, count).rows == [(0,)]
    assert workspace.runs.drive(run_id).status == "SUCCESS"
    assert query(workspace.ledger.store, workspace.core.lake, count).rows == [(1,)]


@pytest.mark.norm("N35")
def test_what_was_released_is_held_again_when_its_inputs_moved(workspace: Workspace):
    held = approved(workspace, dataset="gold_metrics", first=3, last=3, review=True)
    workspace.runs.drive(held)
    workspace.runs.release(held, reason="compared: nothing differs at all")
    deliver_late(workspace)
    small.backfill(workspace, 3, 3, allow_overlap=[held])
    assert workspace.runs.drive(held).status == "HELD"
    (why,) = [row["message"] for row in projection(workspace, "alerts") if row["run_id"] == held][-1:]
    assert "its inputs moved since it was released" in why
    workspace.runs.release(held, reason="compared again: the late post came in")
    assert workspace.runs.drive(held).status == "SUCCESS"


@pytest.mark.norm("N32")
def test_an_overlapping_active_backfill_is_refused_unless_it_is_allowed_by_name(workspace: Workspace):
    first = small.request(workspace, 4, 5)
    with pytest.raises(OverlapError, match=first):
        small.request(workspace, 5, 6)
    second = small.request(workspace, 5, 6, allow_overlap=[first])
    for run_id in (second, first):
        workspace.backfills.approve(run_id)
        assert workspace.runs.drive(run_id).status == "SUCCESS"
    small.request(workspace, 5, 6)  # nobody is active any more


@pytest.mark.norm("N36")
def test_what_is_too_large_is_refused_and_split_into_linked_requests(folder: Path):
    small.set_policy(folder, max_partitions=10)
    with small.reopen(folder) as workspace:
        order: dict[str, Any] = {
            "kind": "temporal",
            "dataset": "gold_metrics",
            "first": small.day(1),
            "last": small.day(7),
        }
        rest: dict[str, Any] = {"override_state": False, "reason": small.REASON}
        with pytest.raises(TooLargeError):
            workspace.backfills.request(Request(**order, **rest))
        with pytest.raises(TooLargeError):  # one day of metrics moves every baseline after it
            workspace.backfills.request_split(Request(**{**order, "first": small.day(1), "last": small.day(1)}, **rest))
        made = workspace.backfills.request_split(Request(**{**order, "dataset": "gold_signals"}, **rest))
        made += workspace.backfills.request_split(
            Request(**{**order, "first": small.day(6)}, **rest, allow_overlap=[m.id for m in made])
        )
    with small.reopen(folder) as workspace:
        groups = {row["run_id"]: row["request_group"] for row in projection(workspace, "runs")}
        assert all(groups[m.id] for m in made)
        assert len({groups[m.id] for m in made}) == 2
        assert all(sum(w.partitions for w in m.windows) <= 10 for m in made)
        check_everything(workspace)


@pytest.mark.norm("N36")
def test_half_a_range_is_split_as_it_was_given(folder: Path):
    small.set_policy(folder, max_partitions=10)
    order: dict[str, Any] = {
        "kind": "temporal",
        "dataset": "gold_signals",
        "override_state": False,
        "reason": small.REASON,
    }
    with small.reopen(folder) as workspace:
        split = workspace.backfills.plan_split(Request(**order, first=small.day(6), last=None))
        assert {w.first >= day_of("2024-01-06") for _, plan in split for w in plan.windows} == {True}
        split = workspace.backfills.plan_split(Request(**order, first=None, last=small.day(2)))
        assert max(w.last for _, plan in split for w in plan.windows) == day_of("2024-01-02")


@pytest.mark.norm("N9")
def test_what_is_split_is_approved_by_a_rule_as_a_whole_or_by_a_person(folder: Path):
    order: dict[str, Any] = {"kind": "dataset", "dataset": "gold_metrics", "first": small.day(1), "last": small.day(7)}
    rest: dict[str, Any] = {"override_state": False, "reason": small.REASON}
    small.set_policy(folder, max_partitions=14, rule_max_partitions=14)
    with small.reopen(folder) as workspace:
        made = workspace.backfills.request_split(Request(**order, **rest))
        assert len(made) > 1
        assert {backfill.status for backfill in made} == {"PLANNED"}
        for backfill in made:
            workspace.runs.cancel(backfill.id, reason="it was only to see what it would be")
        text = (folder / "tradex.toml").read_text(encoding="utf-8")
        (folder / "tradex.toml").write_text(text.replace("rule_max_partitions = 14", "rule_max_partitions = 99"))
        workspace.policy.set(reason="what is small is approved by rule, INC-4301")
        assert {backfill.status for backfill in workspace.backfills.request_split(Request(**order, **rest))} == {
            "APPROVED"
        }


@pytest.mark.norm("N32")
def test_a_request_that_nobody_approves_expires(folder: Path):
    small.set_policy(folder, expire_days=2)
    with small.reopen(folder) as workspace:
        swept = small.request(workspace, 4, 4)
        asked = small.request(workspace, 5, 5, allow_overlap=[swept])
    later = small.Ticking(datetime(2024, 2, 4, tzinfo=UTC))
    with Workspace.open(folder, actor="ana", clock=later) as workspace:
        with pytest.raises(ExpiredRequestError):
            workspace.backfills.approve(asked)
        assert workspace.runs.sweep() == [swept]
        assert {status_of(workspace, r) for r in (swept, asked)} == {"EXPIRED"}
        with pytest.raises(WrongStateError):
            workspace.runs.drive(swept)
        check_everything(workspace)


@pytest.mark.norm("N38")
def test_in_peak_hours_only_what_is_urgent_starts(folder: Path):
    small.set_policy(folder, peak_hours="09:30-16:00", peak_time_zone="America/New_York")
    now = [datetime(2024, 2, 1, 14, 0, tzinfo=UTC)]  # 9 o'clock in New York

    def clock() -> datetime:
        now[0] += timedelta(milliseconds=1)
        return now[0]

    with Workspace.open(folder, actor="ana", clock=clock) as workspace:
        patient = approved(workspace, dataset="gold_signals", first=4, last=4, priority="high")
        urgent = approved(workspace, dataset="gold_signals", first=5, last=5, priority="urgent")
        now[0] = datetime(2024, 2, 1, 14, 31, tzinfo=UTC)
        with pytest.raises(PeakHoursError):
            workspace.runs.drive(patient)
        assert workspace.runs.drive(urgent).status == "SUCCESS"
        now[0] = datetime(2024, 2, 1, 21, 0, tzinfo=UTC)
        assert workspace.runs.drive(patient).status == "SUCCESS"
        check_everything(workspace)


@pytest.mark.norm("N32")
def test_protected_days_are_in_no_plan(workspace: Workspace):
    workspace.datasets.protect("gold_signals", small.day(4), small.day(4), reason="evidence in the case TRX v. Doe")
    with pytest.raises(ProtectedError, match="evidence in the case"):
        small.request(workspace, 4, 5)
    with pytest.raises(ProtectedError):  # downstream of what is asked for
        small.request(workspace, 3, 3)
    small.request(workspace, 5, 5, dataset="gold_signals")
    workspace.datasets.unprotect("gold_signals", small.day(4), small.day(4), reason="the case TRX v. Doe was closed")
    small.request(workspace, 4, 4, dataset="gold_signals")


@pytest.mark.norm("N33")
def test_a_plan_made_before_a_new_version_is_not_run(workspace: Workspace):
    run_id = approved(workspace, dataset="gold_signals", first=4, last=4)
    file = workspace.config.folder / "pipeline" / "gold_signals.sql"
    file.write_text(file.read_text(encoding="utf-8").replace("z >= 3", "z >= 4"), encoding="utf-8")
    workspace.datasets.bump("gold_signals", reason="spikes of z = 3 were too many")
    before = workspace.ledger.position()
    with pytest.raises(PlanOutdatedError):
        workspace.runs.drive(run_id)
    assert workspace.ledger.position() == before
    assert run(["-C", str(workspace.config.folder), "worker", "--once"]) == 1  # it tells, and does not spin
