"""What was published is taken back, what is stale is proposed, what nobody reads is pruned (N4, N19)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.contents import contents
from tests.kit.faults import Interruption
from tests.kit.lake import projection
from tests.kit.lake_folder import in_lake
from tradex_ledger.audit.query import query
from tradex_ledger.audit.tables import PrunedFileError
from tradex_ledger.domain.backfill_errors import BuiltUponError
from tradex_ledger.domain.dataset_errors import PruneRefusedError
from tradex_ledger.domain.day import day_of, iso
from tradex_ledger.domain.policy import NotAllowedError
from tradex_ledger.errors import EnvironmentFault, TradexError
from tradex_ledger.upkeep.propose import propose
from tradex_ledger.upkeep.revert import PrunedVersionError
from tradex_ledger.workspace import BUILT_IN, Workspace

WRONG = "the redelivery was broken, INC-4290"


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A week, then a late post of the third. Copy it."""
    root = tmp_path_factory.mktemp("reversal")
    worlds.copied(root)
    (root / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    return root


@pytest.fixture
def workspace(week: Path, tmp_path: Path) -> Iterator[Workspace]:
    shutil.copytree(week / "ws", tmp_path / "ws")
    with small.reopen(tmp_path / "ws") as opened:
        yield opened
        check_everything(opened)


def visible(workspace: Workspace) -> dict[str, Any]:
    return {name: days for name, days in contents(workspace).items() if not name.startswith("bronze_")}


def stale(workspace: Workspace) -> set[tuple[str, str]]:
    return {(row["dataset"], row["partition"].isoformat()) for row in projection(workspace, "stale_partitions")}


@pytest.mark.norm("N19")
def test_a_revert_makes_earlier_versions_current_again_and_says_what_is_stale(workspace: Workspace):
    before, cursor = visible(workspace), workspace.state.cursor
    bronze = contents(workspace)["bronze_x_posts"]
    run = small.backfill(workspace, 3, 3)
    assert visible(workspace) != before
    assert not stale(workspace)
    brought = contents(workspace)["bronze_x_posts"]
    assert brought != bronze

    assert workspace.backfills.revert(run.id, reason=WRONG).status == "REVERTED"

    assert visible(workspace) == before
    assert contents(workspace)["bronze_x_posts"] == brought  # Bronze stays as it is
    assert workspace.state.cursor == cursor
    states = {r["state"] for r in projection(workspace, "partition_history") if r["run_id"] == run.id}
    assert states == {"published", "reverted"}  # its Bronze batch, and all the rest
    assert ("silver_social_events", "2024-01-03") in stale(workspace)
    with pytest.raises(TradexError):  # once
        workspace.backfills.revert(run.id, reason=WRONG)


@pytest.mark.norm("N19")
def test_what_a_revert_left_stale_is_proposed_and_doing_it_mends_it(workspace: Workspace):
    run = small.backfill(workspace, 3, 3)
    after = visible(workspace)
    workspace.backfills.revert(run.id, reason=WRONG)
    proposed = propose(workspace.ledger)
    assert [(p.kind, p.dataset, p.first, p.last) for p in proposed] == [
        ("temporal", "silver_social_events", day_of("2024-01-03"), day_of("2024-01-03"))
    ]
    again = small.backfill(workspace, 3, 3, dataset=proposed[0].dataset, reason=proposed[0].reason)
    assert again.status == "SUCCESS"
    assert visible(workspace) == after
    assert not stale(workspace)
    assert propose(workspace.ledger) == []


@pytest.mark.norm("N19")
def test_a_revert_names_the_run_that_stands_on_top_until_that_is_reverted_too(workspace: Workspace):
    before = visible(workspace)
    first = small.backfill(workspace, 3, 3)
    between = visible(workspace)
    second = small.backfill(workspace, 4, 4, dataset="gold_metrics")
    with pytest.raises(BuiltUponError, match=second.id):
        workspace.backfills.revert(first.id, reason=WRONG)
    workspace.backfills.revert(second.id, reason=WRONG)
    assert visible(workspace) == between
    workspace.backfills.revert(first.id, reason=WRONG)
    assert visible(workspace) == before


@pytest.mark.norm("N19")
def test_an_incremental_run_that_came_later_blocks_a_revert(workspace: Workspace):
    run = small.backfill(workspace, 3, 3)
    later = workspace.incremental.run(last=small.day(8))
    with pytest.raises(BuiltUponError, match=later.id):
        workspace.backfills.revert(run.id, reason=WRONG)


@pytest.mark.norm("N19")
def test_only_those_whom_the_policy_allows_revert(workspace: Workspace):
    run = small.backfill(workspace, 3, 3)
    small.set_policy(workspace.config.folder, may_revert=["maria"])
    with small.reopen(workspace.config.folder) as ana, pytest.raises(NotAllowedError):
        ana.backfills.revert(run.id, reason=WRONG)
    with small.reopen(workspace.config.folder, "maria") as maria:
        assert maria.backfills.revert(run.id, reason=WRONG).status == "REVERTED"


@pytest.mark.norm("N34")
def test_a_run_that_broke_off_is_proposed_with_the_command_that_resumes_it(workspace: Workspace):
    run_id = small.request(workspace, 3, 3)
    workspace.backfills.approve(run_id)

    def disk_is_gone() -> None:
        raise EnvironmentFault("the disk is gone for a while")

    with pytest.raises(EnvironmentFault):
        workspace.runs.drive(run_id, progress=Interruption("gold_metrics", disk_is_gone))
    # Its Bronze is there, its Silver is not: both are told.
    found = {(p.kind, p.run or p.dataset) for p in propose(workspace.ledger)}
    assert ("resume", run_id) in found
    assert ("silver_social_events", "2024-01-03") in stale(workspace)
    workspace.runs.drive(run_id)
    assert propose(workspace.ledger) == []


@pytest.mark.norm("N4")
def test_pruning_takes_two_persons_an_event_and_then_the_files(workspace: Workspace):
    before = workspace.ledger.position()
    count = "select count(*) from silver_social_events"
    (old,) = query(workspace.ledger.store, workspace.core.lake, count).rows
    small.backfill(workspace, 3, 3)
    (new,) = query(workspace.ledger.store, workspace.core.lake, count).rows
    assert new[0] == old[0] + 1
    shown = visible(workspace)
    digest, files = workspace.lake.plan_prune("silver_social_events", reason="superseded by the late post, INC-4211")
    assert [iso(listed.day) for listed in files] == ["2024-01-03"]
    (path,) = [in_lake(workspace, listed.file.path) for listed in files]
    for name in ("ana", " Ana", "ana\u200b"):
        with small.reopen(workspace.config.folder, name) as same, pytest.raises(PruneRefusedError):
            same.lake.prune("silver_social_events", digest)
    assert path.exists()
    with small.reopen(workspace.config.folder, "maria") as maria:
        assert maria.lake.prune("silver_social_events", digest) == [files[0].file.path]
        with pytest.raises(PruneRefusedError):
            maria.lake.prune("silver_social_events", digest)
    assert not path.exists()
    assert visible(workspace) == shown
    assert query(workspace.ledger.store, workspace.core.lake, count).rows == [new]
    with pytest.raises(PrunedFileError, match=f"event of position {workspace.ledger.position()} \\(maria\\)"):
        query(workspace.ledger.store, workspace.core.lake, count, as_of=str(before))
    with pytest.raises(PruneRefusedError):
        workspace.lake.plan_prune("bronze_x_posts", reason="Bronze takes too much space")


@pytest.mark.norm("N4")
def test_a_file_that_became_current_again_is_not_pruned(workspace: Workspace):
    run = small.backfill(workspace, 3, 3)
    digest, files = workspace.lake.plan_prune("silver_social_events", reason="superseded by the late post, INC-4211")
    workspace.backfills.revert(run.id, reason=WRONG)
    with small.reopen(workspace.config.folder, "maria") as maria, pytest.raises(PruneRefusedError):
        maria.lake.prune("silver_social_events", digest)
    assert all(in_lake(workspace, listed.file.path).exists() for listed in files)


@pytest.mark.norm("N4")
@pytest.mark.norm("N19")
def test_a_run_whose_earlier_versions_were_pruned_is_reverted_no_more(workspace: Workspace):
    run = small.backfill(workspace, 3, 3)
    digest, _ = workspace.lake.plan_prune("silver_social_events", reason="superseded by the late post, INC-4211")
    with small.reopen(workspace.config.folder, "maria") as maria:
        maria.lake.prune("silver_social_events", digest)
    before = visible(workspace)
    with pytest.raises(PrunedVersionError):  # what would be current again is gone
        workspace.backfills.revert(run.id, reason=WRONG)
    assert visible(workspace) == before
    assert (
        query(workspace.ledger.store, workspace.core.lake, "select count(*) from silver_social_events").rows[0][0] > 0
    )


@pytest.mark.norm("N4")
@pytest.mark.norm("N19")
def test_the_only_run_of_a_version_stands_once_the_version_before_was_pruned(workspace: Workspace):
    folder = workspace.config.folder
    shutil.copytree(BUILT_IN, folder / "pipeline")
    definition = folder / "pipeline" / "gold_signals.sql"
    definition.write_text(definition.read_text(encoding="utf-8").replace("z >= 3", "z >= 4"), encoding="utf-8")
    settings = folder / "tradex.toml"
    text = settings.read_text(encoding="utf-8").replace('# pipeline = "pipeline"', 'pipeline = "pipeline"')
    settings.write_text(text, encoding="utf-8")
    with small.reopen(folder) as ana, small.reopen(folder, "maria") as maria:
        ana.datasets.bump("gold_signals", reason="a spike needs four deviations, TRX-91")
        run = small.backfill(ana, 1, 7, kind="logical", dataset="gold_signals")
        ana.datasets.deprecate("gold_signals", 1, reason="version 2 replaces it, TRX-91")
        digest, _ = ana.lake.plan_prune("gold_signals", reason="nobody reads version 1, TRX-91")
        maria.lake.prune("gold_signals", digest)
        with pytest.raises(PrunedVersionError, match="gold_signals 2024-01-01"):
            maria.backfills.revert(run.id, reason=WRONG)
        assert query(ana.ledger.store, ana.core.lake, "select count(*) from gold_signals").rows[0][0] > 0
