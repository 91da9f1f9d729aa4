"""Half of a day's posts are missing: the publication is held, readers see nothing until somebody decides (N35)."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.contents import contents
from tests.kit.lake import events, projection
from tradex_ledger.domain.base import WrongStateError
from tradex_ledger.pipelines.x.demo.posts import write_month
from tradex_ledger.workspace import BUILT_IN, Workspace

FIRST = date(2023, 11, 27)
STRANGE = date(2024, 1, 8)  # a Monday, with six Mondays before it
NEXT = STRANGE + timedelta(days=1)
POSTS_A_DAY = 40


def file_of(workspace: Workspace, day: date) -> Path:
    """The delivery of a day."""
    return workspace.config.folder.parent / "posts" / f"{day}.jsonl.gz"


def halve(file: Path, created: date) -> bytes:
    """Take every second post that was created on a day out of a file; returns the file as it was."""
    whole = file.read_bytes()
    stamp, kept, seen = created.strftime("%a %b %d"), [], 0
    for line in gzip.decompress(whole).splitlines():
        of_that_day = _created(line, stamp, created.isoformat())
        seen += of_that_day
        if not of_that_day or seen % 2 == 0:
            kept.append(line)
    file.write_bytes(gzip.compress(b"\n".join(kept) + b"\n"))
    return whole


def _created(line: bytes, *stamps: str) -> bool:
    try:
        told = str(json.loads(line).get("created_at", ""))
    except ValueError:
        return False
    return any(told.startswith(stamp) for stamp in stamps)


def six_weeks(folder: Path) -> None:
    """They are published; the delivery of the next Monday is there."""
    write_month(folder / "posts", 7, FIRST, (NEXT - FIRST).days, POSTS_A_DAY)
    for late in sorted((folder / "posts").glob("2024-01-*")):
        if late.name > f"{STRANGE}.jsonl.gz":
            late.unlink()  # what comes late of that Monday has not come yet
    with small.reopen(worlds.create(folder, hold_on_anomaly=True)) as workspace:
        assert workspace.incremental.run(last=STRANGE - timedelta(1)).status == "SUCCESS"
        assert not events(workspace, "topic in ('run.held', 'run.anomaly_detected')")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Six weeks are published, the next Monday is not."""
    with small.reopen(worlds.copy("six-weeks", six_weeks, tmp_path)) as opened:
        yield opened
        check_everything(opened)


def visible(workspace: Workspace) -> dict[str, Any]:
    return {name: days for name, days in contents(workspace).items() if not name.startswith("bronze_")}


def run_into_the_gap(workspace: Workspace) -> tuple[str, dict[str, Any]]:
    """An incremental run over the day that lacks its posts; returns it and what readers see."""
    before = visible(workspace)
    halve(file_of(workspace, STRANGE), STRANGE)
    run = workspace.incremental.run(last=NEXT - timedelta(1))
    assert run.status == "HELD"
    return run.id, before


@pytest.mark.norm("N35")
def test_a_day_with_half_its_posts_is_held_and_nobody_sees_it(workspace: Workspace):
    run_id, before = run_into_the_gap(workspace)
    found = events(workspace, f"topic = 'run.anomaly_detected' and run_id = '{run_id}'")
    assert ("silver_social_events", STRANGE) in {(e["dataset"], e["partition"]) for e in found}
    for event in found:
        print({name: json.loads(event["data"])[name] for name in ("dataset", "rule", "expected", "observed")})
    assert visible(workspace) == before
    assert workspace.state.cursor == f"{STRANGE}T00:00:00.000000Z"
    alerts = [row["alert"] for row in projection(workspace, "alerts")]
    assert alerts == ["volume anomaly"] * len(found) + ["held"]
    with pytest.raises(WrongStateError):  # a run does not walk past what is held
        workspace.incremental.run(last=NEXT - timedelta(1))
    assert visible(workspace) == before


@pytest.mark.norm("N35")
def test_what_was_released_is_published_by_the_next_run(workspace: Workspace):
    run_id, before = run_into_the_gap(workspace)
    workspace.runs.release(run_id, reason="the vendor confirmed: a holiday with few posts")
    assert visible(workspace) == before
    assert workspace.incremental.run(last=NEXT - timedelta(1)).id == run_id
    after = visible(workspace)
    assert STRANGE.isoformat() in after["silver_social_events"]
    assert {day: after["gold_metrics"][day] for day in before["gold_metrics"]} == before["gold_metrics"]
    assert workspace.state.cursor == f"{NEXT}T00:00:00.000000Z"


@pytest.mark.norm("N35")
def test_what_was_cancelled_is_never_published_and_the_next_run_sets_out_anew(workspace: Workspace):
    whole = file_of(workspace, STRANGE).read_bytes()
    run_id, before = run_into_the_gap(workspace)
    workspace.runs.cancel(run_id, reason="half the posts are missing, the vendor delivers again")
    assert visible(workspace) == before
    assert workspace.state.cursor == f"{STRANGE}T00:00:00.000000Z"
    again = file_of(workspace, STRANGE).with_name(f"{STRANGE}-again.jsonl.gz")
    again.write_bytes(whole)
    run = workspace.incremental.run(last=NEXT - timedelta(1))
    assert (run.id != run_id, run.status) == (True, "SUCCESS")
    states = {r["state"] for r in projection(workspace, "partition_history") if r["run_id"] == run_id}
    assert states - {"published"} == {"abandoned"}  # its Bronze is Bronze, and stays
    (silver,) = [
        p
        for p in projection(workspace, "partitions")
        if p["dataset"] == "silver_social_events" and p["partition"] == STRANGE
    ]
    assert silver["run_id"] == run.id
    assert silver["rows"] > POSTS_A_DAY / 2


@pytest.mark.norm("N35")
def test_a_backfill_that_loses_most_of_a_day_is_held_against_what_it_replaces(workspace: Workspace):
    """Bronze never shrinks, so a rule of Silver that drops too much stands for whatever lost the rows."""
    folder, day = workspace.config.folder, STRANGE - timedelta(days=3)
    shutil.copytree(BUILT_IN, folder / "pipeline")
    settings = folder / "tradex.toml"
    text = settings.read_text(encoding="utf-8").replace('# pipeline = "pipeline"', 'pipeline = "pipeline"')
    settings.write_text(text, encoding="utf-8")
    file = folder / "pipeline" / "silver_social_events.sql"
    definition = file.read_text(encoding="utf-8")
    narrow = "from (select * from bronze_x_posts where md5(post_id) < '4') as bronze_x_posts"
    assert "from bronze_x_posts" in definition
    file.write_text(definition.replace("from bronze_x_posts", narrow), encoding="utf-8")
    with small.reopen(folder) as edited:
        before = visible(edited)
        edited.datasets.bump("silver_social_events", reason="robots are left out, TRX-91")
        run = small.backfill(edited, day, day, dataset="silver_social_events")
        assert run.status == "HELD"
        assert visible(edited) == before
        found = events(edited, f"topic = 'run.anomaly_detected' and run_id = '{run.id}'")
        assert "own previous version: drop" in {json.loads(e["data"])["rule"] for e in found}
        edited.runs.release(run.id, reason="compared: all that is gone was written by robots")
        assert edited.runs.drive(run.id).status == "SUCCESS"
        assert visible(edited) != before


@pytest.mark.norm("N35")
def test_a_long_outage_in_one_run_is_as_strange_as_one_of_a_day(tmp_path: Path):
    """Its days do not become the measure of each other."""
    worlds.copied(tmp_path, days=42, posts_per_day=8, until=None, anomaly_min_rows=4)
    clock = small.Ticking(datetime(2024, 6, 1, tzinfo=UTC))
    with Workspace.open(tmp_path / "ws", actor="ana", clock=clock) as workspace:
        workspace.incremental.run(last=date(2024, 2, 11))
        run = workspace.incremental.run(last=date(2024, 5, 19))
        assert {name.split()[1] for name in run.anomalies} >= {"2024-02-13", "2024-03-20", "2024-05-19"}
