"""What readers would lose by a backfill that waits is told as of any position, whatever definitions say today."""

from __future__ import annotations

from pathlib import Path

from tests import worlds
from tests.kit import small
from tradex_ledger.domain.backfill import Backfill


def test_the_days_that_a_new_version_would_hide_are_told_as_of_when_it_waited(tmp_path: Path):
    ws = worlds.copied(tmp_path, pipeline=True, thin=True)
    with small.reopen(ws) as workspace:
        small.edit(workspace, "gold_metrics", "count(*)::bigint as mentions", "(count(*) + 0)::bigint as mentions")
        workspace.datasets.bump("gold_metrics", reason="mentions are counted anew, INC-9")
        asked = small.request(workspace, 4, 5, kind="logical", dataset="gold_metrics")
        waits = str(workspace.ledger.position())
        told = workspace.backfills.warnings(workspace.ledger.get(Backfill, asked))
        (hidden,) = [text for text in told if "will lack" in text]
        assert "gold_metrics get version 2, which will lack 5 days (2024-01-01 to 2024-01-07)" in hidden
        workspace.backfills.approve(asked)
        workspace.runs.drive(asked)
        small.backfill(workspace, 1, 7, kind="logical", dataset="gold_metrics")
        (ws / "pipeline" / "gold_metrics.sql").unlink()  # as of then nobody asks for it
        then = workspace.audit.run(asked, waits).judgement
        after = workspace.audit.run(asked, str(workspace.ledger.position())).judgement
    assert then
    assert hidden in then.warnings
    assert after
    assert not any("will lack" in text for text in after.warnings)
