"""What is computed reads all the days there are, under the current logic, and what is published is what counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.contents import contents, with_rows
from tests.kit.lake import events, partitions, projection
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.dataset_errors import BumpedMeanwhileError, LogicChangedError
from tradex_ledger.domain.day import day_of, iso
from tradex_ledger.domain.request import Request
from tradex_ledger.driving.drive import PlanOutdatedError
from tradex_ledger.driving.execution import Progress
from tradex_ledger.planning.complete import IncompleteInputsError
from tradex_ledger.workspace import Workspace

REASON = "mentions are counted in another way, TRX-90"
SecondVersions = dict[tuple[str, date], list[str]]
DOWNSTREAM = {"gold_metrics", "gold_baselines", "gold_signals"}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with small.reopen(worlds.copied(tmp_path, until=6, pipeline=True)) as opened:
        yield opened
        check_everything(opened)


def bump_metrics(workspace: Workspace) -> None:
    small.edit(workspace, "gold_metrics", "count(*)", "count(post_id)")
    workspace.datasets.bump("gold_metrics", reason=REASON)


def logical(
    workspace: Workspace, first: int | None, last: int | None, dataset: str = "gold_metrics", **more: Any
) -> Any:
    days: dict[str, Any] = {"first": first and small.day(first), "last": last and small.day(last)}
    made = workspace.backfills.request(
        Request(kind="logical", dataset=dataset, override_state=False, reason=REASON, **days, **more)
    )
    workspace.backfills.approve(made.id)
    return workspace.runs.drive(made.id)


@pytest.mark.norm("N12")
@pytest.mark.norm("N27")
def test_the_next_run_after_a_bump_is_refused_until_what_it_reads_was_backfilled(workspace: Workspace):
    bump_metrics(workspace)
    before = workspace.ledger.position()
    with pytest.raises(IncompleteInputsError) as error:
        workspace.incremental.run(last=small.day(7))
    assert "gold_baselines of 2024-01-06 reads gold_metrics" in error.value.message
    assert "backfill request logical gold_metrics --from 2024-01-01 --to 2024-01-05" in (error.value.mend or "")
    assert workspace.ledger.position() == before
    logical(workspace, None, None)
    workspace.incremental.run(last=small.day(7))
    assert projection(workspace, "stale_partitions") == []


@pytest.mark.norm("N17")
def test_a_partial_backfill_of_new_logic_builds_just_what_reads_no_hole(workspace: Workspace):
    bump_metrics(workspace)
    run = logical(workspace, 4, 5)
    # Signals read the baseline of their day, and that one 28 days of metrics: none is complete yet.
    assert {name: sorted(map(iso, days)) for name, days in run.candidates.items()} == {
        "gold_metrics": ["2024-01-04", "2024-01-05"]
    }
    why = " ".join(
        step.because for step in workspace.backfills.edges(workspace.ledger.get(Backfill, run.id, "backfill"))
    )
    assert "2 days left out" in why
    run = logical(workspace, 1, 3)
    assert set(run.candidates) >= DOWNSTREAM
    fresh = contents(workspace)
    # All at once gives the same.
    with small.create(workspace.config.folder / "new", str(workspace.config.source), pipeline="../pipeline") as other:
        other.datasets.bump("gold_metrics", reason=REASON)
        other.incremental.run(last=small.day(5))
        assert with_rows(contents(other)) == with_rows(fresh)


@pytest.mark.norm("N17")
def test_a_request_whose_own_days_cannot_be_built_is_refused(workspace: Workspace):
    bump_metrics(workspace)
    with pytest.raises(IncompleteInputsError, match="gold_baselines of 2024-01-04 reads gold_metrics"):
        workspace.backfills.request(
            Request(
                kind="logical",
                dataset="gold_baselines",
                first=small.day(4),
                last=small.day(5),
                override_state=False,
                reason=REASON,
            )
        )


@pytest.mark.norm("N27")
def test_a_bump_does_not_carry_the_change_of_another_definition_along(workspace: Workspace):
    small.edit(workspace, "gold_metrics", "count(*)", "count(post_id)")
    small.edit(workspace, "gold_signals", "z >= 3", "z >= 4")
    before = workspace.ledger.position()
    with pytest.raises(LogicChangedError, match="gold_signals"):
        workspace.datasets.bump("gold_metrics", reason=REASON)
    assert workspace.ledger.position() == before
    assert workspace.datasets.bump("gold_signals", reason="spikes of z = 3 were too many") == {"gold_signals": 2}
    assert workspace.datasets.bump("gold_metrics", reason=REASON)["gold_signals"] == 3


@pytest.mark.norm("N27")
def test_days_under_an_older_logic_are_told_as_such_until_they_are_backfilled(workspace: Workspace):
    small.edit(workspace, "silver_social_events", "lexicon[word], 0)", "lexicon[word], 0) + 0")
    assert projection(workspace, "stale_partitions") == []
    workspace.datasets.bump("silver_social_events", reason="the weights are counted in another way")
    every_day = set(range(1, 6))
    for reverted in (False, True):
        stale = projection(workspace, "stale_partitions")
        assert {row["reason"] for row in stale} == {"new logic version"}, reverted
        assert {row["partition"].day for row in stale if row["layer"] == "silver"} == every_day
        assert {row["dataset"] for row in stale} == {"silver_social_events", *DOWNSTREAM}
        (proposed,) = workspace.backfills.propose()
        assert (proposed.kind, proposed.dataset) == ("logical", "silver_social_events")
        assert (proposed.first, proposed.last) == (day_of("2024-01-01"), day_of("2024-01-05"))
        run = logical(workspace, 1, 5, "silver_social_events")
        assert projection(workspace, "stale_partitions") == []
        # Once more from the beginning: what is reverted is under the older logic again.
        workspace.backfills.revert(run.id, reason="the weights were right as they were")


def bumping(workspace: Workspace, at: str) -> Progress:
    """Somebody edits the metrics and bumps them while a drive is at a stage."""
    seen: list[tuple[str, int, int]] = []

    def hear(stage: str, done: int, total: int) -> None:
        if stage == at and not seen:
            seen.append((stage, done, total))
            with small.reopen(workspace.config.folder, actor="maria") as maria:
                bump_metrics(maria)

    return hear


@pytest.mark.norm("N27")
@pytest.mark.parametrize("stage", ["silver_social_events", "gold_metrics", "gold_signals", "publish"])
def test_what_old_logic_makes_is_not_published_as_the_new_version(workspace: Workspace, stage: str):
    """The definition is edited and bumped while the drive goes on; it has the old one in its hands."""
    (workspace.config.folder.parent / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    run_id = small.request(workspace, 3, 3)
    workspace.backfills.approve(run_id)
    with pytest.raises(BumpedMeanwhileError):
        workspace.runs.drive(run_id, progress=bumping(workspace, stage))
    assert not [p for p in partitions(workspace) if p["logic_version"] == 2]
    assert nothing_is_of_the_new_version(workspace)
    with pytest.raises(PlanOutdatedError):
        workspace.runs.drive(run_id)


@pytest.mark.norm("N27")
@pytest.mark.parametrize(
    "stage", ["append to bronze_x_posts", "silver_social_events", "gold_metrics", "gold_signals", "publish"]
)
def test_an_incremental_run_that_a_bump_came_into_goes_on_once_all_it_reads_is_there(
    workspace: Workspace, stage: str, bumped_before: SecondVersions
):
    with pytest.raises(BumpedMeanwhileError):
        workspace.incremental.run(last=small.day(6), progress=bumping(workspace, stage))
    assert nothing_is_of_the_new_version(workspace)
    with pytest.raises(IncompleteInputsError):
        workspace.incremental.run(last=small.day(6))
    logical(workspace, None, None)
    assert workspace.incremental.run(last=small.day(6)).status == "SUCCESS"
    assert projection(workspace, "stale_partitions") == []
    assert second_versions(workspace) == bumped_before


def nothing_is_of_the_new_version(workspace: Workspace) -> bool:
    """No candidate, and no planned window: who takes the run up would believe that the new logic made it."""
    recorded = events(workspace, "topic in ('run.partition_rebuilt', 'run.plan_extended')")
    planned = [window for event in recorded for window in json.loads(event["data"]).get("windows", ())]
    return {event["logic_version"] for event in recorded} | {w["logic_version"] for w in planned} <= {1, None}


@pytest.fixture(scope="module")
def bumped_before(tmp_path_factory: pytest.TempPathFactory) -> SecondVersions:
    """What there is under version 2 where all was run after the bump."""
    folder = worlds.copied(tmp_path_factory.mktemp("bumped"), until=None, pipeline=True)
    with small.reopen(folder) as workspace:
        bump_metrics(workspace)
        workspace.incremental.run(last=small.day(6))
        return second_versions(workspace)


def second_versions(workspace: Workspace) -> SecondVersions:
    """What there is under version 2: the digests of its files."""
    return {
        (p["dataset"], p["partition"]): [file["sha256"] for file in p["files"]]
        for p in partitions(workspace)
        if p["logic_version"] == 2
    }


@pytest.mark.norm("N38")
def test_what_was_identical_to_a_version_that_was_reverted_meanwhile_is_written(tmp_path: Path):
    posts = tmp_path / "posts"
    small.deliver(posts)
    with small.create(tmp_path / "ws", f"files:{posts}") as workspace:
        workspace.incremental.run(last=small.day(5))
        (posts / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
        first = small.backfill(workspace, 2, 3)
        second = small.request(workspace, 2, 3, review=True)
        workspace.backfills.approve(second)
        held = workspace.runs.drive(second)
        assert {version.outcome for days in held.candidates.values() for version in days.values()} == {"reused"}
        fresh = contents(workspace)
        workspace.backfills.revert(first.id, reason="the late file was another vendor's")
        assert with_rows(contents(workspace)) != with_rows(fresh)
        workspace.runs.release(second, reason="it was ours after all")
        done = workspace.runs.drive(second)
        assert done.candidates["silver_social_events"][day_of("2024-01-03")].is_written
        assert with_rows(contents(workspace)) == with_rows(fresh)
        check_everything(workspace)


@pytest.mark.norm("N24")
@pytest.mark.parametrize("review", [False, True])
def test_a_plan_whose_inputs_were_reverted_meanwhile_is_not_computed_over_holes(workspace: Workspace, review: bool):
    bump_metrics(workspace)
    first = logical(workspace, None, None)
    later = small.request(workspace, 5, 5, dataset="gold_baselines", review=review)
    workspace.backfills.approve(later)
    if review:
        assert workspace.runs.drive(later).status == "HELD"
    workspace.backfills.revert(first.id, reason="the new metrics were wrong, TRX-91")
    if review:
        workspace.runs.release(later, reason="compared: nothing differs at all")
    with pytest.raises(IncompleteInputsError):
        workspace.runs.drive(later)
    assert not [p for p in partitions(workspace) if p["dataset"] == "gold_baselines" and p["logic_version"] == 2]
    logical(workspace, None, None, allow_overlap=[later])
    assert workspace.runs.drive(later).status == "SUCCESS"
