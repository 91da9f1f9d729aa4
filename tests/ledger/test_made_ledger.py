"""The ledger that benchmarks are run on, made in bulk, is one that the program might have written, event by event."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.benchmarks import made_ledger
from tests.kit import check
from tests.kit.small import reopen
from tradex_ledger.cli.main import run as cli
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.dataset import Dataset
from tradex_ledger.domain.facts import Facts
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.plan import plan_digest
from tradex_ledger.ledger.entry import canonical
from tradex_ledger.ledger.merkle import root
from tradex_ledger.ledger.tree import stored_tree
from tradex_ledger.resources import read_text
from tradex_ledger.views import AsOf, open_views
from tradex_ledger.workspace import Workspace

EVENTS = 6_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("made")
    made_ledger.make(made, EVENTS)
    return made


@pytest.fixture(scope="module")
def workspace(folder: Path) -> Iterator[Workspace]:
    with reopen(folder / "workspace") as opened:
        yield opened


@pytest.fixture(scope="module")
def record(workspace: Workspace) -> check.Record:
    return check.read_record(workspace)


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(read_text("schema", "events", name)))


def test_it_has_as_many_events_as_were_asked_for_each_of_its_schema_and_in_its_one_form(record: check.Record):
    assert len(record.rows) == EVENTS
    for row, entry in zip(record.rows, record.entries, strict=True):
        validator(f"{entry.topic}.v{entry.v}.json").validate(entry.data)
        assert canonical(entry._asdict()) == row[6].encode()


def test_leaves_tiles_columns_and_versions_are_those_of_its_entries(workspace: Workspace, record: check.Record):
    assert not [*check.tree_problems(record), *check.stream_problems(record.entries)]
    assert stored_tree(workspace.ledger.store, EVENTS).root() == root([row[5] for row in record.rows])


def test_its_runs_and_its_state_keep_the_rules(record: check.Record, folder: Path):
    assert not [*check.run_problems(record.entries), *check.state_problems(record.entries)]
    wrong = check.file_problems(record.entries, folder / "workspace" / "lake")
    assert not [problem for problem in wrong if not problem.endswith("is missing")]
    planned: dict[str, Facts] = {}
    for entry in record.entries:
        if entry.topic == "backfill.requested":
            planned[entry.stream] = entry.data
        elif entry.topic == "backfill.planned":
            assert plan_digest(planned[entry.stream], entry.data) == entry.data["digest"]


def test_every_stream_folds_and_the_projections_are_what_its_events_fold_to(workspace: Workspace, record: check.Record):
    for stream in {entry.stream for entry in record.entries}:
        for prefix, kind in (("bf-", Backfill), ("run-", IncrementalRun), ("dataset-", Dataset)):
            if stream.startswith(prefix):
                workspace.ledger.get(kind, stream)
    with open_views(workspace.ledger.store, AsOf(EVENTS, None)) as connection:
        assert not [*check.projection_problems(connection, record.entries)]


def test_it_holds_every_way_that_a_run_may_end(record: check.Record):
    topics = Counter(entry.topic for entry in record.entries)
    assert topics["incremental_run.succeeded"] > 90
    assert topics["run.partition_rebuilt"] > EVENTS / 2
    assert {"backfill.completed", "backfill.failed", "backfill.reverted", "run.anomaly_detected"} <= topics.keys()
    outcomes = Counter(entry.data["outcome"] for entry in record.entries if entry.topic == "run.partition_rebuilt")
    assert min(outcomes["written"], outcomes["identical"], outcomes["reused"]) > 100


def test_the_same_number_and_seed_make_the_same_ledger(record: check.Record, tmp_path: Path):
    made = made_ledger.make(tmp_path, EVENTS)
    with reopen(made) as opened:
        assert check.read_record(opened) == record


def test_it_is_asked_planned_and_run_on(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    last = made_ledger.TRUE_FIRST + timedelta(made_ledger.TRUE_DAYS)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    in_it = ["-C", str(tmp_path / "workspace")]
    asked = ("temporal", "bronze_x_posts", "--from", "2023-12-01", "--to", "2023-12-31", "--no-override-state")
    assert cli([*in_it, "status"]) == 0
    assert cli([*in_it, "backfill", "request", *asked, "--reason", "the API was down, INC-4211", "--dry-run"]) == 0
    assert cli([*in_it, "backfill", "propose"]) == 0
    said = capsys.readouterr()
    assert f"processed to {last - timedelta(1)}" in said.out
    assert "nothing is late or stale" in said.err
    for file in (tmp_path / "next").iterdir():
        shutil.move(file, tmp_path / "workspace" / "posts")
    assert cli([*in_it, "run", "--to", f"{last}"]) == 0
    assert "10 posts of the range (0 known)" in capsys.readouterr().out


def test_too_few_events_for_its_true_run_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="too few"):
        made_ledger.make(tmp_path, 1_000)
