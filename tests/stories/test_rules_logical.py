"""New logic over real posts: refused without a version, published beside the old one, told by the history."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit import small
from tests.kit.check import check_everything, read_record
from tests.kit.lake import events, listing, one_process, partitions
from tests.kit.lake_folder import in_lake
from tradex_ledger.audit.log import log
from tradex_ledger.audit.query import query
from tradex_ledger.domain.dataset_errors import DeprecatedVersionError, LogicChangedError
from tradex_ledger.domain.request import Request
from tradex_ledger.driving.drive import PlanOutdatedError
from tradex_ledger.driving.fence import load_run
from tradex_ledger.planning.complete import IncompleteInputsError
from tradex_ledger.planning.plan import NoNewLogicError
from tradex_ledger.workspace import BUILT_IN, Workspace

UNTIL = date(2014, 2, 1)
JANUARY: dict[str, Any] = {
    "dataset": "gold_signals",
    "first": date(2014, 1, 1),
    "last": date(2014, 1, 31),
    "override_state": False,
}
REASON = "spikes of z = 3 were too many, TRX-88"
SCORED = """
    select date, ticker, mentions, z,
        case when z >= 4 and mentions >= 5 then 'spike' when z >= 2 and mentions >= 3 then 'elevated'
        else 'normal' end as signal, sentiment_mean
    from gold_signals_v1 where date >= '2014-01-01' order by all
"""

Files = dict[str, tuple[tuple[int, int, int], str]]


@pytest.fixture(scope="module")
def january(real_posts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a pipeline folder of its own, after January. Copy it."""
    folder = tmp_path_factory.mktemp("january") / "ws"
    shutil.copytree(BUILT_IN, folder / "pipeline")
    Workspace.create(folder, source=f"files:{real_posts}", pipeline="pipeline", actor="ana").close()
    one_process(folder)
    with Workspace.open(folder, actor="ana") as made:
        made.incremental.run(last=UNTIL - timedelta(1))
    return folder


@pytest.fixture
def workspace(january: Path, tmp_path: Path) -> Iterator[Workspace]:
    shutil.copytree(january, tmp_path / "ws")
    with Workspace.open(tmp_path / "ws", actor="ana") as opened:
        yield opened
        check_everything(opened)


def new_scoring(workspace: Workspace) -> None:
    small.edit(workspace, "gold_signals", "z >= 3", "z >= 4")


def answer(workspace: Workspace, sql: str) -> list[tuple[object, ...]]:
    return query(workspace.ledger.store, workspace.core.lake, sql).rows


def contents(workspace: Workspace, below: str) -> Files:
    """Every file below a folder of the lake: inode, size, time of change, and what it holds."""
    return {
        path: (facts, hashlib.sha256(in_lake(workspace, path).read_bytes()).hexdigest())
        for path, facts in listing(workspace).items()
        if path.startswith(below)
    }


def backfill(workspace: Workspace, **changes: object) -> str:
    run_id: str = workspace.backfills.request(Request(**{"kind": "logical", "reason": REASON, **JANUARY, **changes})).id
    workspace.backfills.approve(run_id)
    workspace.runs.drive(run_id)
    return run_id


@pytest.mark.norm("N27")
def test_changed_logic_without_a_version_is_refused_in_run_request_and_drive(workspace: Workspace):
    approved = workspace.backfills.request(Request(kind="temporal", reason=REASON, **JANUARY)).id
    workspace.backfills.approve(approved)
    new_scoring(workspace)
    before = workspace.ledger.position()
    refused: list[Callable[[], object]] = [
        lambda: workspace.incremental.run(last=date(2014, 2, 1)),
        lambda: workspace.backfills.plan(Request(kind="temporal", reason=REASON, **JANUARY)),
        lambda: workspace.backfills.request(Request(kind="logical", reason=REASON, **JANUARY)),
        lambda: workspace.runs.drive(approved),
    ]
    for command in refused:
        with pytest.raises(LogicChangedError) as error:
            command()
        assert "tradex dataset bump gold_signals" in (error.value.mend or "")
    assert workspace.ledger.position() == before


@pytest.mark.norm("N12")
def test_a_logical_backfill_without_new_logic_is_refused(workspace: Workspace):
    with pytest.raises(NoNewLogicError):
        workspace.backfills.request(Request(kind="logical", reason=REASON, **JANUARY))
    new_scoring(workspace)
    workspace.datasets.bump("gold_signals", reason=REASON)
    backfill(workspace)
    with pytest.raises(NoNewLogicError):
        workspace.backfills.request(Request(kind="logical", reason=REASON, **JANUARY))


@pytest.mark.norm("N25")
@pytest.mark.norm("N26")
def test_both_versions_of_january_are_read_side_by_side_and_the_old_files_are_untouched(workspace: Workspace):
    old_rows = answer(workspace, "from gold_signals select * order by all")
    old_files, all_files = contents(workspace, "gold_signals/"), contents(workspace, "")
    outdated = workspace.backfills.request(Request(kind="temporal", reason=REASON, **JANUARY)).id
    workspace.backfills.approve(outdated)
    new_scoring(workspace)
    assert workspace.datasets.bump("gold_signals", reason=REASON) == {"gold_signals": 2}
    with pytest.raises(PlanOutdatedError):
        workspace.runs.drive(outdated)
    workspace.runs.cancel(outdated, reason="planned before the new scoring")
    assert answer(workspace, "from gold_signals select * order by all") == old_rows  # nothing of version 2 is there yet

    backfill(workspace)

    assert answer(workspace, "from gold_signals_v1 select * order by all") == old_rows
    scored = answer(workspace, SCORED)
    assert answer(workspace, "from gold_signals select * order by all") == scored
    assert answer(workspace, "from gold_signals_v2 select * order by all") == scored
    spikes = answer(workspace, "select count(*) from gold_signals where signal = 'spike'")[0][0]
    spikes_before = sum(row[4] == "spike" for row in old_rows)
    print(f"spikes of January: {spikes_before} under version 1, {spikes} under version 2")
    assert 0 < int(str(spikes)) < spikes_before
    after = contents(workspace, "")
    assert {path: after[path] for path in all_files} == all_files
    assert old_files
    assert old_files.keys() <= after.keys()
    versions = {p["logic_version"] for p in partitions(workspace) if p["dataset"] == "gold_signals"}
    assert versions == {1, 2}


@pytest.mark.norm("N26")
def test_a_deprecated_version_warns_who_reads_it_and_nothing_is_written_under_it(workspace: Workspace):
    new_scoring(workspace)
    workspace.datasets.bump("gold_signals", reason=REASON)
    backfill(workspace)
    workspace.datasets.deprecate("gold_signals", 1, reason="the old scoring raised too many spikes")
    old = query(workspace.ledger.store, workspace.core.lake, "select count(*) from gold_signals_v1")
    assert old.warnings == ["version 1 of gold_signals is deprecated"]
    assert old.rows[0][0] > 0
    assert query(workspace.ledger.store, workspace.core.lake, "select count(*) from gold_signals").warnings == [
        "gold_signals is its version 2; 2013-12-31: only in gold_signals_v1"  # the day before January
    ]
    # Going back to the old text is a change of logic, too: nothing gets under version 1 again.
    small.edit(workspace, "gold_signals", "z >= 4", "z >= 3")
    with pytest.raises(LogicChangedError):
        workspace.backfills.request(Request(kind="temporal", reason=REASON, **JANUARY))
    new_scoring(workspace)
    # The version that is current can be deprecated, too: then no plan may write under it.
    approved = workspace.backfills.request(Request(kind="temporal", reason=REASON, **JANUARY)).id
    workspace.backfills.approve(approved)
    workspace.datasets.deprecate("gold_signals", 2, reason="the new scoring misses splits")
    with pytest.raises(DeprecatedVersionError):
        workspace.backfills.request(Request(kind="temporal", reason=REASON, **JANUARY))
    with pytest.raises(DeprecatedVersionError):
        workspace.runs.drive(approved)
    assert not events(workspace, f"topic = 'run.published' and run_id = '{approved}'")
    workspace.datasets.restore("gold_signals", 2, reason="the splits were right after all")
    workspace.runs.drive(approved)


@pytest.mark.norm("N25")
def test_a_bump_of_metrics_gives_baselines_and_signals_a_version_as_indirect(workspace: Workspace):
    small.edit(workspace, "gold_metrics", "count(*)", "count(post_id)")
    bumped = workspace.datasets.bump("gold_metrics", reason="mentions are counted in another way, TRX-90")
    assert bumped == {"gold_metrics": 2, "gold_baselines": 2, "gold_signals": 2}
    versioned = [e for e in read_record(workspace).entries if e.topic == "dataset.logic_versioned"]
    told = {e.stream: e.data["indirect"] for e in versioned if e.data["logic_version"] == 2}
    assert told == {
        "dataset-gold_metrics": None,
        "dataset-gold_baselines": "gold_metrics",
        "dataset-gold_signals": "gold_metrics",
    }
    # A baseline reads 28 days of metrics: over two days of the new version it would be computed over holes.
    part = backfill(workspace, dataset="gold_metrics", first=date(2014, 1, 30), last=date(2014, 1, 31))
    assert set(load_run(workspace.ledger, part).candidates) == {"gold_metrics"}
    with pytest.raises(IncompleteInputsError):
        workspace.incremental.run(last=date(2014, 2, 1))
    whole = backfill(workspace, dataset="gold_metrics", first=None, last=None)
    assert {"gold_baselines", "gold_signals"} < set(load_run(workspace.ledger, whole).candidates)
    versions = {(p["logic_version"], p["dataset"], p["partition"]) for p in partitions(workspace)}
    for name in ("gold_metrics", "gold_baselines", "gold_signals"):
        assert {d for v, n, d in versions if (v, n) == (2, name)} == {d for v, n, d in versions if (v, n) == (1, name)}
    workspace.incremental.run(last=date(2014, 2, 1))


@pytest.mark.norm("N5")
def test_the_history_tells_the_story(workspace: Workspace):
    new_scoring(workspace)
    workspace.datasets.bump("gold_signals", reason=REASON)
    run_id = backfill(workspace)
    workspace.datasets.deprecate("gold_signals", 1, reason="the old scoring raised too many spikes")
    story = log(workspace.ledger, stream="dataset-gold_signals").events
    assert [(e.topic, e.data.get("logic_version")) for e in story] == [
        ("dataset.registered", None),
        ("dataset.logic_versioned", 1),
        ("dataset.published", 1),
        ("dataset.logic_versioned", 2),
        ("dataset.published", 2),
        ("dataset.version_deprecated", 1),
    ]
    assert story[3].data["reason"] == REASON
    assert "z >= 4" in story[3].data["definition"]
    assert "z >= 3" in story[1].data["definition"]
    assert story[4].data["run"] == run_id
    of_the_run = [e.topic for e in log(workspace.ledger, stream=run_id).events]
    assert of_the_run[:3] == ["backfill.requested", "backfill.planned", "backfill.approved"]
    assert of_the_run[-3:] == ["run.published", "backfill.completed", "dataset.published"]


@pytest.mark.norm("N26")
def test_a_version_that_lacks_days_of_the_one_before_says_so(workspace: Workspace):
    new_scoring(workspace)
    workspace.datasets.bump("gold_signals", reason=REASON)
    counted = "select count(*) from gold_signals"
    assert (
        query(workspace.ledger.store, workspace.core.lake, counted).warnings == []
    )  # version 1 is still the one that is read
    backfill(workspace, first=date(2014, 1, 11), last=date(2014, 1, 20))
    (warning,) = query(workspace.ledger.store, workspace.core.lake, counted).warnings
    between = "22 days between 2013-12-31 and 2014-01-31"
    assert warning == f"gold_signals is its version 2; {between}: only in gold_signals_v1"
