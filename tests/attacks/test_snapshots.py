"""What stands in `snapshots` decides nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests import worlds
from tests.kit import planted, small
from tests.kit.check import check_everything
from tests.kit.given import state
from tests.kit.lake_folder import root_of
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.base import Aggregate, WrongStateError
from tradex_ledger.domain.dataset import Dataset
from tradex_ledger.domain.dataset_errors import ProtectedError
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.policy import Policy
from tradex_ledger.workspace import Workspace


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.copied(tmp_path_factory.mktemp("snapshots"), until=4, thin=True)


@pytest.fixture
def folder(week: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(week, tmp_path / "ws"))


def plant(folder: Path, aggregate: Aggregate, **lies: Any) -> None:
    """A snapshot as older releases took them, in each format that there was, that says something else."""
    kept = {"format": 4, "state": {**state(aggregate), **lies}, "topic": type(aggregate).TOPIC}
    with planted.database(folder) as connection:
        connection.execute(
            "insert into snapshots values (?, ?, 'snapshot', ?)",
            [aggregate.id, aggregate.version, orjson.dumps(kept, default=sorted)],
        )


@pytest.mark.norm("N13")
def test_a_planted_snapshot_approves_no_forced_override(folder: Path):
    with small.reopen(folder) as opened:
        run_id = small.request(opened, **small.OVERRIDE)
        before = state(opened.ledger.get(Backfill, run_id))
        plant(folder, opened.ledger.get(Backfill, run_id), status="APPROVED", approved_by="boss")
        assert state(opened.ledger.get(Backfill, run_id)) == before
        cursor = opened.state.cursor
        with pytest.raises(WrongStateError):
            opened.runs.drive(run_id)
    with small.reopen(folder) as opened:
        assert opened.ledger.get(Backfill, run_id).approved_by == ""
        assert opened.state.cursor == cursor
        check_everything(opened)


@pytest.mark.norm("N20")
def test_a_planted_snapshot_moves_no_cursor(folder: Path):
    with small.reopen(folder) as opened:
        found = opened.state
        plant(folder, found, cursor="2024-01-08T00:00:00.000000Z")
    with small.reopen(folder) as opened:
        opened.incremental.run(last=small.day(7))
        check_everything(opened)
        assert days(opened) == [f"2024-01-0{n}" for n in range(1, 8)]


def days(workspace: Workspace) -> list[str]:
    root = root_of(workspace) / "bronze_x_posts"
    return sorted(path.name.partition("=")[2] for path in root.iterdir() if path.is_dir())


@pytest.mark.parametrize(
    "lie", [{"protected": []}, {"deprecated": [1]}, {"logic_version": 7}, {"prune_plan": {"by": "eve"}}]
)
def test_a_planted_snapshot_lifts_no_protection_and_numbers_no_logic(folder: Path, lie: dict[str, Any]):
    with small.reopen(folder) as opened:
        dataset = opened.ledger.get(Dataset, "dataset-silver_social_events")
        dataset.protect(
            day_of("2024-01-02"), day_of("2024-01-03"), reason="a legal hold on these days", by="ana", policy=Policy()
        )
        opened.ledger.append(dataset)
        before = state(dataset)
        plant(folder, dataset, **lie)
    with small.reopen(folder) as opened:
        again = opened.ledger.get(Dataset, "dataset-silver_social_events")
        assert state(again) == before
        with pytest.raises(ProtectedError):
            again.check_unprotected(day_of("2024-01-01"), day_of("2024-01-02"))


def test_what_stands_in_snapshots_is_not_even_read(folder: Path):
    with planted.database(folder) as connection:
        streams = [row[0] for row in connection.execute("select distinct stream from events")]
        rows = [(stream, version, "os:system", b"no json") for stream in streams for version in (1, 2, 999)]
        connection.executemany("insert into snapshots values (?, ?, ?, ?)", rows)
    with small.reopen(folder) as opened:
        opened.incremental.run(last=small.day(5))
        check_everything(opened)
    with planted.database(folder) as connection:
        assert connection.execute("select count(*) from snapshots").fetchone() == (len(rows),)
