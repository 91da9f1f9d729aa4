"""What was approved then is looked at again when it is driven: the source, the policy, protections, the hour."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import signing, small
from tests.kit.check import check_everything
from tests.kit.contents import contents, published
from tests.kit.lake import events, listing
from tradex_ledger.cli.main import run
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.backfill_errors import ApprovalOutdatedError, OverlapError
from tradex_ledger.domain.dataset_errors import DefinitionsChangedError, ProtectedError, PruneRefusedError
from tradex_ledger.domain.day import iso
from tradex_ledger.domain.person import ActorNameError
from tradex_ledger.domain.policy import NotAllowedError, PeakHoursError, TooLargeError
from tradex_ledger.domain.request import Request
from tradex_ledger.driving import publish
from tradex_ledger.driving.drive import PlanOutdatedError
from tradex_ledger.driving.lease import held
from tradex_ledger.errors import EnvironmentFault, TradexError
from tradex_ledger.lake.local import LocalLake
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.planning.overlap import active_backfills
from tradex_ledger.workspace import Workspace

HOLD = "evidence in the case TRX v. Doe"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with small.reopen(worlds.copied(tmp_path, until=7)) as opened:
        (tmp_path / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
        yield opened
        check_everything(opened)


def approved(workspace: Workspace, first: int = 3, last: int = 3, **changes: object) -> str:
    run_id = small.request(workspace, first, last, **changes)
    workspace.backfills.approve(run_id)
    return run_id


def protect(workspace: Workspace, dataset: str = "gold_signals", day: int = 3) -> None:
    workspace.datasets.protect(dataset, small.day(day), small.day(day), reason=HOLD)


def refused_without_a_trace(workspace: Workspace, run_id: str, error: type[TradexError], match: str) -> None:
    before = workspace.ledger.position()
    with pytest.raises(error, match=match):
        workspace.runs.drive(run_id)
    assert workspace.ledger.position() == before


@pytest.mark.norm("N33")
def test_a_plan_is_for_the_source_that_was_approved(workspace: Workspace, tmp_path: Path):
    run_id, gold = approved(workspace), approved(workspace, 2, 2, dataset="gold_signals")
    shutil.copytree(tmp_path / "posts", tmp_path / "other")
    settings = workspace.config.folder / "tradex.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace('"files:posts"', '"files:../other"'), encoding="utf-8")
    with small.reopen(workspace.config.folder) as edited:
        refused_without_a_trace(edited, run_id, PlanOutdatedError, "planned for the source files:.*posts, .*other")
        # What reads no source is bound to none.
        assert edited.runs.drive(gold).status == "SUCCESS"
    settings.write_text(text, encoding="utf-8")
    assert workspace.runs.drive(run_id).status == "SUCCESS"


def test_no_two_drives_stage_in_one_folder(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    """A task of a drive that failed may still be writing, in a worker, when the same process drives the run again."""
    run_id = approved(workspace)
    staged: list[Path] = []
    new_staging = LocalLake.new_staging

    def fail_once(*_: object) -> None:
        if len(staged) == 1:
            raise EnvironmentFault("the disk is full", mend="make room")

    def remembered(lake: LocalLake, run_id: str, token: str) -> Path:
        staged.append(folder := new_staging(lake, run_id, token))
        return folder

    monkeypatch.setattr(publish, "check_complete", fail_once)
    monkeypatch.setattr(LocalLake, "new_staging", remembered)
    with pytest.raises(EnvironmentFault):
        workspace.runs.drive(run_id)
    assert workspace.runs.drive(run_id).status == "SUCCESS"
    assert len({folder.name for folder in staged}) == 2


@pytest.mark.norm("N13")
def test_an_approval_counts_under_the_policy_of_the_day_it_is_driven(workspace: Workspace):
    with small.reopen(workspace.config.folder, actor="maria") as maria:
        run_id = small.request(maria, 3, 3)
        signing.approve(maria, run_id)
    small.set_policy(workspace.config.folder, may_approve=["ana"])
    with small.reopen(workspace.config.folder) as edited:
        refused_without_a_trace(edited, run_id, ApprovalOutdatedError, "maria may not approve")


@pytest.mark.norm("N4")
def test_days_protected_after_the_approval_are_not_driven_over(workspace: Workspace):
    run_id = approved(workspace)
    protect(workspace)
    refused_without_a_trace(workspace, run_id, ProtectedError, HOLD)
    workspace.datasets.unprotect("gold_signals", small.day(3), small.day(3), reason="the case TRX v. Doe was closed")
    workspace.runs.drive(run_id)


@pytest.mark.norm("N4")
@pytest.mark.parametrize("dataset", ["gold_signals", "bronze_x_posts"])
def test_days_protected_while_a_run_is_under_way_stay_as_they_are(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, dataset: str
):
    """Nothing is asked again between the drive's start and its publication: the datasets themselves refuse."""
    run_id = approved(workspace)
    before, bronze = published(contents(workspace)), [p for p in listing(workspace) if p.startswith("bronze")]
    protect(workspace, dataset)
    monkeypatch.setattr("tradex_ledger.driving.drive.check_writable", lambda ex, run: None)
    with pytest.raises(ProtectedError, match=HOLD):
        workspace.runs.drive(run_id)
    after = published(contents(workspace))
    assert {n: r for n, r in after.items() if n[0] == dataset} == {n: r for n, r in before.items() if n[0] == dataset}
    assert not events(workspace, f"topic = 'run.published' and run_id = '{run_id}'")
    if dataset.startswith("bronze"):  # not even a file that no event names
        assert [p for p in listing(workspace) if p.startswith("bronze")] == bronze
    monkeypatch.undo()
    workspace.datasets.unprotect(dataset, small.day(3), small.day(3), reason="the case TRX v. Doe was closed")
    assert workspace.runs.drive(run_id).status == "SUCCESS"


@pytest.mark.norm("N4")
def test_an_incremental_run_does_not_write_protected_days(workspace: Workspace):
    workspace.datasets.protect("gold_metrics", small.day(7), small.day(7), reason=HOLD)
    with pytest.raises(ProtectedError, match=HOLD):
        workspace.incremental.run(last=small.day(7))
    workspace.datasets.unprotect("gold_metrics", small.day(7), small.day(7), reason="the case TRX v. Doe was closed")
    assert workspace.incremental.run(last=small.day(7)).status == "SUCCESS"


@pytest.mark.norm("N4")
@pytest.mark.norm("N19")
def test_protected_days_are_neither_reverted_nor_pruned(workspace: Workspace):
    run_id = approved(workspace)
    workspace.runs.drive(run_id)
    protect(workspace)
    before = workspace.ledger.position()
    with pytest.raises(ProtectedError, match=HOLD):
        workspace.backfills.revert(run_id, reason="the late file was another vendor's")
    assert workspace.ledger.position() == before
    _, files = workspace.lake.plan_prune("gold_metrics", reason="nobody asks for these any more")
    assert "2024-01-03" in {iso(listed.day) for listed in files}
    protect(workspace, "silver_social_events")
    with pytest.raises(PruneRefusedError, match="nothing to prune"):
        workspace.lake.plan_prune("silver_social_events", reason="nobody asks for these any more")


def test_only_who_may_protect_does(workspace: Workspace):
    small.set_policy(workspace.config.folder, may_protect=["maria"])
    with small.reopen(workspace.config.folder) as ana, pytest.raises(NotAllowedError, match="may not protect"):
        protect(ana)


@pytest.mark.norm("N38")
def test_what_failed_before_the_peak_hours_is_not_taken_up_in_them(workspace: Workspace, tmp_path: Path):
    run_id = approved(workspace)
    with small.broken(tmp_path / "posts" / "2024-01-03.jsonl.gz", b"\x1f\x8b no gzip"), pytest.raises(TradexError):
        workspace.runs.drive(run_id)
    small.set_policy(workspace.config.folder, peak_hours="09:30-16:00")
    clock: Callable[[], datetime] = small.Ticking(datetime(2024, 2, 2, 10, tzinfo=UTC))
    with Workspace.open(workspace.config.folder, actor="ana", clock=clock) as at_ten:
        refused_without_a_trace(at_ten, run_id, PeakHoursError, "peak hours")
    assert workspace.runs.drive(run_id).status == "SUCCESS"


@pytest.mark.norm("N13")
def test_who_hides_behind_another_alphabet_is_let_in_nowhere(workspace: Workspace):
    for name in ("\u0430na", "\u3164", " "):
        with pytest.raises(ActorNameError):
            Workspace.open(workspace.config.folder, actor=name)


@pytest.mark.norm("N13")
def test_a_process_that_runs_for_weeks_knows_the_policy_of_today(workspace: Workspace):
    run_id = small.request(workspace, 3, 3, kind="forced", ticket="INC-4300")
    with small.reopen(workspace.config.folder, actor="maria") as maria:
        signing.approve(maria, run_id)
    small.set_policy(workspace.config.folder, may_force=["olga"])
    refused_without_a_trace(workspace, run_id, ApprovalOutdatedError, "ana may not force")


@pytest.mark.norm("N13")
def test_what_will_not_be_driven_is_not_approved(workspace: Workspace):
    run_id = small.request(workspace, 3, 3)
    small.set_policy(workspace.config.folder, max_partitions=3)
    with pytest.raises(TooLargeError):
        workspace.backfills.approve(run_id)


@pytest.mark.norm("N32")
def test_two_requests_of_the_same_moment_are_not_both_driven(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr("tradex_ledger.planning.overlap.check_overlap", lambda ledger, backfill: None)
        first, second = approved(workspace, 3, 4), approved(workspace, 4, 5)
    refused_without_a_trace(workspace, second, OverlapError, first)
    workspace.runs.drive(first)
    assert workspace.runs.drive(second).status == "SUCCESS"


@pytest.mark.norm("N32")
def test_two_workers_that_sweep_at_once_do_not_stop_each_other(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    small.set_policy(workspace.config.folder, expire_days=1)
    run_id = small.request(workspace, 3, 3)
    clocks = [small.Ticking(datetime(2024, 3, 1, tzinfo=UTC)) for _ in range(2)]
    with Workspace.open(workspace.config.folder, actor="one", clock=clocks[0]) as one:
        small.request(one, 6, 6, allow_overlap=[run_id])  # requests expire by the times of events, and of no clock
    with (
        Workspace.open(workspace.config.folder, actor="one", clock=clocks[0]) as one,
        Workspace.open(workspace.config.folder, actor="two", clock=clocks[1]) as two,
    ):
        seen: list[list[str]] = []
        found = active_backfills(one.ledger)

        def slow(ledger: Ledger) -> list[Backfill]:
            if ledger is one.ledger and not seen:
                seen.append([])
                seen.append(two.runs.sweep())
                return found
            return active_backfills(ledger)

        monkeypatch.setattr("tradex_ledger.planning.overlap.active_backfills", slow)
        assert (one.runs.sweep(), seen[1]) == ([], [run_id])


@pytest.mark.norm("N35")
def test_a_run_that_somebody_drives_is_not_swept(workspace: Workspace):
    small.set_policy(workspace.config.folder, sla_minutes=1)
    run_id = approved(workspace)
    late = small.Ticking(datetime(2024, 2, 2, tzinfo=UTC))
    with Workspace.open(workspace.config.folder, actor="ana", clock=late) as sweeper:
        with held(sweeper.core.execution(), run_id):
            assert sweeper.runs.sweep() == []
        assert sweeper.runs.sweep() == [run_id]


@pytest.mark.norm("N33")
def test_a_dataset_that_left_the_pipeline_is_not_driven_and_stops_no_worker(tmp_path: Path):
    with small.reopen(worlds.copied(tmp_path, until=5, pipeline=True)) as workspace:
        run_id = approved(workspace)
        (tmp_path / "ws" / "pipeline" / "gold_signals.sql").unlink()
        refused_without_a_trace(workspace, run_id, DefinitionsChangedError, "gold_signals has no definition any more")
        workspace.datasets.deprecate("gold_signals", 1, reason="nobody asks for it any more")
        refused_without_a_trace(workspace, run_id, PlanOutdatedError, "gold_signals, and now it is not in the pipeline")
        assert run(["-C", str(tmp_path / "ws"), "worker", "--once"]) == 1


@pytest.mark.norm("N33")
def test_a_dry_run_over_a_new_dataset_records_nothing(tmp_path: Path):
    with small.reopen(worlds.copied(tmp_path, until=5, pipeline=True)) as workspace:
        folder = tmp_path / "ws" / "pipeline"
        text = (folder / "gold_signals.sql").read_text(encoding="utf-8")
        (folder / "gold_more.sql").write_text(text, encoding="utf-8")
        before = workspace.ledger.position()
        order: dict[str, Any] = {
            "kind": "temporal",
            "dataset": "gold_more",
            "first": small.day(2),
            "last": small.day(3),
        }
        _, plan = workspace.backfills.plan(Request(**order, override_state=False, reason=small.REASON))
        assert {window.dataset for window in plan.windows} == {"gold_more"}
        assert workspace.ledger.position() == before
        made = workspace.backfills.request(Request(**order, override_state=False, reason=small.REASON))
        assert workspace.datasets.get("gold_more").logic_version == 1
        workspace.backfills.approve(made.id)
        assert workspace.runs.drive(made.id).status == "SUCCESS"
