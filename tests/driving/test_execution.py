"""What a drive works with: where its tasks stage what they make."""

from __future__ import annotations

from pathlib import Path

from tradex_ledger.driving.execution import Staging


def test_no_two_tasks_of_a_drive_stage_in_one_folder_though_they_build_the_same(tmp_path: Path):
    staging = Staging(tmp_path)
    folders = [staging.of_task("gold_metrics-2024-01-01") for _ in range(3)]
    assert len(set(folders)) == 3
    assert {folder.parent for folder in folders} == {tmp_path}
    assert Staging(tmp_path / "next").of_task("gold_metrics-2024-01-01").name == folders[0].name
