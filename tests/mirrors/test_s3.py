"""A lake in S3, for other readers: DuckDB reads a DuckLake catalog that names URLs; a Delta log is refused, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit import foreign_engine, mirrored, s3, small
from tradex_ledger.mirrors.port import UnfitMirrorError
from tradex_ledger.mirrors.readers import steps
from tradex_ledger.workspace import Workspace

REVERTED = "the vendor took its delivery back, INC-4212"


@pytest.mark.parametrize("store", list(s3.STORES))
def test_a_ducklake_over_s3_is_what_a_query_says_at_each_publication(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
):
    objects = s3.STORES[store]()
    objects.use(monkeypatch)
    ws, url = tmp_path / "ws", s3.fresh_url()
    small.deliver(tmp_path / "posts", days=4, posts_per_day=4)
    Workspace.create(ws, source=f"files:{tmp_path / 'posts'}", lake=url, actor="ana", clock=small.Ticking()).close()
    mirrored.name_mirrors(ws)
    with small.reopen(ws) as workspace:
        for day in (3, 5):
            workspace.incremental.run(last=small.day(day - 1))
        again = small.backfill(workspace, 1, 1)
        workspace.backfills.revert(again.id, reason=REVERTED)
        with pytest.raises(UnfitMirrorError, match="which is no folder"):
            workspace.mirrors.sync("tables")
        taken = steps(workspace.ledger, 0, workspace.ledger.position())
        asked = [(change.dataset, step.position) for step in taken for change in step.changes]
        asks = [{"of": "ducklake", "table": name, "version": at} for name, at in asked]
        catalog = mirrored.catalog_file(ws)
        found = foreign_engine.ask(f"sqlite:{catalog}", asks, objects=objects)
        assert len(found) == len(asked) > 10
        for (name, at), theirs in zip(asked, found, strict=True):
            assert theirs == foreign_engine.ours(workspace, name, at), (name, at)
        assert any(one["rows"] for one in found)
