"""`tradex feed` and the worker: what a person sees of those who are told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.feeds import told
from tests.kit import small
from tests.kit.receiver import Receiver
from tests.kit.tree import ROOT
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE, ConfigError, load_config


def call(ws: Path, *words: str) -> int:
    return run(["-C", str(ws), "--as", "ana", *words])


def test_how_far_each_has_come_is_listed(ws: Path, there: Receiver, capfd: pytest.CaptureFixture[str]):
    told.subscribe(ws, "desk", there.url, topics='["backfill.*"]')
    told.feed(ws, "lineage", "file:lineage.jsonl")
    assert call(ws, "feed", "send", "desk") == 0
    capfd.readouterr()
    assert call(ws, "feed", "list", "--json") == 0
    lineage, desk = json.loads(capfd.readouterr().out)
    with small.reopen(ws) as workspace:
        end = workspace.ledger.position()
    assert (desk["name"], desk["position"], desk["behind"], desk["to"]) == ("desk", end, 0, there.url)
    assert (lineage["position"], lineage["behind"]) == (None, end)


def test_without_any_the_way_to_one_is_told(ws: Path, capfd: pytest.CaptureFixture[str]):
    assert call(ws, "feed", "list") == 0
    assert "[subscriptions.NAME]" in capfd.readouterr().err
    assert call(ws, "feed", "send", "desk") == 4
    assert "no feed and no subscription 'desk'" in capfd.readouterr().err


def test_one_that_is_down_keeps_nothing_from_the_others(ws: Path, there: Receiver, capfd: pytest.CaptureFixture[str]):
    told.subscribe(ws, "down", "http://127.0.0.1:9/T0KEN", topics='["backfill.approved"]')
    told.subscribe(ws, "desk", there.url, topics='["backfill.approved"]')
    assert call(ws, "feed", "send", "--json") == 6
    said = capfd.readouterr()
    assert [one["name"] for one in json.loads(said.out)] == ["desk"]
    assert ("down: the event of position" in said.err, "T0KEN" in said.err) == (True, False)
    assert len(there.taken) == 3


def test_one_that_another_process_sends_to_is_left_to_it(ws: Path, there: Receiver, capfd: pytest.CaptureFixture[str]):
    told.subscribe(ws, "busy", there.url)
    told.subscribe(ws, "desk", there.url, topics='["backfill.approved"]')
    with small.reopen(ws) as workspace:
        assert workspace.ledger.leases.acquire("feed busy", "another", 30)
        assert call(ws, "feed", "send") == 5
    assert "busy: another process sends to it" in capfd.readouterr().err
    assert len(there.taken) == 3


def test_a_worker_tells_what_it_does(ws: Path, there: Receiver, capfd: pytest.CaptureFixture[str]):
    told.subscribe(ws, "desk", there.url)
    told.subscribe(ws, "down", "http://127.0.0.1:9")
    with small.reopen(ws) as workspace:
        run_id = small.request(workspace, 3, 3)
        workspace.backfills.approve(run_id)
    assert call(ws, "worker", "--once", "--poll-seconds", "0.1") == 0
    with small.reopen(ws) as workspace:
        end = workspace.ledger.position()
    assert [json.loads(one.body)["data"]["position"] for one in there.taken] == list(range(1, end + 1))
    assert capfd.readouterr().err.count("did not reach http://127.0.0.1:9") == 1


def test_who_follows_tells_what_happens_until_it_is_stopped(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url, topics='["backfill.requested"]')
    words = [sys.executable, str(ROOT / "cli.py"), "-C", str(ws), "--as", "ana"]
    with subprocess.Popen([*words, "feed", "send", "--follow", "--every-seconds", "0.1"]) as following:
        deadline = time.monotonic() + 60
        while len(there.taken) < 4 and time.monotonic() < deadline:
            time.sleep(0.02)
        with small.reopen(ws) as workspace:
            small.request(workspace, 2, 2)
        while len(there.taken) < 5 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(following.pid, signal.SIGTERM)
        assert following.wait(30) == 143
    assert len(there.taken) == 5


@pytest.mark.parametrize(
    ("section", "line", "said"),
    [
        ("subscriptions.desk", 'url = "https://ana:s3cr3t@desk"', "url must be a URL"),
        ("subscriptions.desk", 'url = "ftp://desk"', "url must be a URL"),
        ("subscriptions.desk", 'url = "https://desk/#s3cr3t"', "url must be a URL"),
        ("subscriptions.desk", 'url = "https://desk"', "secret_env or secret_file"),
        ("subscriptions.desk", 'url = "https://desk"\nsecret = "s3cr3t"', "secret, which nobody knows"),
        ("subscriptions.desk", 'url = "https://desk"\nsecret_env = "A"\nsecret_file = "b"', "one too many"),
        ("subscriptions.desk", 'url = "https://desk"\nsecret_env = "s3-cr3t"', "name of a variable"),
        ("subscriptions.desk", 'url = "https://desk"\nsecret_env = "A"\ntopics = ["s3cr3t"]', "list of topics"),
        ("subscriptions.desk", 'url = "https://desk"\nsecret_env = "A"\nafter = -1', "after must be a position"),
        ("subscriptions.Desk", 'url = "https://desk"', "has a name that is none"),
        ("feeds.lineage", 'to = "lineage.jsonl"', "to must be file:PATH, or a URL"),
        ("feeds.lineage", 'to = "file:lineage.jsonl"\ntoken_env = "A"', "a file takes no token"),
        ("feeds.lineage", 'to = "https://lineage"\nnamespace = "a b"', "visible ASCII"),
        ("feeds", "lineage = 3", "lineage, which is no section"),
        (
            'feeds.lineage]\nto = "file:a"\n[subscriptions.lineage',
            'url = "https://d"\nsecret_env = "A"',
            "both have lineage",
        ),
    ],
)
def test_settings_that_cannot_be_meant_are_told_without_what_they_hold(seen: Path, section: str, line: str, said: str):
    file = seen / "tried" / FILE
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{(seen / FILE).read_text('utf-8')}\n[{section}]\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"feeds|subscriptions") as caught:
        load_config(file)
    assert said in caught.value.message
    assert "s3cr3t" not in caught.value.message


def test_a_fresh_file_names_each_setting_of_a_receiver(seen: Path):
    text = (seen / FILE).read_text("utf-8")
    part = text[text.index("# [feeds.lineage]") :]
    meant = "".join(line.removeprefix("# ") + "\n" for line in part.splitlines())
    file = seen / "meant" / FILE
    file.parent.mkdir(exist_ok=True)
    file.write_text(text.partition("# [feeds.lineage]")[0] + meant.replace('namespace = "…"', 'namespace = "desk"'))
    lineage, desk = load_config(file).feeds
    assert (lineage.kind, lineage.to) == ("openlineage", "https://lineage.example/api/v1/lineage")
    assert (lineage.secret_env, lineage.namespace) == ("TRADEX_LINEAGE_TOKEN", "desk")
    assert (desk.topics, desk.secret_env, desk.after) == (("backfill.*", "run.published"), "TRADEX_DESK_SECRET", 0)
