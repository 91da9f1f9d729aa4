"""Two workers in two processes: quotas, priorities, and alerts that arrive once each (N29, N32, N35)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.kit import signing, small
from tests.kit.check import check_everything, read_record
from tests.kit.lake import projection
from tests.kit.lake_folder import root_of
from tradex_ledger.config import FILE
from tradex_ledger.domain.request import PRIORITIES
from tradex_ledger.ledger.entry import Entry
from tradex_ledger.workspace import Workspace

DAYS = 14
DOWN_SECONDS = 1.0
DATASETS = ("gold_signals", "gold_baselines", "gold_metrics", "silver_social_events")


class Receiver:
    """A receiver of alerts that is down at first."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.refused = 0
        self.up_at = float("inf")
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if time.monotonic() < receiver.up_at:
                    receiver.refused += 1
                    self.send_response(503)
                else:
                    told = json.loads(body)
                    receiver.got.append(f"{told['title']}: {told['message']}")
                    self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/"

    @contextmanager
    def serving(self) -> Iterator[Receiver]:
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()


@contextmanager
def workers(folder: Path, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Real processes that follow the ledger."""
    call = [sys.executable, "-m", "tests.upkeep.worker_process", str(folder)]
    found = [
        subprocess.Popen([*call, f"worker-{n}"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for n in range(count)
    ]
    try:
        yield found
    finally:
        for process in found:
            process.terminate()
        for process in found:
            print(process.communicate(timeout=20)[0])


def wait_until(condition: Any, seconds: float) -> None:
    """Look again and again."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two weeks of posts in a workspace that lets two backfills run at once, one a dataset."""
    small.deliver(tmp_path / "posts", days=DAYS)
    policy: dict[str, Any] = {"runs_per_dataset": 1, "runs_in_all": 2, "window_partitions": 1}
    with small.create(tmp_path / "ws", f"files:{tmp_path / 'posts'}", **policy) as made:
        made.incremental.run(last=small.day(DAYS))
    return tmp_path / "ws"


def request_ten(workspace: Workspace) -> list[str]:
    """Ten approved backfills of four datasets and all priorities; forced, so that each of them has work to do."""
    made: list[str] = []
    for n in range(10):
        day = small.day(n + 3)
        run_id = small.request(
            workspace,
            day,
            day,
            kind="forced",
            ticket="INC-4300",
            review=n >= 8,
            dataset=DATASETS[n % len(DATASETS)],
            priority=PRIORITIES[n * 3 % len(PRIORITIES)],
            allow_overlap=list(made),
        )
        made.append(run_id)
    with Workspace.open(workspace.config.folder, actor="maria") as other:
        for run_id in made:
            signing.approve(other, run_id)
    return made


class Life:
    """When a backfill waited and when it was driven, as positions of the ledger."""

    def __init__(self, run_id: str, entries: list[Entry]) -> None:
        mine = [e for e in entries if e.stream == run_id]
        at = {e.topic: e.position for e in reversed(mine)}  # the first of each
        self.dataset, self.rank = mine[0].data["dataset"], PRIORITIES.index(mine[0].data["priority"])
        self.approved, self.started = at["backfill.approved"], at["run.layer_started"]
        ends = ("backfill.failed", "run.held", "backfill.completed")
        self.ended = min(at[topic] for topic in ends if topic in at)

    def runs_at(self, position: int) -> bool:
        return bool(self.started <= position < self.ended)

    def waits_at(self, position: int) -> bool:
        return bool(self.approved < position < self.started)


def check_quotas(lives: list[Life], position: int) -> None:
    running = [life.dataset for life in lives if life.runs_at(position)]
    assert len(running) <= 2, f"{len(running)} at position {position}"
    assert len(set(running)) == len(running), f"{running} at position {position}"


def check_priorities(lives: list[Life], entries: list[Entry]) -> None:
    """Whoever waited with a higher priority at a start had its dataset's place taken, or only just given back.

    A worker looks, takes a place and then says so: what ended a few seconds before was looked at as running.
    """
    at = {e.position: datetime.fromisoformat(e.at) for e in entries}
    for started in lives:
        for other in lives:
            if other.waits_at(started.started) and other.rank > started.rank:
                taken = [
                    life
                    for life in lives
                    if life.dataset == other.dataset
                    and life is not started
                    and life.started < started.started
                    and at[life.ended] > at[started.started] - timedelta(seconds=5)
                ]
                assert taken, f"{started.dataset} ({started.rank}) came before {other.dataset} ({other.rank})"


def statuses(workspace: Workspace, made: list[str]) -> list[str]:
    found = {row["run_id"]: row["status"] for row in projection(workspace, "runs")}
    return [found[run_id] for run_id in made]


@pytest.mark.norm("N29")
@pytest.mark.norm("N32")
@pytest.mark.norm("N35")
@pytest.mark.norm("N38")
def test_two_workers_keep_quotas_and_priorities_and_each_alert_arrives_once(folder: Path) -> None:
    with Receiver().serving() as receiver, Workspace.open(folder, actor="ana") as workspace:
        settings = folder / FILE
        text = settings.read_text(encoding="utf-8").replace("[alerts]\n", f'[alerts]\nurls = ["{receiver.url}"]\n')
        settings.write_text(text, encoding="utf-8")
        made = request_ten(workspace)
        broken = next(iter(sorted(root_of(workspace).glob(f"bronze_x_posts/event_date={date(2024, 1, 6)}/*"))))
        content = broken.read_bytes()
        broken.write_bytes(content[:-1])  # an input that was edited: the backfill of that day's Silver fails
        with workers(folder, 2):
            wait_until(lambda: set(statuses(workspace, made)) <= {"FAILED", "HELD", "SUCCESS"}, 180)
            failed = [r for r, status in zip(made, statuses(workspace, made), strict=True) if status == "FAILED"]
            assert len(failed) == 1
            broken.write_bytes(content)
            receiver.up_at = time.monotonic() + DOWN_SECONDS
            wait_until(lambda: all(alert["delivered"] for alert in projection(workspace, "alerts")), 60)
            assert receiver.refused >= 1
        held = [r for r, status in zip(made, statuses(workspace, made), strict=True) if status == "HELD"]
        with Workspace.open(folder, actor="maria") as maria:  # who asked for a forced one does not release it
            for run_id in held:
                maria.runs.release(run_id, reason="compared: nothing differs at all")
        for run_id in failed + held:
            workspace.runs.drive(run_id)
        assert set(statuses(workspace, made)) == {"SUCCESS"}
        entries = read_record(workspace).entries
        check_everything(workspace)
        lives = [Life(run_id, entries) for run_id in made]
        for entry in entries:
            check_quotas(lives, entry.position)
        assert max(sum(life.runs_at(entry.position) for life in lives) for entry in entries) == 2
        check_priorities(lives, entries)
        drivers = {e.data["executor"]["pid"] for e in entries if e.topic == "run.layer_started" and e.stream in made}
        alerts = projection(workspace, "alerts")
        print(f"{len(drivers)} drivers, {len(alerts)} alerts, refused {receiver.refused} times\n", receiver.got)
        assert len(drivers - {os.getpid()}) == 2
        of_runs = [a["run_id"] for a in alerts if a["alert"] != "cursor lags"]
        assert sorted(of_runs) == sorted(failed + held)
        assert len(alerts) == len(of_runs) + 1  # the cursor of made-up days is years behind the clock
        told = [
            re.fullmatch(r"tradex: (?:warning|error): ([^:]+): (?s:.+)\nnext: tradex .+", text) for text in receiver.got
        ]
        assert sorted(found[1] for found in told if found) == sorted([*of_runs, "cursor lags"])
        assert len(receiver.got) == len(alerts)
