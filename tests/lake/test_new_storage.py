"""A pipeline runs and is backfilled on any storage as on a folder, with workers: the worked example, object stores."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from examples.new_storage.sqlite_lake import SCHEME, SqliteLake
from tests.kit import s3, small
from tradex_ledger.audit.query import query
from tradex_ledger.config import FILE
from tradex_ledger.errors import UsageError
from tradex_ledger.lake.open import STORAGES, open_lake
from tradex_ledger.upkeep.gc import find_unreferenced
from tradex_ledger.upkeep.lost import find_lost
from tradex_ledger.workspace import Workspace

DATASETS = ("silver_social_events", "gold_metrics", "gold_baselines", "gold_signals")


def story(folder: Path, posts: Path, lake: str) -> dict[str, list[Any]]:
    """Run, backfill, and what readers see."""
    Workspace.create(folder, source=f"files:{posts}", lake=lake, start=small.day(1), actor="ana").close()
    settings = folder / FILE
    settings.write_text(settings.read_text().replace("[workspace]", "[workspace]\nworkers = 2", 1))
    small.set_policy(folder, window_partitions=2)
    with small.reopen(folder) as workspace:
        workspace.incremental.run(last=small.day(5))
        small.backfill(workspace, 2, 4, kind="dataset", dataset="gold_metrics")
        assert find_unreferenced(workspace.ledger, workspace.core.lake) == []
        assert find_lost(workspace.ledger, workspace.core.lake).wrong == []
        store = workspace.ledger.store
        return {name: query(store, workspace.core.lake, f"select * from {name} order by all").rows for name in DATASETS}


@pytest.fixture(scope="module")
def in_a_folder(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What the story comes to in a folder."""
    root = tmp_path_factory.mktemp("folder")
    small.deliver(root / "posts")
    found = story(root / "ws", root / "posts", "lake")
    assert all(found.values())
    return found


@pytest.mark.parametrize("name", ["seaweedfs", pytest.param("moto", marks=pytest.mark.soak)])
def test_a_pipeline_runs_on_an_object_store_as_in_a_folder(
    name: str, in_a_folder: dict[str, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    s3.STORES[name]().use(monkeypatch)
    small.deliver(tmp_path / "posts")
    url = s3.url_of(tmp_path)
    assert story(tmp_path / "one", tmp_path / "posts", url) == in_a_folder
    assert f'lake = "{url}"' in (tmp_path / "one" / FILE).read_text()
    assert not (tmp_path / "one" / "lake").exists()


def test_a_pipeline_runs_on_a_storage_that_the_package_does_not_know(
    in_a_folder: dict[str, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(STORAGES, SCHEME, SqliteLake)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    small.deliver(tmp_path / "posts")
    assert story(tmp_path / "one", tmp_path / "posts", f"sqlite://{tmp_path}/lake.db") == in_a_folder
    assert not (tmp_path / "one" / "lake").exists()


def test_a_url_that_nobody_serves_is_refused_and_not_repeated(tmp_path: Path):
    small.deliver(tmp_path / "posts", days=1)
    with pytest.raises(UsageError) as caught:
        Workspace.create(tmp_path / "ws", source=f"files:{tmp_path / 'posts'}", lake="gs://user:hunter2@bucket/lake")
    assert caught.value.code == "url-as-path"
    assert "hunter2" not in str(caught.value) + caught.value.mend
    assert not (tmp_path / "ws").exists()
    with small.create(tmp_path / "ws", f"files:{tmp_path / 'posts'}") as made:
        settings = made.config.folder / FILE
    settings.write_text(settings.read_text().replace('lake = "lake"', 'lake = "gs://bucket/lake"'))
    with pytest.raises(UsageError, match="the lake is given as a URL"):
        small.reopen(tmp_path / "ws")
    with pytest.raises(UsageError):
        open_lake("gs://bucket/lake")
