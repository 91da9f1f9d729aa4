"""The workspace in Dagster, in this process: what is launched there is one request in the ledger (N28–N31)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tradex_ledger.domain.backfill import Backfill

pytest.importorskip("dagster", reason="Dagster is not installed: pip install 'tradex-ledger[dagster]'")

import dagster as dg

from tradex_ledger.dagster import build_definitions

SILVER = "silver_social_events"
OVER = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def launch(ws: Path, instance: dg.DagsterInstance, job: str, *days: int, **tags: str) -> dg.ExecuteInProcessResult:
    over = dict(zip(OVER, (small.day(day).isoformat() for day in days), strict=True)) if days else {}
    found = build_definitions(ws, actor="dagster").resolve_job_def(job)
    told = {name.replace("_", "/", 1): text for name, text in tags.items()}
    return found.execute_in_process(instance=instance, tags={**over, **told}, raise_on_error=False)


def backfills(ws: Path) -> list[Backfill]:
    with small.reopen(ws) as workspace:
        return [workspace.ledger.get(Backfill, one.run_id) for one in workspace.audit.look.runs(kind="backfill")]


def days_seen(instance: dg.DagsterInstance, dataset: str) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey(dataset)))


def test_what_is_launched_is_a_request_that_waits_and_the_approved_one_is_driven(tmp_path, instance):
    ws = worlds.copied(tmp_path)
    first = launch(ws, instance, f"backfill_{SILVER}", 4, 5)
    (waiting,) = backfills(ws)
    assert not first.success and waiting.status == "PLANNED" and waiting.requested_by == "dagster"
    (failed,) = [event for event in first.all_events if event.is_step_failure]
    assert f"tradex backfill approve {waiting.id}" in str(failed.event_specific_data)
    with small.reopen(ws) as workspace:
        workspace.backfills.approve(waiting.id)
    again = launch(ws, instance, f"backfill_{SILVER}", tradex_run=waiting.id)
    assert again.success
    (done,) = backfills(ws)
    assert done.status == "SUCCESS"
    assert days_seen(instance, SILVER) == {"2024-01-04", "2024-01-05"}
    assert days_seen(instance, "gold_signals") == {f"2024-01-0{day}" for day in range(4, 8)}
