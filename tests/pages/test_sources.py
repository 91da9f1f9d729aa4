"""What the pages about posts that are fetched, and shown no more, say to type; against a small platform here."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.kit import x_platform
from tests.kit.february import Staged, deliver, one_process
from tests.kit.tree import ROOT
from tradex_ledger.pipelines.x.demo.platform import Held


def post(number: int) -> Held:
    """One of some that were written in January 2026, three a day."""
    at = datetime(2026, 1, 11, 9, tzinfo=UTC) + timedelta(hours=8 * number)
    facts = {"text": f"{number} on $AAPL", "author_id": "42", "likes": 1}
    return Held((x_platform.id_at(at, number),), created_at=at, **facts)  # type: ignore[arg-type]  # facts of several types


def test_posts_are_fetched_and_shown_no_more(staged: Staged, monkeypatch: pytest.MonkeyPatch):
    fetched = staged("docs/x_api.md", "none")
    fetched.meant |= {"2026-01-01": "2026-01-11", "2026-01-31": "2026-01-15"}
    with x_platform.platform() as platform:
        platform.hold(map(post, range(15)))
        _token, made, *rest = fetched.take()
        fetched.play(made)
        one_process(Path("ws"))
        for command in rest:
            fetched.play(command)
    example = staged("examples/retractions/README.md", "none", "example")
    shutil.copytree(ROOT / "examples" / "retractions" / "pipeline", "pipeline")
    deliver(Path("posts"), (1, 3))
    *laid, notice, run = example.take()
    for command in laid:
        example.play(command)
    one_process(Path("ws"))
    example.play(notice)
    example.play(f"{run} --to 2014-02-03")
    monkeypatch.setenv("TRADEX_WORKSPACE", str(Path("ws").absolute()))
    row = example.play('tradex query "select min(post_id), min(run_id) from bronze_x_posts" --format jsonl')
    found = json.loads(row.splitlines()[0])
    fetched.meant |= {
        "1742500000000000000": found["min(post_id)"],
        "run-1m83": found["min(run_id)"],
        "quar-1m83q4h2zk7c0": "quar-…",
    }
    assert "quar-" in fetched.block()
