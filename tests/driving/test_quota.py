"""Places: as many backfills at once as the policy allows, of a dataset and in all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from tests.kit import small
from tests.kit.facts import submit
from tradex_ledger.clock import seat
from tradex_ledger.domain.day import Cursor
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.policy import Policy
from tradex_ledger.driving.execution import Execution
from tradex_ledger.driving.lease import TTL_SECONDS, DrivenElsewhereError, QuotaError, held, quota
from tradex_ledger.ledger.leases import Leases
from tradex_ledger.workspace import Workspace

INCREMENTAL = IncrementalRun.start(
    "run-1", pipeline="x", cursor_from=None, cursor_to=Cursor("2024"), by="ana", policy=Policy()
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("quota")
    (folder / "posts").mkdir()
    with small.create(folder / "ws", f"files:{folder / 'posts'}") as workspace:
        yield workspace


def driver(workspace: Workspace, number: int, **policy: Any) -> Execution:
    """What a driver of its own works with, under that policy."""
    ex = workspace.core.execution()
    scope = replace(ex.scope, policy=replace(ex.scope.policy, **policy))
    return replace(ex, token=f"driver-{number}", scope=scope)


def driven(ex: Execution, dataset: str = "bronze_x_posts") -> Any:
    return quota(ex, submit(dataset=dataset))


@pytest.mark.norm("N29")
@pytest.mark.norm("N32")
def test_of_a_dataset_no_more_are_driven_at_once_than_the_policy_allows(workspace: Workspace):
    with driven(driver(workspace, 1)):
        with pytest.raises(QuotaError, match="1 runs of bronze_x_posts"), driven(driver(workspace, 2)):
            raise AssertionError("it has no place")
        with driven(driver(workspace, 3), "gold_signals"):
            pass
    with driven(driver(workspace, 4)):
        pass  # the place is free again


@pytest.mark.norm("N29")
@pytest.mark.norm("N32")
def test_in_all_no_more_are_driven_at_once_than_the_policy_allows(workspace: Workspace):
    with ExitStack() as stack:
        for number, dataset in enumerate(("bronze_x_posts", "gold_signals")):
            stack.enter_context(driven(driver(workspace, number, runs_in_all=2), dataset))
        with pytest.raises(QuotaError, match="2 runs in all"):
            stack.enter_context(driven(driver(workspace, 9, runs_in_all=2), "gold_metrics"))
        # who got no place in all has given back the one of its dataset
        stack.enter_context(driven(driver(workspace, 9, runs_in_all=3), "gold_metrics"))


@pytest.mark.norm("N29")
def test_a_bound_of_nought_is_none_and_incremental_runs_take_no_place(workspace: Workspace):
    with ExitStack() as stack:
        for number in range(3):
            ex = driver(workspace, number, runs_per_dataset=0, runs_in_all=0)
            stack.enter_context(driven(ex))
        stack.enter_context(driven(driver(workspace, 5)))
        stack.enter_context(quota(driver(workspace, 6), INCREMENTAL))


@pytest.mark.norm("N29")
def test_a_backfill_of_a_layer_takes_a_place_of_each_of_its_datasets(workspace: Workspace):
    with driven(driver(workspace, 1, runs_in_all=0), "gold_signals"):
        with pytest.raises(QuotaError, match="1 runs of gold_signals"), driven(driver(workspace, 2), "gold"):
            raise AssertionError("it has no place")
        with driven(driver(workspace, 3, runs_in_all=0), "gold_metrics"):
            pass  # the place that the layer had taken first is free again
    with (
        driven(driver(workspace, 4), "gold"),
        pytest.raises(QuotaError, match="1 runs of gold_baselines"),
        driven(driver(workspace, 5), "gold_baselines"),
    ):
        raise AssertionError("it has no place")


@pytest.mark.norm("N29")
def test_of_a_dead_host_all_that_it_held_is_free_half_a_minute_after_the_first_look(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    """Its run, the place of its dataset and the place in all: not one after the other."""
    seconds, mine = [100.0], replace(seat(), uptime=lambda: seconds[0])
    names = ["bf-1", "place 1 of bronze_x_posts", "place 1 in all"]
    theirs = Leases(workspace.ledger.engine, replace(mine, machine="another"))
    assert all(theirs.acquire(name, "dead", TTL_SECONDS) for name in names)
    for module in ("leases", "application"):
        monkeypatch.setattr(f"tradex_ledger.ledger.{module}.seat", lambda: mine)
    ex = driver(workspace, 1, runs_in_all=1)
    with pytest.raises(DrivenElsewhereError), held(ex, names[0]):
        raise AssertionError("its holder may live")
    seconds[0] += TTL_SECONDS
    with held(ex, names[0]), driven(ex):
        pass
