"""The outage story on real posts, of which both mirrors were kept up: read by others, it is what we say, all along."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from tests.kit import mirror_checks, mirrored, small
from tests.kit.real import deliver
from tradex_ledger.workspace import Workspace

DAYS = [f"2014-01-{day:02}.jsonl.gz" for day in range(1, 9)]
WITHHELD = DAYS[2:4]


def test_the_story_of_an_outage_on_real_posts_is_the_same_to_all_readers(real_posts: Path, tmp_path: Path):
    source, ws = tmp_path / "posts", tmp_path / "ws"
    source.mkdir()
    deliver(real_posts, source, [name for name in DAYS if name not in WITHHELD])
    Workspace.create(ws, source=f"files:{source}", actor="ana", start=date(2014, 1, 1)).close()
    mirrored.name_mirrors(ws)
    with Workspace.open(ws, actor="ana") as workspace:
        for until in (date(2014, 1, 6), date(2014, 1, 9)):
            workspace.incremental.run(last=until - timedelta(1))
        deliver(real_posts, source, WITHHELD)
        done = small.backfill(workspace, date(2014, 1, 3), date(2014, 1, 4))
        workspace.backfills.revert(done.id, reason="the vendor took its delivery back, INC-4212")
        small.backfill(workspace, date(2014, 1, 3), date(2014, 1, 4), reason="and delivered it again, INC-4213")
        compared, differing = mirror_checks.differing(workspace)
        assert differing == []
        assert compared > 60
        names = {row[0] for row in workspace.query("select dataset from datasets").rows}
    assert names == {path.name for path in mirrored.delta_folder(ws).iterdir() if path.is_dir()}
