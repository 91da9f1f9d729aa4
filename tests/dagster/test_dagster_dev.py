"""The real thing: `dagster dev` with its daemon, its queue and what its page asks (GraphQL), over a small workspace."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests import worlds
from tests.kit import small
from tests.kit.examples import assigned, blocks

pytest.importorskip("dagster_webserver", reason="Dagster is not installed: pip install 'tradex-ledger[dagster]'")
pytestmark = pytest.mark.soak

SILVER = "silver_social_events"
SOONER: dict[str, dict[str, Any]] = {
    "telemetry": {"enabled": False},
    "run_coordinator": {"config": {"dequeue_interval_seconds": 1}},
    "run_monitoring": {"poll_interval_seconds": 2, "start_timeout_seconds": 120},
    "run_retries": {"max_retries": 2},
}
"""What a test does not want to wait for, beside the settings of `docs/dagster.md`."""
LAUNCH = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATUS = "query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
RUNS = """{ runsOrError { ... on Runs { results { runId jobName status startTime endTime
  tags { key value } assetMaterializations { assetKey { path } partition } } } } }"""
RELOAD = """mutation { reloadRepositoryLocation(repositoryLocationName: "tradex_ledger.dagster") { __typename } }"""


class Page:
    """What is asked of Dagster's page."""

    def __init__(self, port: int, server: int) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = json.load(answer)
        assert "errors" not in told, told
        return told["data"]

    def launch(self, days: list[str], *assets: str) -> str:
        """Launch a backfill of assets, as the page does; returns Dagster's id of it."""
        keys = [{"path": [asset]} for asset in assets]
        found = self.ask(LAUNCH, params={"assetSelection": keys, "partitionNames": days, "fromFailure": False})
        assert found["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess", found
        return str(found["launchPartitionBackfill"]["backfillId"])

    def status(self, backfill: str) -> str:
        return str(self.ask(STATUS, id=backfill)["partitionBackfillOrError"]["status"])

    def runs(self, run_id: str) -> list[dict[str, Any]]:
        """Dagster's runs for a run of the ledger, oldest first."""
        found = self.ask(RUNS)["runsOrError"]["results"]
        mine = [one for one in found if {"key": "tradex/run", "value": run_id} in one["tags"]]
        return sorted(mine, key=lambda one: one["startTime"] or 0)


def until(what: str, found: Callable[[], Any], seconds: float = 180) -> Any:
    """Wait until something is true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError):
            if value := found():
                return value
        time.sleep(0.2)
    raise AssertionError(f"in {seconds} s: not {what}")


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    return worlds.copied(tmp_path)


@pytest.fixture
def page(tmp_path: Path, ws: Path) -> Iterator[Page]:
    """`dagster dev` over the workspace, with what it started ended at the end."""
    home = tmp_path / "home"
    home.mkdir()
    settings = yaml.safe_load(blocks("docs/dagster.md", "yaml")[0].text)
    for name, more in SOONER.items():
        settings[name] = {**settings.get(name, {}), **more}
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    environment, (_, _, *options) = assigned(blocks("docs/dagster.md", "sh")[0].text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "dagster.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port), *options],
            env={**os.environ, **environment, "DAGSTER_HOME": str(home), "TRADEX_WORKSPACE": str(ws)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        found = Page(port, server.pid)
        try:
            until("up", lambda: found.ask("{ version }"))
            yield found
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def statuses(ws: Path) -> dict[str, str]:
    with small.reopen(ws) as workspace:
        return {one.id: one.run.status for one in workspace.audit.look.runs(kind="backfill")}


def kill_in_the_middle(page: Page, ws: Path, run_id: str) -> None:
    """Kill the first process that drives a run when it has just begun: it gets on in steps of 20 ms until then."""

    def worker() -> psutil.Process | None:
        for child in psutil.Process(page.server).children(recursive=True):
            with suppress(psutil.Error):
                if "spawn_main" in " ".join(child.cmdline()):
                    return child
        return None

    def has_begun() -> bool:
        begun = "select count(*) from events where stream = ? and topic = 'run.layer_started'"
        with closing(sqlite3.connect(ws / "ledger.db", timeout=0.02)) as ledger:
            try:
                return bool(ledger.execute(begun, [run_id]).fetchone()[0])
            except sqlite3.OperationalError as error:  # it is stopped in the middle of a commit
                assert "locked" in str(error)
                return False

    driver = until("launched", worker)
    while not has_begun():
        driver.resume()
        time.sleep(0.02)
        driver.suspend()
    driver.kill()


def test_a_backfill_of_the_page_is_one_request_that_waits_and_is_driven_once_it_is_approved(page: Page, ws: Path):
    launched = page.launch(["2024-01-04", "2024-01-05"], SILVER)
    until("failed", lambda: page.status(launched) == "COMPLETED_FAILED")
    ((run_id, status),) = statuses(ws).items()
    assert status == "PLANNED"
    with small.reopen(ws) as workspace:
        workspace.backfills.approve(run_id)
    until("driven", lambda: statuses(ws)[run_id] == "SUCCESS")
    done = until("told", lambda: [one for one in page.runs(run_id) if one["status"] == "SUCCESS"])[0]
    told = {(one["assetKey"]["path"][0], one["partition"]) for one in done["assetMaterializations"]}
    assert {(SILVER, "2024-01-04"), (SILVER, "2024-01-05"), ("gold_signals", "2024-01-07")} <= told

    small.set_policy(ws, needs_approval=["forced"])
    launched = page.launch(["2024-01-02", "2024-01-03"], SILVER, "gold_metrics", "gold_baselines", "gold_signals")
    until("done", lambda: page.status(launched).startswith("COMPLETED"))
    assert page.status(launched) == "COMPLETED_SUCCESS"
    assert len(statuses(ws)) == 2


def test_of_three_one_runs_at_once_the_urgent_first_and_one_that_is_killed_goes_on(page: Page, ws: Path):
    with small.reopen(ws) as workspace:
        found: dict[str, str] = {}
        for priority, day in (("low", 3), ("normal", 4), ("urgent", 5)):
            found[priority] = small.request(
                workspace, day, day, dataset=SILVER, priority=priority, allow_overlap=list(found.values())
            )
        for run_id in reversed(found.values()):
            workspace.backfills.approve(run_id)
    kill_in_the_middle(page, ws, found["urgent"])
    assert page.ask(RELOAD)["reloadRepositoryLocation"]["__typename"] == "WorkspaceLocationEntry"
    until("all done", lambda: set(statuses(ws).values()) == {"SUCCESS"}, 300)
    until("told", lambda: all(page.runs(run_id)[-1]["status"] == "SUCCESS" for run_id in found.values()))
    first = {priority: page.runs(run_id) for priority, run_id in found.items()}
    assert [one["status"] for one in first["urgent"]] == ["FAILURE", "SUCCESS"]
    assert first["urgent"][0]["startTime"] < first["normal"][0]["startTime"] < first["low"][0]["startTime"]
    spans = sorted((one["startTime"], one["endTime"]) for runs in first.values() for one in runs)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    with small.reopen(ws) as workspace:
        died = workspace.audit.log(topics=["run.layer_failed"]).events
        assert [event.data["error"] for event in died] == ["driver-died"]
