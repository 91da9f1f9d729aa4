"""The workspace in Dagster, in this process: what is launched there is one request in the ledger (N28–N31)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.examples import assigned, blocks, commands
from tradex_ledger.driving.fence import DrivenRun
from tradex_ledger.driving.lease import held

pytest.importorskip("dagster", reason="Dagster is not installed: pip install 'tradex-ledger[dagster]'")

import dagster as dg
from dagster._cli.dev import dev_command
from dagster._core.instance.config import dagster_instance_config

from tests.kit.dagster_location import Location
from tradex_ledger.dagster import build_definitions, defs
from tradex_ledger.dagster.place import RUN, pool_of

BRONZE, SILVER, SIGNALS = "bronze_x_posts", "silver_social_events", "gold_signals"
WEEK = [f"2024-01-0{day}" for day in range(1, 8)]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """One that has pools: what is kept in memory has none."""
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as found:
        yield found


@pytest.fixture
def location(tmp_path: Path, instance: dg.DagsterInstance) -> Location:
    return Location(worlds.copied(tmp_path), instance)


def days_of(defs: dg.Definitions, dataset: str) -> list[str]:
    """The days that can be launched of a dataset."""
    found = defs.resolve_asset_graph().get(dg.AssetKey(dataset)).partitions_def
    assert found is not None
    return list(found.get_partition_keys())


def begun(location: Location) -> str:
    """A backfill whose driver died when it had just begun."""
    with small.reopen(location.ws) as workspace:
        run_id = small.request(workspace)
        workspace.backfills.approve(run_id)
        driven = DrivenRun(workspace.ledger, run_id)
        driven.run.start_layer("bronze", executor={}, extraction=None, by="dagster")
        driven.append()
    return run_id


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return str(event.step_failure_data.user_failure_data)


def checks(location: Location, dataset: str) -> dict[str, bool]:
    """What was last said of each check of a dataset."""
    found = location.instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(dg.AssetKey(dataset), name) for name in ("key_is_unique", "rows_are_of_their_day")]
    )
    said = {"SUCCEEDED": True, "FAILED": False}
    return {key.name: said[r.status.value] for key, r in found.items() if r.status.value in said}


def test_a_dataset_is_an_asset_whose_days_end_where_the_ledger_ends(location: Location):
    graph = location.defs.resolve_asset_graph()
    keys = {key.to_user_string(): key for key in graph.get_all_asset_keys()}
    assert keys.keys() >= {BRONZE, f"{BRONZE}__rejected", SILVER, "gold_metrics", "gold_baselines", SIGNALS}
    for name in (BRONZE, SILVER, "gold_metrics", "gold_baselines", SIGNALS):
        assert days_of(location.defs, name) == WEEK
    (mapping,) = graph.get(keys["gold_baselines"]).partition_mappings.values()
    assert isinstance(mapping, dg.TimeWindowPartitionMapping)
    assert (mapping.start_offset, mapping.end_offset) == (-28, -1)
    jobs = {f"backfill_{name}" for name in (BRONZE, SILVER, SIGNALS, "all")}
    assert {job.name for job in location.defs.resolve_all_job_defs()} >= {*jobs, "incremental"}
    assert {check.name for check in graph.asset_check_keys} == {"key_is_unique", "rows_are_of_their_day"}


def test_of_a_ledger_without_days_there_are_none_to_launch(tmp_path, instance):
    location = Location(worlds.copied(tmp_path, until=None), instance)
    assert days_of(location.defs, SILVER) == []
    to = {"ops": {"take_on": {"config": {"to": "2024-01-07"}}}}
    assert location.launch("incremental", run_config=to).success
    assert location.days(SIGNALS) == set(WEEK)
    again = location.launch("incremental", run_config=to)
    assert again.success  # the schedule comes round when there is nothing to do, too
    assert days_of(build_definitions(location.ws), SILVER) == WEEK


def test_the_workspace_is_the_one_that_the_environment_names(location, monkeypatch):
    monkeypatch.setenv("TRADEX_WORKSPACE", str(location.ws))
    assert {job.name for job in defs().resolve_all_job_defs()} == {
        job.name for job in location.defs.resolve_all_job_defs()
    }


@pytest.mark.norm("N28")
def test_what_is_launched_waits_for_its_approval_and_the_sensor_drives_it(location: Location):
    first = location.launch("backfill_silver_social_events", 4, 5, tags={"tradex/ticket": "INC-4211"})
    (waiting,) = location.backfills()
    assert not first.success
    assert f"tradex backfill approve {waiting.id}" in failure(first)
    assert (waiting.status, waiting.requested_by, waiting.request.ticket) == ("PLANNED", "dagster", "INC-4211")
    assert location.tick("approved_backfills").run_requests == []
    location.approve(waiting.id)
    (request,) = location.tick("approved_backfills").run_requests
    assert request.job_name == "backfill_silver_social_events"
    assert request.tags | {"dagster/priority": "-2", RUN: waiting.id, "tradex/ticket": "INC-4211"} == request.tags
    assert location.drive(request).success
    assert [found.status for found in location.backfills()] == ["SUCCESS"]
    assert location.days(SILVER) == {"2024-01-04", "2024-01-05"}
    assert location.days(SIGNALS) == {f"2024-01-0{day}" for day in range(4, 8)}
    assert checks(location, SILVER) == checks(location, SIGNALS)
    assert checks(location, SIGNALS) == {"key_is_unique": True, "rows_are_of_their_day": True}
    assert location.tick("approved_backfills").run_requests == []


@pytest.mark.norm("N31")
def test_a_materialization_says_what_the_ledger_has_on_record(location: Location):
    with small.reopen(location.ws) as workspace:
        run_id = small.request(workspace, 4, 5, dataset=SILVER)
        workspace.backfills.approve(run_id)
    assert location.launch("backfill_silver_social_events", tags={RUN: run_id}).success
    event = location.instance.get_latest_materialization_event(dg.AssetKey(SILVER))
    assert event is not None and event.asset_materialization is not None
    told_of = event.asset_materialization
    told = {name: value.value for name, value in told_of.metadata.items()}
    with small.reopen(location.ws) as workspace:
        (row,) = workspace.query(
            "select rows, bytes, files[1].sha256, position, outcome from partition_history "
            f"where run_id = '{run_id}' and dataset = '{SILVER}' and partition = '{told_of.partition}'"
        ).rows
    assert tuple(told[name] for name in ("rows", "bytes", "digest", "position", "outcome")) == tuple(row)
    assert told["run"] == run_id


def test_a_launch_that_is_run_again_finds_its_request_and_so_do_the_others_of_its_backfill(location: Location):
    of_one = {"dagster/backfill": "abcdefgh"}
    location.launch("backfill_silver_social_events", 4, 5, tags=of_one)
    location.launch("backfill_silver_social_events", 4, 5, tags=of_one)
    below = location.launch("backfill_gold_metrics", 4, 5, tags=of_one)
    (only,) = location.backfills()
    assert only.id in failure(below)
    location.approve(only.id)
    assert location.launch("backfill_silver_social_events", 4, 5, tags=of_one).success
    assert location.launch("backfill_gold_metrics", 4, 5, tags=of_one).success
    assert [found.status for found in location.backfills()] == ["SUCCESS"]
    other = location.launch("backfill_silver_social_events", 4, 5, tags={"dagster/backfill": "ijklmnop"})
    assert not other.success
    assert len(location.backfills()) == 2


def test_what_a_rule_approves_is_driven_at_once_and_days_without_news_are_what_they_were(tmp_path, instance):
    location = Location(worlds.copied(tmp_path, needs_approval=["forced"]), instance)
    assert location.launch("backfill_bronze_x_posts", 4, 5).success
    assert location.days(BRONZE) == {"2024-01-04", "2024-01-05"}
    assert location.launch("backfill_all", 2, 3).success
    assert location.backfills()[0].request.dataset == "bronze"


def test_what_one_extraction_fills_is_asked_for_once(location: Location):
    of_one = {"dagster/backfill": "abcdefgh"}
    for name in (f"{BRONZE}__rejected", BRONZE, SILVER):
        location.launch(f"backfill_{name}", 4, 5, tags=of_one)
    (only,) = location.backfills()
    assert only.request.dataset == f"{BRONZE}__rejected"


def test_a_rejected_request_is_not_made_again_by_running_its_launch_again(location: Location):
    of_one = {"dagster/backfill": "abcdefgh"}
    location.launch("backfill_silver_social_events", 4, 5, tags=of_one)
    (only,) = location.backfills()
    with small.reopen(location.ws) as workspace:
        workspace.backfills.reject(only.id, reason="the vendor will deliver again on Monday")
    assert "it is REJECTED" in failure(location.launch("backfill_silver_social_events", 4, 5, tags=of_one))
    assert len(location.backfills()) == 1


def test_what_the_ledger_refuses_is_said_with_its_mend(location: Location):
    refused = location.launch("backfill_silver_social_events", 4, 5, tags={"tradex/kind": "forced"})
    assert "a forced backfill needs a ticket; name it" in failure(refused)
    assert location.backfills() == []
    nothing = location.launch("backfill_silver_social_events")
    assert "no days of silver_social_events are named" in failure(nothing)


@pytest.mark.norm("N30")
def test_the_sensor_skips_what_has_ended_and_gives_priorities_and_pools_of_the_policy(tmp_path, stored):
    location = Location(worlds.copied(tmp_path, runs_per_dataset=3), stored)
    with small.reopen(location.ws) as workspace:
        small.backfill(workspace, 2, 3)
        urgent = small.request(workspace, 6, 7, priority="urgent", dataset=SIGNALS)
        low = small.request(workspace, 4, 4, dataset="gold_metrics", allow_overlap=[urgent])
        for run_id in (low, urgent):
            workspace.backfills.approve(run_id)
    found = location.tick("approved_backfills").run_requests
    assert [(request.tags[RUN], request.tags["dagster/priority"]) for request in found] == [(urgent, "2"), (low, "-2")]
    limits = {pool.name: pool.limit for pool in stored.event_log_storage.get_pool_limits()}
    assert limits[pool_of(SILVER)] == 3
    with small.reopen(location.ws) as workspace:
        workspace.backfills.pause(low, reason="the machine is needed for the close of the market")
        workspace.backfills.resume(low)
    (again,) = location.tick("approved_backfills").run_requests
    assert again.tags[RUN] == low
    assert again.run_key not in {request.run_key for request in found}


@pytest.mark.norm("N38")
def test_in_peak_hours_only_what_is_urgent_is_launched(tmp_path, instance):
    location = Location(worlds.copied(tmp_path), instance)
    small.set_policy(location.ws, peak_hours="00:00-23:59")
    with small.reopen(location.ws) as workspace:
        low = small.request(workspace)
        urgent = small.request(workspace, 2, 2, priority="urgent", dataset=SILVER, allow_overlap=[low])
        for run_id in (low, urgent):
            workspace.backfills.approve(run_id)
    assert [request.tags[RUN] for request in location.tick("approved_backfills").run_requests] == [urgent]
    settings = location.ws / "tradex.toml"
    settings.write_text(settings.read_text().replace("00:00-23:59", ""))
    with small.reopen(location.ws) as workspace:
        workspace.policy.set(reason="the market is closed, INC-4301")
    assert {request.tags[RUN] for request in location.tick("approved_backfills").run_requests} == {low, urgent}


def test_what_others_published_is_told_once_and_what_a_dagster_run_told_is_not(location: Location):
    told = location.tick("published_partitions").asset_events
    days = {e.partition for e in told if isinstance(e, dg.AssetMaterialization) and e.asset_key == dg.AssetKey(SIGNALS)}
    assert days == set(WEEK)
    with small.reopen(location.ws) as workspace:
        run_id = small.request(workspace)
        workspace.backfills.approve(run_id)
    assert location.launch("backfill_bronze_x_posts", tags={RUN: run_id}).success
    assert location.tick("published_partitions").asset_events == []


@pytest.mark.norm("N29")
def test_what_another_drives_is_waited_for_and_then_left_to_it(location: Location, monkeypatch):
    monkeypatch.setattr("tradex_ledger.dagster.deeds.WAIT_SECONDS", 0)
    monkeypatch.setattr("tradex_ledger.dagster.deeds.MOST_WAITS", 1)
    with small.reopen(location.ws) as workspace:
        run_id = small.request(workspace)
        workspace.backfills.approve(run_id)
        with held(workspace.core.execution(), run_id):
            left = location.launch("backfill_bronze_x_posts", 4, 5, tags={RUN: run_id})
    assert not left.success
    assert [event.is_step_up_for_retry for event in left.all_events].count(True) == 1
    assert [found.status for found in location.backfills()] == ["APPROVED"]


def test_what_a_dagster_run_has_in_its_hands_is_launched_once_that_has_ended_without_it(location: Location):
    with small.reopen(location.ws) as workspace:
        run_id = small.request(workspace)
        workspace.backfills.approve(run_id)
    at_it = dg.DagsterRun("any", status=dg.DagsterRunStatus.STARTED, tags={RUN: run_id})
    location.instance.add_run(at_it)
    assert location.tick("approved_backfills").run_requests == []
    location.instance.delete_run(at_it.run_id)
    assert [request.tags[RUN] for request in location.tick("approved_backfills").run_requests] == [run_id]


def test_a_repository_of_ones_own_takes_it_in(location: Location):
    @dg.asset
    def mine() -> None:
        """Nothing of ours."""

    merged = dg.Definitions.merge(dg.Definitions(assets=[mine]), location.defs)
    keys = {key.to_user_string() for key in merged.resolve_asset_graph().get_all_asset_keys()}
    assert keys >= {"mine", BRONZE, SIGNALS}


@pytest.mark.norm("N34")
def test_a_driver_that_died_is_on_record_before_another_takes_up_its_backfill(location: Location):
    run_id = begun(location)
    assert location.launch("backfill_bronze_x_posts", 4, 5, tags={RUN: run_id}).success
    (found,) = location.backfills()
    assert (found.status, found.errors) == ("SUCCESS", {"bronze": 1})


@pytest.mark.norm("N34")
def test_a_dagster_run_that_died_is_on_record_and_the_backfill_goes_on(location: Location):
    run_id = begun(location)
    killed = location.launch("backfill_silver_social_events")  # any that failed
    location.instance.add_run_tags(killed.run_id, {RUN: run_id})
    run = location.instance.get_run_by_id(killed.run_id)
    assert run is not None
    context = dg.build_run_status_sensor_context(
        "dead_drivers", killed.get_run_failure_event(), location.instance, run
    ).for_run_failure()
    location.defs.resolve_sensor_def("dead_drivers")(context)
    (found,) = location.backfills()
    assert (found.status, found.errors) == ("FAILED", {"bronze": 1})
    with small.reopen(location.ws) as workspace:
        last = workspace.audit.log(topics=["run.layer_failed"], limit=1).events[0]
        assert last.data["error"] == "driver-died"
    assert location.launch("backfill_bronze_x_posts", tags={RUN: run_id}).success


def test_a_definition_that_repeats_its_key_fails_its_check(tmp_path, instance):
    ws = worlds.copied(tmp_path, pipeline=True, needs_approval=["forced"])
    with small.reopen(ws) as workspace:
        twice = "union all select event_date, ticker, 1, 1, 1, 1 from silver_social_events"
        old = "from silver_social_events\ngroup by all"
        small.edit(workspace, "gold_metrics", old, f"{old}\n{twice}")
        workspace.datasets.bump("gold_metrics", reason="counts retweets apart, INC-4250")
    location = Location(ws, instance)
    assert "repeats its key" in failure(location.launch("backfill_gold_metrics", 4, 5))
    assert checks(location, "gold_metrics") == {"key_is_unique": False}


def test_what_the_page_says_of_the_instance_and_of_starting_it_is_what_dagster_takes(tmp_path: Path):
    """Started it is in `test_dagster_dev.py`, by that very line."""
    (settings,) = blocks("docs/dagster.md", "yaml")
    (tmp_path / "dagster.yaml").write_text(settings.text, encoding="utf-8")
    read, _ = dagster_instance_config(str(tmp_path))
    assert read["run_retries"] == {"enabled": True}
    (line,) = [line for block in blocks("docs/dagster.md", "sh") for line in commands(block.text)]
    environment, (_, _, *options) = assigned(line)
    assert environment.keys() == {"TRADEX_WORKSPACE", "TRADEX_ACTOR"}
    assert dev_command.make_context("dev", options).params["module_name"] == ("tradex_ledger.dagster",)
