"""Dagster as the units start it: page and daemon are two processes with one home, and drive what was approved."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests import worlds
from tests.deploy import parts
from tests.deploy.living import until
from tests.kit import small

pytest.importorskip("dagster_webserver", reason="Dagster is not installed: pip install 'tradex-ledger[dagster]'")

pytestmark = pytest.mark.soak

RUNS = "{ runsOrError { ... on Runs { results { status tags { key value } } } } }"


def told(port: int, run_id: str) -> list[str]:
    """What Dagster's page says of the runs that drove a run of the ledger; nothing while it is not up."""
    body = json.dumps({"query": RUNS}).encode()
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            found = json.load(answer)["data"]["runsOrError"]["results"]
    except OSError:
        return []
    return [one["status"] for one in found if {"key": "tradex/run", "value": run_id} in one["tags"]]


def status(ws: Path, run_id: str) -> str:
    with small.reopen(ws) as workspace:
        return next(one.run.status for one in workspace.audit.look.runs(kind="backfill") if one.id == run_id)


@contextmanager
def service(name: str, environment: dict[str, str], log: Path, *, port: int) -> Iterator[None]:
    """What a unit starts, ended as it says."""
    unit = parts.unit(parts.DEPLOY / "systemd" / f"tradex-dagster-{name}.service")["Service"]
    words = parts.bare(shlex.split(unit["ExecStart"][0]))
    words = [str(port) if word == "3000" else word for word in words]
    program = Path(sys.executable).with_name(words[0])
    with log.open("a") as said:
        made = subprocess.Popen(
            [program, *words[1:]], env={**os.environ, **environment}, stdout=said, stderr=said, start_new_session=True
        )
    try:
        yield
        assert made.poll() is None, log.read_text()[-2000:]
    finally:
        made.send_signal(getattr(signal, unit["KillSignal"][0]))
        try:
            made.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(made.pid, signal.SIGKILL)
            made.wait()


def test_the_services_of_dagster_drive_what_was_approved(tmp_path: Path):
    ws, home = worlds.copied(tmp_path), tmp_path / "home"
    home.mkdir()
    shutil.copy(parts.DEPLOY / "systemd" / "dagster.yaml", home)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"DAGSTER_HOME": str(home), "TRADEX_WORKSPACE": str(ws), "TRADEX_ACTOR": "dagster"}
    with small.reopen(ws) as workspace:
        run_id = small.request(workspace, 4, 5, dataset="silver_social_events")
        workspace.backfills.approve(run_id)
    with ExitStack() as stack:
        for name in ("webserver", "daemon"):
            stack.enter_context(service(name, environment, tmp_path / f"{name}.log", port=port))
        until(lambda: "SUCCESS" in told(port, run_id), 300)
    assert status(ws, run_id) == "SUCCESS"
