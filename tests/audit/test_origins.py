"""What builds were made of, where it is not what is there now: published anew, taken back, lost, under other logic."""

from __future__ import annotations

from pathlib import Path

from tests import worlds
from tests.kit import small
from tests.kit.lake_folder import root_of
from tradex_ledger.audit.origins import origins
from tradex_ledger.audit.reader import Reader
from tradex_ledger.relations.data import PARTITION_HISTORY
from tradex_ledger.workspace import Workspace


def late(folder: Path, number: int, day: int) -> None:
    """A post of a day that comes in later."""
    text = small.LATE.replace("000001", f"00000{number}").replace("2024-01-03T10", f"2024-01-0{day}T1{number}")
    (folder / "posts" / f"2024-02-0{number}-late.jsonl").write_text(text, encoding="utf-8")


def held(workspace: Workspace, day: int) -> str:
    """A backfill of a day that is complete, and waits for somebody to look."""
    run_id = small.request(workspace, day, day, review=True)
    workspace.backfills.approve(run_id)
    assert workspace.runs.drive(run_id).status == "HELD"
    return run_id


def test_each_build_is_traced_to_what_it_was_made_of_whatever_has_become_of_that(tmp_path: Path):
    ws = worlds.copied(tmp_path, pipeline=True)
    with small.reopen(ws) as workspace:
        late(tmp_path, 1, 3)
        small.backfill(workspace, 3, 3)
        late(tmp_path, 3, 2)
        wrong = small.backfill(workspace, 2, 2).id
        late(tmp_path, 4, 5)
        dropped = held(workspace, 5)
        workspace.runs.cancel(dropped, reason="it stands on a broken redelivery, INC-4290")
        workspace.backfills.revert(wrong, reason="the redelivery was broken, INC-4290")
        small.backfill(workspace, 3, 3)

        small.edit(workspace, "gold_metrics", "count(*)::bigint as mentions", "(count(*) + 0)::bigint as mentions")
        workspace.datasets.bump("gold_metrics", reason="mentions are counted anew, INC-7")
        for file in root_of(workspace).glob("bronze_x_posts/event_date=2024-01-04/*.parquet"):
            file.unlink()
        digest = workspace.lake.declare_loss("bronze_x_posts", reason="the disk died, INC-9").loss_plan
        assert digest is not None
    with small.reopen(ws, "maria") as other:
        other.lake.confirm_loss("bronze_x_posts", digest.digest)
        small.backfill(other, 4, 4)

        reader = Reader(other.ledger.store)
        built = reader.read(PARTITION_HISTORY, "outcome <> 'appended'")
        found = origins(reader, [row.position for row in built])
    assert {row.state for row in built} == {"published", "reverted", "abandoned"}
    assert len(found.builds) == len(built)
    assert [build for build in found.builds if not build.is_proven] == []
