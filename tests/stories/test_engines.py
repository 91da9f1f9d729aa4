"""Another engine is other logic until shown otherwise: two hosts, two versions of DuckDB, one workspace."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.contents import contents
from tests.kit.lake import DERIVED, events, listing, projection
from tests.kit.lake_folder import in_lake
from tests.kit.small import REASON, day
from tradex_ledger.cli.main import run as tradex
from tradex_ledger.datasets.definition import DefinitionError
from tradex_ledger.domain.dataset_errors import (
    EngineChangedRowsError,
    EngineNotRefusedError,
    NoEngineRefusedError,
    SameLogicError,
)
from tradex_ledger.domain.policy import NotAllowedError
from tradex_ledger.domain.request import Request
from tradex_ledger.driving import window
from tradex_ledger.driving.engine import check_engine
from tradex_ledger.driving.fence import load_run
from tradex_ledger.lake.storage import StagedFile, sha256_of
from tradex_ledger.workspace import Workspace

VERSION = importlib.metadata.version
OLD, NEW = "1.98.0", "1.99.0"

Build = Callable[[window.WindowTask], list[StagedFile]]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of which the older engine built the first days. Copy it."""
    root = tmp_path_factory.mktemp("engines")
    small.deliver(root / "posts")
    with pytest.MonkeyPatch.context() as patch, small.create(root / "ws", f"files:{root / 'posts'}") as made:
        use(patch, OLD)
        made.incremental.run(last=day(4))
    return root


@pytest.fixture
def workspace(week: Path, tmp_path: Path) -> Iterator[Workspace]:
    with small.reopen(small.copied(week, tmp_path)) as opened:
        yield opened
        check_everything(opened)
        assert list(opened.core.lake.staged()) == []


def use(patch: pytest.MonkeyPatch, version: str, build: Build | None = None) -> None:
    patch.setattr(importlib.metadata, "version", lambda name: version if name == "duckdb" else VERSION(name))
    if build is not None:
        patch.setattr(window, "build_window", build)


@contextmanager
def host(version: str, build: Build | None = None) -> Iterator[None]:
    """A machine with that version of DuckDB; `build` stands for what it computes."""
    with pytest.MonkeyPatch.context() as patch:
        use(patch, version, build)
        yield


def doctored(dataset: str, change: Callable[[Any], Any], column: str, real: Build = window.build_window) -> Build:
    """An engine that computes one column of one dataset in another way."""

    def build(task: window.WindowTask) -> list[StagedFile]:
        staged = real(task)
        return [_rewritten(file, change, column) for file in staged] if task.dataset == dataset else staged

    return build


def _rewritten(file: StagedFile, change: Callable[[Any], Any], column: str) -> StagedFile:
    table = pq.read_table(file.path, partitioning=None)
    place = table.column_names.index(column)
    pq.write_table(table.set_column(place, column, change(table[column])), file.path)
    return replace(file, bytes=file.path.stat().st_size, sha256=sha256_of(file.path))


def one_more(values: Any) -> Any:
    return pc.cast(pc.add(values, 1), values.type)


MISCOUNTS = doctored("gold_metrics", one_more, "mentions")


def verdicts(workspace: Workspace) -> list[tuple[str, str, str]]:
    """Dataset, engine and verdict of each check, in their order."""
    found = [(e["dataset"], json.loads(e["data"])) for e in events(workspace, "topic = 'dataset.engine_checked'")]
    return [(name, facts["engine"], facts["verdict"]) for name, facts in found]


def of(engine: str, verdict: str) -> list[tuple[str, str, str]]:
    return [(name, f"duckdb {engine}", verdict) for name in DERIVED]


# -- the same rows


def test_another_engine_that_gives_the_same_rows_goes_on_and_nothing_is_recomputed(workspace: Workspace):
    before = contents(workspace)
    known = listing(workspace)
    with host(NEW):
        assert workspace.incremental.run(last=day(6)).status == "SUCCESS"
    assert verdicts(workspace) == of(NEW, "equal")
    for row in projection(workspace, "engines"):
        assert row["compared_with"] == [f"duckdb {OLD}"]
        assert len(row["partitions"]) == 3
        assert row["differences"] == []
    after = contents(workspace)
    assert all(days.items() <= after[name].items() for name, days in before.items())
    assert known.items() <= listing(workspace).items()


def test_two_hosts_with_two_engines_do_not_take_turns_for_ever(workspace: Workspace):
    for version, until in ((NEW, 6), (OLD, 7), (NEW, 8), (OLD, 9), (NEW, 10)):
        with host(version):
            workspace.incremental.run(last=day(until - 1))
    assert verdicts(workspace) == of(NEW, "equal") + of(OLD, "equal")


def test_the_engine_that_made_and_built_everything_is_not_judged(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tradex_ledger.driving.engine.shared_views", None)  # no pass over the events
    with host(OLD):
        workspace.incremental.run(last=day(6))
    assert verdicts(workspace) == []


def test_a_known_verdict_costs_no_look_at_the_events(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    with host(NEW):
        workspace.incremental.run(last=day(5))
        for look in ("shared_views", "newest", "events_of"):
            monkeypatch.setattr(f"tradex_ledger.driving.engine.{look}", None)
        workspace.incremental.run(last=day(6))


def test_the_sample_is_as_large_as_the_policy_says_and_always_the_same(workspace: Workspace, tmp_path: Path):
    small.set_policy(workspace.config.folder, engine_sample_partitions=2)
    shutil.copytree(workspace.config.folder, tmp_path / "other")
    with host(NEW):
        workspace.incremental.run(last=day(5))
        chosen = {row["dataset"]: row["partitions"] for row in projection(workspace, "engines")}
        with small.reopen(tmp_path / "other") as other:
            other.incremental.run(last=day(5))
            assert {row["dataset"]: row["partitions"] for row in projection(other, "engines")} == chosen
    assert {len(days) for days in chosen.values()} == {2}


def test_the_sample_can_be_switched_off(workspace: Workspace):
    small.set_policy(workspace.config.folder, engine_sample_partitions=0)
    with host(NEW, MISCOUNTS):
        assert workspace.incremental.run(last=day(5)).status == "SUCCESS"
    assert verdicts(workspace) == []


def test_doubles_are_the_same_to_a_billionth(workspace: Workspace):
    def shaken(values: Any) -> Any:
        return pc.multiply(values, 1 + 1e-12)

    with host(NEW, doctored("gold_baselines", shaken, "mentions_std")):
        assert workspace.incremental.run(last=day(5)).status == "SUCCESS"
    assert verdicts(workspace) == of(NEW, "equal")


# -- other rows


def test_an_engine_that_gives_other_rows_is_refused_before_anything_of_the_run_is_recorded(workspace: Workspace):
    before = workspace.ledger.position()
    with host(NEW, MISCOUNTS):
        with pytest.raises(EngineChangedRowsError) as error:
            workspace.incremental.run(last=day(5))
        assert error.value.exit_status == 3
        assert error.value.code == "engine-changed-rows"
        assert f"duckdb {NEW} gives other rows" in error.value.message
        assert "gold_metrics version 1: 2024-01-0" in error.value.message
        assert "ticker = " in error.value.message and "mentions is now" in error.value.message
        assert "tradex engine accept gold_metrics --reason" in error.value.mend
        assert "tradex dataset bump gold_metrics --reason" in error.value.mend
        recorded = events(workspace, f"position > {before}")
        assert {e["topic"] for e in recorded} == {"dataset.engine_checked"}
        (row,) = [r for r in projection(workspace, "engines") if r["verdict"] == "different"]
        assert 1 <= len(row["differences"]) <= 5
        assert {d["column"] for d in row["differences"]} == {"mentions"}
        assert all(int(d["recomputed"]) == int(d["recorded"]) + 1 for d in row["differences"])
        (alert,) = projection(workspace, "alerts")
        assert alert["alert"] == "engine gives other rows"
        assert alert["dataset"] == "gold_metrics"
        assert alert["partition"] == row["differences"][0]["partition"]
        assert f"duckdb {NEW} gives other rows of gold_metrics version 1 than duckdb {OLD}" in alert["message"]


def test_a_refusal_is_remembered_and_costs_nothing(workspace: Workspace):
    with host(NEW, MISCOUNTS), pytest.raises(EngineChangedRowsError) as first:
        workspace.incremental.run(last=day(5))
    position = workspace.ledger.position()

    def build(task: window.WindowTask) -> list[StagedFile]:
        raise AssertionError(f"{task.dataset} is built")

    with host(NEW, build), pytest.raises(EngineChangedRowsError) as again:
        workspace.incremental.run(last=day(5))
    assert again.value.message == first.value.message
    assert workspace.ledger.position() == position
    with host(OLD):
        assert workspace.incremental.run(last=day(5)).status == "SUCCESS"  # who built it all is none the worse


def test_a_backfill_is_refused_and_stays_approved_and_others_go_on(workspace: Workspace):
    run_id = small.request(workspace, 3, 4, dataset="gold_metrics")
    workspace.backfills.approve(run_id)
    signals = small.request(workspace, 3, 4, dataset="gold_signals", allow_overlap=[run_id])
    workspace.backfills.approve(signals)
    with host(NEW, MISCOUNTS):
        with pytest.raises(EngineChangedRowsError):
            workspace.runs.drive(run_id)
        assert load_run(workspace.ledger, run_id).status == "APPROVED"
        assert not events(workspace, f"run_id = '{run_id}' and topic like 'run.%'")
        assert {name for name, *_ in verdicts(workspace)} == {"gold_metrics", "gold_baselines", "gold_signals"}
        workspace.runs.cancel(run_id, reason="the engine is looked at first")
        assert workspace.runs.drive(signals).status == "SUCCESS"  # it neither builds nor changes the metrics


def test_who_may_approve_lets_an_engine_go_on_and_nothing_is_recomputed_by_itself(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
):
    folder = str(workspace.config.folder)
    before = contents(workspace)
    with host(NEW, MISCOUNTS):
        assert tradex(["-C", folder, "run", "--to", "2024-01-05"]) == 3
        capsys.readouterr()
        assert tradex(["-C", folder, "engine", "list"]) == 0
        listed = capsys.readouterr().out
        assert "different" in listed and "mentions is now" in listed
        assert tradex(["-C", folder, "status"]) == 0
        assert f"gold_metrics: the verdict on duckdb {NEW} is different" in capsys.readouterr().err
        assert tradex(["-C", folder, "--as", "ben", "engine", "accept", "--reason", "the vendor counts so now"]) == 0
        assert capsys.readouterr().out == f"gold_metrics: duckdb {NEW} is accepted\n"
        assert tradex(["-C", folder, "--as", "ben", "engine", "accept", "--reason", "the vendor counts so now"]) == 3
        assert "is refused for no dataset" in capsys.readouterr().err
        assert workspace.incremental.run(last=day(5)).status == "SUCCESS"
    after = contents(workspace)
    assert all(days.items() <= after[name].items() for name, days in before.items())
    (row,) = [r for r in projection(workspace, "engines") if r["dataset"] == "gold_metrics"]
    assert (row["verdict"], row["accepted_by"]) == ("accepted", "ben")
    assert row["accepted_reason"] == "the vendor counts so now"
    first = row["position"]
    assert (
        next(r["verdict"] for r in projection(workspace, "engines", str(first)) if r["dataset"] == "gold_metrics")
        == "different"
    )


def test_an_engine_is_accepted_only_where_it_was_refused_and_by_whom_the_policy_names(workspace: Workspace):
    with host(NEW):
        with pytest.raises(NoEngineRefusedError):
            workspace.datasets.accept_engine(reason=REASON)
        with pytest.raises(EngineNotRefusedError):
            workspace.datasets.accept_engine("gold_metrics", reason=REASON)
    small.set_policy(workspace.config.folder, may_approve=["ben"])
    with host(NEW, MISCOUNTS):
        with pytest.raises(EngineChangedRowsError):
            workspace.incremental.run(last=day(5))
        with pytest.raises(NotAllowedError):
            workspace.datasets.accept_engine(reason=REASON)


def test_a_version_of_its_own_tells_old_rows_from_new_ones(workspace: Workspace):
    with pytest.raises(SameLogicError):
        workspace.datasets.bump("gold_metrics", reason=REASON)
    with host(NEW, MISCOUNTS):
        with pytest.raises(EngineChangedRowsError):
            workspace.incremental.run(last=day(5))
        assert workspace.datasets.bump_changed(reason=REASON) == {
            "gold_metrics": 2,
            "gold_baselines": 2,
            "gold_signals": 2,
        }
        order: dict[str, Any] = {"kind": "logical", "override_state": False, "reason": REASON}
        run_id = workspace.backfills.request(Request(dataset="gold_metrics", **order)).id
        workspace.backfills.approve(run_id)
        assert workspace.runs.drive(run_id).status == "SUCCESS"
        assert workspace.incremental.run(last=day(5)).status == "SUCCESS"
    # To the other host the new version is what another engine built.
    with host(OLD), pytest.raises(EngineChangedRowsError, match="gold_metrics version 2"):
        workspace.incremental.run(last=day(6))


def test_a_statement_that_another_engine_cannot_run_is_a_difference(workspace: Workspace):
    def fails(task: window.WindowTask) -> list[StagedFile]:
        if task.dataset == "gold_signals":
            raise DefinitionError(task.dataset, "fails on 2024-01-03: no such function")
        return BUILD(task)

    with host(NEW, fails), pytest.raises(EngineChangedRowsError, match="no such function"):
        workspace.incremental.run(last=day(5))


BUILD = window.build_window


# -- nothing to compare


def late_everywhere(workspace: Workspace) -> str:
    """Bronze gets a post on each of its days, and what is built over it waits to be looked at."""
    source = workspace.config.folder.parent / "posts"
    for number in range(1, 6):
        text = small.LATE.replace("2024-01-03", f"2024-01-0{number}").replace(
            "1741941000000000001", f"174194100000000000{number}"
        )
        (source / f"2024-01-20-{number}.jsonl").write_text(text, encoding="utf-8")
    days = sorted({e["partition"] for e in projection(workspace, "partitions") if e["layer"] == "bronze"})
    run_id = small.request(workspace, days[0], days[-1], review=True)
    workspace.backfills.approve(run_id)
    assert workspace.runs.drive(run_id).status == "HELD"
    return run_id


def test_where_nothing_can_be_compared_yet_that_is_said_and_tried_again(workspace: Workspace):
    said: list[str] = []

    def progress(stage: str, done: int, total: int) -> None:
        said.append(stage)

    def silver() -> list[str]:
        known = (DERIVED[0], f"duckdb {NEW}")
        return [verdict for *about, verdict in verdicts(workspace) if tuple(about) == known]

    with host(OLD):
        held = late_everywhere(workspace)
    sentence = f"silver_social_events: duckdb {NEW} cannot be compared yet, all inputs have moved on"
    with host(NEW):
        for number in (6, 7):
            said.clear()
            workspace.incremental.run(last=day(number - 1), progress=progress)
            assert said.count(sentence) == 1
            assert silver() == ["none eligible"]
    with host(OLD):
        for _ in range(2):  # the second time with the days that came since
            workspace.runs.release(held, reason="the late posts are really there, INC-4211")
            status = workspace.runs.drive(held).status
        assert status == "SUCCESS"
    with host(NEW):
        workspace.incremental.run(last=day(7), progress=progress)
    assert silver() == ["none eligible", "equal"]
    assert said.count(sentence) == 1


def test_a_file_that_is_damaged_or_lost_tells_nothing_of_an_engine(workspace: Workspace):
    def whole(name: str) -> list[Path]:
        rows = [r for r in projection(workspace, "partitions") if r["dataset"] == name and r["files"]]
        return [in_lake(workspace, r["files"][0]["path"]) for r in rows]

    lost, damaged = whole("bronze_x_posts"), whole("silver_social_events")
    for path in lost:
        path.rename(path.with_suffix(".elsewhere"))
    for path in damaged:
        path.chmod(0o644)
        path.with_suffix(".elsewhere").write_bytes(path.read_bytes())
        path.write_bytes(path.read_bytes()[::-1])
    with host(NEW):
        ex = workspace.core.execution()
        check_engine(ex, ex.prepare(), DERIVED, set())
    for path in (*lost, *damaged):
        path.with_suffix(".elsewhere").rename(path)
    # Silver lacks what it reads, and metrics read what is damaged; what is above them tells.
    assert [v[2] for v in verdicts(workspace)] == ["none eligible", "none eligible", "equal", "equal"]
