"""A workspace that this release made under the oldest engine that is supported, under whatever engine is installed."""

from __future__ import annotations

import importlib.metadata
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.contents import contents
from tests.kit.lake import DERIVED, events
from tests.kit.tree import FIXTURES
from tradex_ledger.domain.dataset_errors import EngineChangedRowsError
from tradex_ledger.domain.policy_errors import NoPolicyError
from tradex_ledger.driving import window
from tradex_ledger.lake.storage import StagedFile, sha256_of
from tradex_ledger.workspace import Workspace

HERE = FIXTURES / "workspace_duckdb_2_0_0"
THEN: dict[str, Any] = json.loads((HERE / "answers.json").read_text(encoding="utf-8"))
OTHER = importlib.metadata.version("duckdb") != "2.0.0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with tarfile.open(HERE / "workspace.tar.gz") as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(tmp_path)
    return tmp_path / "ws"


@pytest.fixture
def adopted(folder: Path) -> Path:
    """It is of before there were policies on record: first of all, that of its last plan is adopted."""
    with used(folder) as workspace:
        with pytest.raises(NoPolicyError, match="no policy on record"):
            workspace.runs.drive(THEN["approved"])
        workspace.policy.adopt()
    return folder


@contextmanager
def used(folder: Path) -> Iterator[Workspace]:
    clock = small.Ticking(datetime(2024, 3, 1, tzinfo=UTC))
    with Workspace.open(folder, actor="ana", clock=clock) as workspace:
        yield workspace
        check_everything(workspace)


def outcomes(workspace: Workspace, run_id: str) -> set[str]:
    return {event["outcome"] for event in events(workspace, f"topic = 'run.partition_rebuilt' and stream = '{run_id}'")}


def reformat(folder: Path) -> None:
    """Each definition re-indented, commented, with its keywords in capitals."""
    for file in sorted((folder / "pipeline").glob("*.sql")):
        text = file.read_text(encoding="utf-8").replace("\n    ", "\n\t  ").replace("\nfrom ", "  -- moved\n  FROM ")
        file.write_text(text.replace("\nselect ", "\nSELECT "), encoding="utf-8")


def test_it_holds_what_it_held(folder: Path):
    with used(folder) as workspace:
        assert workspace.ledger.position() == THEN["position"]
        assert contents(workspace) == THEN["contents"]


def test_nothing_is_refused_and_nothing_is_computed_again_but_the_sample(adopted: Path):
    folder = adopted
    reformat(folder)
    with used(folder) as workspace:
        assert workspace.runs.drive(THEN["approved"]).status == "SUCCESS"  # a plan of then, of which one post is new
        checked = events(workspace, "topic = 'dataset.engine_checked'")
        assert {event["dataset"] for event in checked} == (set(DERIVED) if OTHER else set())
        for event in checked:
            found = json.loads(event["data"])
            assert (found["verdict"], 1 <= len(found["partitions"]) <= 3) == ("equal", True)
        workspace.backfills.approve(THEN["planned"])
        workspace.runs.drive(THEN["planned"])
        assert outcomes(workspace, THEN["planned"]) == {"reused"}
        again = small.backfill(workspace, 1, 4)
        assert outcomes(workspace, again.id) == {"reused"}
        assert workspace.incremental.run(last=small.day(7)).status == "SUCCESS"
        assert len(events(workspace, "topic = 'dataset.engine_checked'")) == len(checked)  # judged once


def _one_more(file: StagedFile) -> StagedFile:
    table = pq.read_table(file.path)
    index = table.schema.get_field_index("mentions")
    table = table.set_column(index, "mentions", pc.add(table["mentions"], 1).cast("int64"))
    pq.write_table(table, file.path)
    return StagedFile(file.day, file.path, file.rows, file.path.stat().st_size, sha256_of(file.path))


def test_an_engine_that_computes_otherwise_is_caught_by_the_sample(adopted: Path, monkeypatch: pytest.MonkeyPatch):
    version, build = importlib.metadata.version, window.build_window

    def other(task: window.WindowTask) -> list[StagedFile]:
        made = build(task)
        return made if task.dataset != "gold_metrics" else [_one_more(file) for file in made]

    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.9.9" if name == "duckdb" else version(name))
    monkeypatch.setattr(window, "build_window", other)
    with used(adopted) as workspace:
        before = contents(workspace)
        with pytest.raises(EngineChangedRowsError, match="gold_metrics") as caught:
            workspace.runs.drive(THEN["approved"])
        assert "tradex engine accept gold_metrics --reason" in caught.value.mend
        assert events(workspace, f"topic like 'run.%' and stream = '{THEN['approved']}'") == []
        assert contents(workspace) == before
